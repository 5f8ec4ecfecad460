"""The configurations that the test of an adapter tries: every declared value of each capability, once at least."""

from __future__ import annotations

from tests.support.adapter_checks.agreement import configurations

from bn_conformance.adapter import Capabilities


def test_thin_configurations_try_every_value_also_where_channels_are_last_alone() -> None:
    can = Capabilities(layouts=frozenset({"last"}), dtypes=frozenset({"float16", "float64"}))
    configs = configurations(can, thin=True)
    assert {(config.rank, config.channel_axis) for config in configs} == {(2, 1), (3, 2), (4, 3), (5, 4)}
    assert {config.dtype for config in configs} == {"float16", "float64"}
    assert {(config.gamma, config.beta) for config in configs} == {(True, True), (False, False)}
