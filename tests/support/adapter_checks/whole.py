"""What the test of an adapter checks at least, in a process that starts with the adapter's environment."""

from __future__ import annotations

from tests.support.adapter_checks.agreement import check_agreement, check_defaults, configurations, name_of
from tests.support.own_process import process_of

from bn_conformance.adapter import Adapter, LayerConfig


def check_adapter(adapter: type[Adapter]) -> None:
    """What an adapter declares agrees with plain NumPy, each value of each capability once, and so do its defaults.

    Tolerances are fixed here, since it is a sanity check of the adapter. The judge is the matrix.
    """
    with process_of(adapter) as call:
        call(check_declarations)


def check_declarations(adapter: type[Adapter]) -> None:
    made, capabilities = adapter(), adapter.capabilities
    for config in configurations(capabilities, thin=True):
        if made.supports(config) is None:
            try:
                check_agreement(made, config)
            except Exception as error:
                error.add_note(f"in the configuration {name_of(config)}")
                raise
    rank = max(capabilities.ranks)
    if made.supports(LayerConfig(num_channels=1, rank=rank, eps=None, momentum=None)) is None:
        check_defaults(made, rank)
