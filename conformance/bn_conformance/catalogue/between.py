"""STATE and others: what happens between a forward and its backward, and between calls, changes neither.

A backward behind a change of what its forward used may be refused (STATE-6): autodiff that keeps tensors by reference
sees that they were written to. Whatever is answered must belong to the forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import (
    EVERYTHING,
    GRADIENTS,
    OUTPUTS,
    SECOND_ORDER,
    Backward,
    Between,
    Case,
    Freeze,
    Parameters,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    DY,
    F32,
    F64,
    MEAN,
    NC,
    NCHW,
    NHWC,
    PARAMETERS,
    VARIANCE,
    Formats,
    Layout,
    evaluate,
    known_statistics,
    make,
    normal,
    train,
)
from bn_conformance.catalogue.second import ALL

OTHER = SetParameters(gamma=Recipe(kind="positive", seed=71, offset=1.0), beta=Recipe(kind="centred", seed=72))
MOVED = SetStatistics(Recipe(kind="centred", seed=73, offset=-1.0), Recipe(kind="positive", seed=74, scale=4.0))
EARLIER = Backward(dy=normal("earlier dy"))
EARLIER_TWICE = Backward(dy=normal("earlier dy"), second=ALL)

CHANGES: dict[str, tuple[str, tuple[Between, ...]]] = {
    "set-parameters": ("parameters are set", (OTHER,)),
    "set-statistics": ("running statistics are set", (MOVED,)),
    "load": ("parameters are set, and the state is saved and loaded again,", (OTHER, Reload())),
}


def cases() -> Iterator[Case]:
    """Every case between the calls of a layer."""
    for layout, formats in ((NC, F32), (NCHW, F32), (NHWC, F32), (NCHW, F64)):
        more: dict[str, Any] = {"sweep": formats == F64}
        for slug, (title, between) in CHANGES.items():
            for training in (True, False):
                yield _changed(layout, formats, slug, title, between, training, **more)
        if formats == F32:
            yield from _backward_again(layout)
            yield from _one_by_one(layout)


def _changed(
    layout: Layout, formats: Formats, slug: str, title: str, between: tuple[Between, ...], training: bool, **more: Any
) -> Case:
    batch = (train if training else evaluate)(layout, dy=DY, between=between)
    steps: tuple[Step, ...] = (batch,) if training else (known_statistics(), batch)
    mode = "" if training else "-inference"
    return _case(
        layout, formats, f"backward-after-{slug}{mode}", f"{title} between a forward and its backward", "STATE-6",
        steps, expects="numbers-or-refusal", **more,
    )  # fmt: skip


def _backward_again(layout: Layout) -> Iterator[Case]:
    steps: tuple[Step, ...] = (train(layout, dy=DY, between=(Freeze(),)), train(layout, normal("frozen"), DY))
    title = "a layer is frozen between a forward and its backward, which belongs to the forward"
    judges = OUTPUTS | GRADIENTS
    yield _case(
        layout, F32, "backward-after-freeze", title, "GRAD-1", steps, judges=judges, expects="numbers-or-refusal"
    )
    steps = (train(layout, dy=DY, between=(EARLIER,)), train(layout, normal("next"), DY), evaluate(layout))
    title = "two backwards of one forward: statistics move once, and the second is no other than a first"
    yield _case(layout, F32, "backward-twice", title, "STAT-4", steps, ("GRAD-1",))
    steps = (known_statistics(), evaluate(layout, dy=DY, between=(EARLIER,)))
    title = "two backwards of one forward in inference"
    yield _case(layout, F32, "backward-twice-inference", title, "GRAD-4", steps)
    steps = (train(layout, dy=DY, between=(EARLIER_TWICE,)),)
    title = "a backward after one with a second order, of the same forward"
    yield _case(layout, F32, "backward-after-second-order", title, "GRAD-1", steps, ("GRAD-2",))
    steps = (train(layout, dy=DY, second=ALL, between=(EARLIER_TWICE,)),)
    title = "two second orders of one forward"
    yield _case(layout, F32, "second-order-twice", title, "SECOND-1", steps, judges=SECOND_ORDER)
    steps = (train(layout, dy=DY, second=ALL, between=(OTHER,)),)
    title = "parameters are set between a forward and its second order"
    yield _case(
        layout, F32, "second-order-after-set-parameters", title, "STATE-6", steps, ("SECOND-1",), judges=SECOND_ORDER,
        expects="numbers-or-refusal",
    )  # fmt: skip


def _single(channel: int, value: float) -> Recipe:
    """A vector of ones but for one channel."""
    return Recipe(kind="special", offset=1.0, scale=0.0, channel=channel, special=value)


def _one_by_one(layout: Layout) -> Iterator[Case]:
    """Of gamma, beta and the statistics only one changes between two inferences, or only its middle channel."""
    gamma, mean, variance = PARAMETERS.gamma, MEAN, VARIANCE
    new_gamma, new_beta = OTHER.gamma, OTHER.beta
    changes: tuple[Step, ...] = (
        SetParameters(gamma=gamma, beta=new_beta),
        SetParameters(gamma=new_gamma, beta=new_beta),
        SetStatistics(MOVED.mean, variance),
        SetStatistics(MOVED.mean, MOVED.variance),
    )
    title = "beta, gamma, the running mean and the running variance change one at a time between inferences"
    yield _inferences(layout, "change-one", title, PARAMETERS, SetStatistics(mean, variance), changes)
    last = layout.channels - 1
    moved, changed = (
        "channels of one vector at a time change places",
        "a middle channel of one vector at a time changes",
    )
    for slug, title, old, new in (
        ("change-order", f"{moved} between inferences, so that sums stay", _single(0, 2.0), _single(last, 2.0)),
        ("change-middle", f"{changed} between inferences", _single(1, 2.0), _single(1, 4.0)),
    ):
        changes = (
            SetParameters(gamma=old, beta=new),
            SetParameters(gamma=new, beta=new),
            SetStatistics(new, old),
            SetStatistics(new, new),
        )
        yield _inferences(layout, slug, title, Parameters(gamma=old, beta=old), SetStatistics(old, old), changes)


def _inferences(
    layout: Layout, slug: str, title: str, parameters: Parameters, known: SetStatistics, changes: tuple[Step, ...]
) -> Case:
    steps = [known, evaluate(layout), *(step for change in changes for step in (change, evaluate(layout)))]
    return _case(layout, F32, slug, title, "STATE-6", tuple(steps), parameters=parameters, judges=OUTPUTS)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clause: str,
    steps: tuple[Step, ...],
    others: tuple[str, ...] = (),
    **more: Any,
) -> Case:
    settings: dict[str, Any] = {"judges": EVERYTHING, **more}
    return make("STATE", layout, formats, variant, title, (clause, *others), steps, **settings)
