"""What was read of a class, said: a line for each role."""

from __future__ import annotations

from collections.abc import Iterator

from bn_adapters.wrappers.reading.axis_zero import AXIS_ZERO
from bn_adapters.wrappers.reading.roles import closing_text
from bn_adapters.wrappers.torch.construction import Construction
from bn_adapters.wrappers.torch.names import EPS, HELD, MEAN, MOMENTUM, VARIANCE, title_of_role
from bn_adapters.wrappers.torch.reading import ModuleReading
from bn_adapters.wrappers.trial import described
from bn_conformance.adapter import Capabilities


def notes_of(reading: ModuleReading, capabilities: Capabilities) -> tuple[str, ...]:
    """The lines that a check prints before it judges."""
    return tuple(_lines(reading, capabilities))


def _lines(reading: ModuleReading, capabilities: Capabilities) -> Iterator[str]:
    construction, calling = reading.recipe.construction, reading.recipe.calling
    yield construction.described()
    for role in HELD:
        if role in construction.places:
            place = construction.places[role]
            yield f"{title_of_role(role)}: {place}, {place.kind(reading.module)}"
    if not capabilities.statistics:
        yield "running statistics: none; it normalises by the batch in both modes, and training is judged"
    for role in (EPS, MOMENTUM):
        if role in reading.literals and (role == EPS or capabilities.statistics):
            yield _literal(role, reading.numbers[role])
    if capabilities.modes == {"inference"}:
        yield "mode: inference alone; training gives the same and moves no statistics"
    elif capabilities.statistics:
        yield f"mode: {calling.described()}"
    if calling.result:
        yield f"y: part {calling.result[0]!r} of what it gives"
    if calling.residual:
        yield f"residual: {calling.residual}, given as zeros, so that y is that of batch normalisation"
    if closed := closing_text(construction.fixed):
        yield closed
    if calling.swapped:
        yield AXIS_ZERO
    if calling.mask is not None:
        yield f"mask: {calling.mask}"
    if reading.unmasked:
        yield reading.unmasked
    if reading.switched_off:
        yield reading.switched_off
    yield described(capabilities)
    if reading.gradients != reading.modes:
        having = " and ".join(sorted(reading.gradients, reverse=True))
        yield f"gradients: in {having} alone" if having else "gradients: none, so that the forward alone is judged"
    if not reading.saves:
        yield _unsaved(construction)
    if reading.like_torch:
        yield "y is that of torch.nn.functional.batch_norm to the last bit: known faults of torch are not charged to it"
    yield str(reading.tries)


def _literal(role: str, value: float | None) -> str:
    title = title_of_role(role)
    if value is None:
        return f"{title}: cannot be chosen, and could not be measured; that of torch is assumed"
    what = "the weight of the new statistic" if role == MOMENTUM else "measured"
    return f"{title}: a literal in the code, {value:g} ({what})"


def _unsaved(construction: Construction) -> str:
    names = " and ".join(str(construction.places[role]) for role in (MEAN, VARIANCE) if role in construction.places)
    return f"save and load: not judged, since state_dict does not hold {names}"
