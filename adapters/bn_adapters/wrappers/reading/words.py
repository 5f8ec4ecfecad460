"""What was read, said: a line for each role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bn_adapters.wrappers.reading.backward import REST, BackwardReading
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.recipe import FunctionRecipe
from bn_adapters.wrappers.reading.results import KEPT, WRITTEN, Path
from bn_adapters.wrappers.reading.roles import (
    BETA,
    EPS,
    GAMMA,
    MEAN,
    MODE,
    MOMENTUM,
    OUT,
    RESIDUAL,
    VARIANCE,
    X,
    closing_text,
)
from bn_conformance.adapter import Capabilities

THE_RESULT, THE_OBJECT = "the result", "the object"
"""Keys of what one step of an object gives: y, and what the object holds afterwards."""

TITLES: Mapping[str, str] = {
    X: "x",
    GAMMA: "gamma",
    BETA: "beta",
    MEAN: "running mean",
    VARIANCE: "running variance",
    EPS: "eps",
    MOMENTUM: "momentum",
    MODE: "mode",
    OUT: "y",
}


def call_text(callee: Callee) -> str:
    """A call of a function with its own names."""
    return f"{callee.name}({', '.join(argument.name for argument in callee.arguments)})"


def path_text(path: Path | None) -> str:
    """Where a part of a result is."""
    if path is None:
        return "nowhere"
    if path[:1] == (THE_RESULT,):
        return THE_RESULT
    if path in (WRITTEN, KEPT) or path[:1] == (THE_OBJECT,):
        return "in place"
    if path == REST:
        return "everything in the result but y"
    return "the result" if path == () else "result" + "".join(f"[{key!r}]" for key in path)


def function_notes(
    recipe: FunctionRecipe,
    capabilities: Capabilities,
    measured: Mapping[str, Any],
    note: str,
    title: str = "",
    gradients: str = "",
) -> tuple[str, ...]:
    """The lines that the check prints before it judges.

    Args:
        recipe: what was read.
        capabilities: what it can do.
        measured: the choices of the convention.
        note: what else is to be said.
        title: how it is called, where that is no call of the recipe's functions.
        gradients: of an object, what is to be said of its gradients.
    """
    return tuple(_lines(recipe, capabilities, measured, note, title, gradients))


def both_readings(name: str, callees: Sequence[Callee]) -> str:
    """Two readings that fit, with the options that say which is meant."""
    lines = []
    for callee in callees:
        names = [f"--name {role}={argument.name}" for argument in callee.arguments for role in argument.roles if role]
        lines.append(" ".join(names))
    return f"{name} can be read in two ways; say which: {' or '.join(lines)}"


def _lines(
    recipe: FunctionRecipe,
    capabilities: Capabilities,
    measured: Mapping[str, Any],
    note: str,
    title: str,
    gradients: str,
) -> Iterator[str]:
    callee, moving = recipe.forward, recipe.moving
    calls = [call_text(callee)] + ([call_text(recipe.backward.callee)] if recipe.backward else [])
    yield title or " and ".join(calls) + f" on {recipe.arrays.name} arrays"
    for role in (X, GAMMA, BETA):
        if role in callee.roles:
            yield f"{TITLES[role]}: {callee.spelled(role)}"
        elif role != X:
            yield f"{TITLES[role]}: none"
    yield f"y: {'written into ' + callee.spelled(OUT) if recipe.y == WRITTEN else path_text(recipe.y)}"
    if RESIDUAL in callee.roles:
        yield f"residual: {callee.spelled(RESIDUAL)}, given as zeros, so that y is that of batch normalisation"
    if closed := closing_text(callee.fixed):
        yield closed
    for role, path in ((MEAN, moving.mean), (VARIANCE, moving.variance)):
        where = callee.spelled(role)
        if where:
            after = "never moves" if path is None else f"after a step {path_text(path)}"
            yield f"{TITLES[role]}: {where}; {after}"
    if not capabilities.statistics:
        where = callee.spelled(MEAN)
        yield f"running statistics: {'used as they are given, and never moved' if where else 'none'}"
    yield _number_line(callee, EPS, measured.get("default_eps"), "")
    if capabilities.statistics and moving.exists:
        weighs = measured.get("momentum_weighs", "")
        yield _number_line(
            callee, MOMENTUM, measured.get("default_momentum"), f"; it weighs the {weighs} statistic" * bool(weighs)
        )
        if "running_variance" in measured:
            estimator = measured["running_variance"]
            yield f"the running variance is {estimator} and starts at {recipe.initial[1]:g} (measured)"
    yield _mode_line(callee, capabilities)
    yield gradients or _gradient_line(recipe.backward, capabilities)
    if recipe.saved and capabilities.saved_statistics:
        places = path_text(recipe.saved.mean), path_text(recipe.saved.inverse)
        yield "saved mean {}, saved inverse deviation {}; they are judged".format(*places)
    if note:
        yield note
    ranks = ", ".join(map(str, sorted(capabilities.ranks)))
    layouts, formats = (" and ".join(sorted(some)) for some in (capabilities.layouts, capabilities.dtypes))
    yield f"x of rank {ranks}, channels {layouts}; formats {formats}"


def _number_line(callee: Callee, role: str, default: float | None, more: str) -> str:
    where = callee.spelled(role)
    value = "no default" if default is None else f"{default:g}"
    if where:
        return f"{role}: {where} ({value if default is None else 'default ' + value}){more}"
    return f"{role}: a literal in the code, {value} (measured){more}"


def _mode_line(callee: Callee, capabilities: Capabilities) -> str:
    where = callee.spelled(MODE)
    if where:
        return f"mode: {where} is {callee.modes[0]!r} in training and {callee.modes[1]!r} in inference"
    return f"mode: none; it is batch normalisation in {' and '.join(sorted(capabilities.modes))}"


def _gradient_line(backward: BackwardReading | None, capabilities: Capabilities) -> str:
    if not capabilities.gradients:
        return "gradients: none, so that the forward alone is judged"
    if backward is None:
        return "gradients: those of the library's own differentiation"
    parts = {"dx": backward.dx, "dgamma": backward.dgamma, "dbeta": backward.dbeta}
    places = ", ".join(f"{name} {path_text(path)}" for name, path in parts.items() if path is not None)
    modes = " and ".join(sorted(capabilities.gradients, reverse=True))
    more = f" ({backward.error})" if backward.error and "inference" not in capabilities.gradients else ""
    taken = "".join(f"; {name} is {path_text(path)} of the forward" for name, path in backward.wires.items())
    return f"gradients in {modes}{more}: {places}{taken}"
