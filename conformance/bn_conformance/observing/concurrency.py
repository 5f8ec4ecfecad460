"""Whether two layers, or one in inference, give in two threads at once the bits that they give one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.hosting.host import Host
from bn_conformance.hosting.operations import BuildCall, Call, ConcurrentlyCall, Returned, SetParametersCall
from bn_conformance.observing.observation import same_returned

Rounds = Sequence[Sequence[Returned | None]]
"""y, dx, dgamma and dbeta of each round of a layer."""


def disturbed_by_threads(case: Case, data: CaseData, host: Host, standing: list[int]) -> tuple[str, ...]:
    """Name the results that differ when two threads run at the same time, such as `dx of layer 0`.

    Args:
        case: a case with one step, whose `interrupt` is the x of the other layer.
        data: the tensors of the case.
        host: runs the layers.
        standing: the numbers of the layers that are built are appended to it.

    Raises:
        LayerError: the implementation raised.
        HostLost: its process is gone.
    """
    batch = data.batches[0]
    assert batch.interrupt is not None
    training, xs = case.batches[0].training, (batch.x, batch.interrupt)
    dy = batch.x if batch.dy is None else batch.dy
    dys = dy, dy + dy  # if both had one dy, a mix-up of their sums would not show

    def rounds_of(*members: int) -> Sequence[Rounds]:
        layers = [_fresh_layer(case, data, host, standing) for _ in (members[:1] if case.shared else members)]
        layers *= len(members) // len(layers)
        member_xs, member_dys = [xs[member] for member in members], [dys[member] for member in members]
        return host.ask(ConcurrentlyCall(layers, member_xs, member_dys, case.concurrent, training))

    alone = [*rounds_of(0), *rounds_of(1)]
    together = rounds_of(0, 1)
    return tuple(
        f"{name} of layer {layer}"
        for layer, (rounds_alone, rounds_together) in enumerate(zip(alone, together, strict=True))
        for place, name in enumerate(("y", "dx", "dgamma", "dbeta") if training else ("y",))
        if not all(
            same_returned(first[place], second[place])
            for first, second in zip(rounds_alone, rounds_together, strict=True)
        )
    )


def _fresh_layer(case: Case, data: CaseData, host: Host, standing: list[int]) -> int:
    """Build a layer with the parameters of the case.

    Raises:
        LayerError: the implementation raised.
    """
    layer = host.reserve()
    standing.append(layer)
    calls: list[Call[Any]] = [BuildCall(case.config, layer)]
    gamma, beta = data.batches[0].gamma, data.batches[0].beta
    if gamma is not None or beta is not None:
        calls.append(SetParametersCall(layer, gamma, beta))
    _, error = host.run(calls)
    if error is not None:
        raise error
    return layer
