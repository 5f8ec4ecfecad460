"""The types of steps, in one table: the name of each, the data that it has, and what it changes in the layer.

A step stands by itself in `Case.steps`, or between the forward and the backward of a `Batch`. Everything that depends
on the type of a step is an entry of `STEP_TYPES`, or of a table of functions that `handlers` checks. A type without an
entry raises an error as soon as the module is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from bn_conformance.cases.model import (
    Batch,
    Between,
    EarlierBackward,
    Freeze,
    ParameterRecipes,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe

Handler = TypeVar("Handler")

STANDING: tuple[type[Any], ...] = get_args(Step)
"""Types of the steps that stand by themselves."""

BETWEEN: tuple[type[Any], ...] = get_args(Between)
"""Types of the steps between a forward and its backward."""


@dataclass(frozen=True, kw_only=True)
class StepType:
    """One type of step: a row of `STEP_TYPES`.

    Attributes:
        slug: its name in documents.
        words: a step of this type in words, as part of a sentence.
        batches: the forwards that it makes. A step with data makes its own; a reload makes that of the other layer.
        parameters: the recipes of gamma and beta that it sets; None where it sets none.
        statistics: the recipes of the running mean and variance that it sets; None where it sets none. After such a
            step, running statistics no longer follow from those of a fresh layer.
        frozen_after: whether the layer is frozen after it; None where it changes nothing about that.
        replaces_statistics: whether it replaces the running statistics of the layer by others.
    """

    slug: str
    words: Callable[[Any], str]
    batches: Callable[[Any], tuple[Batch, ...]] = lambda step: ()
    parameters: Callable[[Any], ParameterRecipes | None] = lambda step: None
    statistics: Callable[[Any], tuple[DataRecipe, DataRecipe] | None] = lambda step: None
    frozen_after: bool | None = None
    replaces_statistics: bool = False


def type_of(step: Step | Between) -> StepType:
    """Look up the type of a step."""
    return STEP_TYPES[type(step)]


def handlers(types: Iterable[type[Any]], table: Mapping[type[Any], Handler]) -> Mapping[type[Any], Handler]:
    """Check that a table has one handler for each type of step, and give it back.

    Args:
        types: the types that must have a handler: `STANDING`, `BETWEEN`, or both. No others may have one.
        table: a handler for each type.

    Raises:
        TypeError: a type has no handler, or something else has one; the message names them.
    """
    expected = set(types)
    lacking = sorted(step_type.__name__ for step_type in expected - table.keys())
    unknown = sorted(step_type.__name__ for step_type in table.keys() - expected)
    if lacking or unknown:
        problems = [f"no handler for {name}" for name in lacking] + [f"a handler for {name}" for name in unknown]
        raise TypeError(f"a table of step types has {', '.join(problems)}; expected one for each type of step")
    return table


def has_step(steps: Iterable[Step | Between], *types: type[Any]) -> bool:
    """Whether one of the steps is of one of these types."""
    return any(isinstance(step, types) for step in steps)


def is_frozen_after(steps: Iterable[Step | Between], frozen: bool) -> bool:
    """Whether the layer is frozen after these steps; `frozen` says whether it was before them."""
    for step in steps:
        after = type_of(step).frozen_after
        frozen = frozen if after is None else after
    return frozen


def _recipe_in_words(recipe: DataRecipe) -> str:
    parts = [recipe.kind]
    parts += [f"offset {recipe.offset:g}"] if recipe.offset else []
    parts += [f"scale {recipe.scale:g}"] if recipe.scale != 1.0 else []
    parts += [f"one {recipe.special} in channel {recipe.channel}"] if recipe.kind == "special" else []
    parts += [f"{recipe.special:g} alone in channel {recipe.channel}"] if recipe.kind == "unlike" else []
    return " ".join(parts)


def _memory_in_words(view: str) -> str:
    return f", memory {view}" if view != "contiguous" else ""


def _batch_in_words(step: Batch) -> str:
    text = f"{'train' if step.training else 'evaluate'} x {step.shape} ({_recipe_in_words(step.x)})"
    text += f" in shards of {', '.join(map(str, step.shards))}" if step.shards else ""
    text += f" with a mask ({step.mask.kind})" if step.mask else ""
    text += f", {step.mask.hidden:g} where nothing counts" if step.mask and step.mask.hidden is not None else ""
    text += f", backward with dy ({_recipe_in_words(step.dy)})" if step.dy else ""
    text += f", second order with v_dx ({_recipe_in_words(step.second.v_dx)})" if step.second else ""
    text += {"forward": ", what the forward saves", "backward": ", and from exact statistics"}.get(step.saved or "", "")
    text += f"; before that another layer runs on ({_recipe_in_words(step.interrupt)})" if step.interrupt else ""
    text += f"; before that {', then '.join(map(in_words, step.between))}" if step.between else ""
    text += _memory_in_words(step.view)
    return text + (f", memory of dy {step.dy_view}" if step.dy_view else "")


def _backward_in_words(step: EarlierBackward) -> str:
    second = f" and second order with v_dx ({_recipe_in_words(step.second.v_dx)})" if step.second else ""
    return f"another backward with dy ({_recipe_in_words(step.dy)}){second}"


def _statistics_in_words(step: SetStatistics) -> str:
    vectors = f"running mean ({_recipe_in_words(step.mean)}) and running variance ({_recipe_in_words(step.variance)})"
    return f"set {vectors}{_lengths_in_words(step)}{_memory_in_words(step.view)}"


def _lengths_in_words(step: SetStatistics | SetParameters) -> str:
    return f" of {step.lengths[0]} and {step.lengths[1]} values" if step.lengths else ""


def _parameters_in_words(step: SetParameters) -> str:
    vectors = f"gamma ({_recipe_in_words(step.gamma)}) and beta ({_recipe_in_words(step.beta)})"
    return f"set {vectors}{_lengths_in_words(step)}{_memory_in_words(step.view)}"


def _reload_in_words(step: Reload) -> str:
    trains = f"; whichever is not in use trains on ({_recipe_in_words(step.also.x)})" if step.also else ""
    spoiled = {
        "missing": " a state that lacks a vector",
        "longer": " a vector that is longer",
        "extra": " a vector more",
    }
    return f"save, build another layer, load{spoiled[step.spoil] if step.spoil else ''}{trains}"


STEP_TYPES: Mapping[type[Any], StepType] = handlers(
    {*STANDING, *BETWEEN},
    {
        Batch: StepType(slug="batch", words=_batch_in_words, batches=lambda step: (step,)),
        SetStatistics: StepType(
            slug="set-statistics",
            words=_statistics_in_words,
            statistics=lambda step: (step.mean, step.variance),
            replaces_statistics=True,
        ),
        SetParameters: StepType(
            slug="set-parameters",
            words=_parameters_in_words,
            parameters=lambda step: step,
        ),
        Reload: StepType(  # a state does not hold whether the layer is frozen, and a new layer is not
            slug="reload",
            words=_reload_in_words,
            batches=lambda step: () if step.also is None else (step.also,),
            frozen_after=False,
            replaces_statistics=True,
        ),
        Freeze: StepType(slug="freeze", words=lambda step: "freeze", frozen_after=True),
        EarlierBackward: StepType(slug="backward", words=_backward_in_words),
    },
)
"""Every type of step."""


def in_words(step: Step | Between) -> str:
    """Describe a step as part of a sentence, for example `train x (8, 4) (normal)`."""
    return type_of(step).words(step)
