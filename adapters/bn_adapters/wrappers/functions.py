"""Functions read and made an adapter: NumPy's, torch's and JAX's, a forward alone or a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bn_adapters.wrappers.function_code import is_named_batch_norm, stated_default
from bn_adapters.wrappers.function_trials import (
    GOOD,
    affine_ways,
    built_layer,
    gradient_modes,
    layouts_at,
    modes_in,
    places_of,
    takes_format,
)
from bn_adapters.wrappers.reading.arrays import NUMPY, NumpyArrays
from bn_adapters.wrappers.reading.axis_zero import AXIS_ZERO, ways_on_axis_zero
from bn_adapters.wrappers.reading.backward import NoBackward, read_backward
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.forward import Attempt, read_forward
from bn_adapters.wrappers.reading.moving import (
    eps_of_function,
    first_batch_sets,
    moving_of,
    own_keep,
    starts_by_itself,
)
from bn_adapters.wrappers.reading.not_quite import named_otherwise, rank_beyond, relative_by_name, renormalised
from bn_adapters.wrappers.reading.recipe import FunctionRecipe
from bn_adapters.wrappers.reading.roles import EPS, MEAN, MOMENTUM, OUT, closing_text
from bn_adapters.wrappers.reading.saved import saved_parts
from bn_adapters.wrappers.reading.trial_data import ALIKE
from bn_adapters.wrappers.reading.words import both_readings, function_notes
from bn_adapters.wrappers.trial import adapter_class, convention_of
from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError

BASE = Convention(running_variance="biased")
"""The convention of functions of no known library, as far as nothing is measured."""


_ALONE = "the suite judges batch normalisation alone"


class FunctionAdapter(Adapter):
    """What the adapters of functions share; `function_adapter` makes a subclass for a function or a pair."""

    framework = ""  # whatever else the user's file imports, in a process of its own
    requires: ClassVar[tuple[str, ...]] = ("numpy",)
    install = "pip install bnconform"
    recipe: ClassVar[FunctionRecipe]
    tape: ClassVar[bool]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        return built_layer(self.recipe, self.tape, config)

    def supports(self, config: LayerConfig) -> str | None:
        if self.capabilities.layouts and (config.rank, config.channel_axis) not in self.places:
            return f"x of rank {config.rank} with its channels on axis {config.channel_axis}: {self.why_not(config)}"
        return None

    places: ClassVar[frozenset[tuple[int, int]]]
    refusals: ClassVar[Mapping[tuple[int, int], str]]

    def why_not(self, config: LayerConfig) -> str:
        """Why an x of this rank and these channels is not taken."""
        return self.refusals.get((config.rank, config.channel_axis), "not taken")


@dataclass(frozen=True)
class FunctionSource:
    """What is to be read.

    Attributes:
        name: of the adapter, as reports call it.
        forward: the forward, with the roles that its names tell.
        backward: the backward; None where there is none.
        arrays: of the functions' library.
        base: the convention where nothing was measured.
        dtypes: formats of x that are tried.
        tape: whether the library differentiates where there is no backward.
        measure: whether the choices of the convention are measured; else they are those of the base.
        gradients: modes in which there are gradients, where they were found already; then `gradient_line` says so.
        initial: running mean and variance of a fresh layer, where they were found already.
        note: what else is to be said.
        title: how the code is called, where that is no call of the functions.
        least: how alike y must be to batch normalisation to be taken for it. Code may be wrong: mostly any will do.
        no_reading: what to say where nothing is alike enough.
    """

    name: str
    forward: Callee
    backward: Callee | None = None
    arrays: NumpyArrays = NUMPY
    base: Convention = BASE
    dtypes: tuple[str, ...] = ("float32", "float64")
    tape: bool = False
    measure: bool = True
    gradients: frozenset[str] | None = None
    gradient_line: str = ""
    initial: tuple[float, float] | None = None
    note: str = ""
    title: str = ""
    least: float = -np.inf
    no_reading: str = ""


def function_adapter(source: FunctionSource, parent: type[FunctionAdapter] = FunctionAdapter) -> Any:
    """The adapter of functions.

    Raises:
        TargetError: they cannot be read, or are something else than batch normalisation.
    """
    widest = source.dtypes[-1]
    source, one = _either_way(source, widest)
    recipe, note = _recipe(source, one)
    tape = source.tape and recipe.backward is None
    places, refusals = places_of(recipe, one, widest)
    dtypes = [dtype for dtype in source.dtypes if takes_format(recipe, dtype, one)]
    modes = modes_in(one)
    found = gradient_modes(recipe, tape, one, widest) if source.gradients is None else source.gradients
    gradients = found & modes
    literals = frozenset(
        name for name, role in (("eps", EPS), ("momentum", MOMENTUM)) if role not in recipe.forward.roles
    )
    statistics = recipe.moving.exists or modes == {"inference"}
    capabilities = Capabilities(
        dtypes=frozenset(dtypes),
        ranks=frozenset(rank for rank, _ in places),
        layouts=layouts_at(places),
        modes=modes,  # type: ignore[arg-type]
        statistics=statistics,
        set_statistics=MEAN in recipe.forward.roles,
        gradients=gradients,  # type: ignore[arg-type]
        affine=affine_ways(recipe, one),
        literals=literals,  # type: ignore[arg-type]
        second_order=frozenset(),
        saved_statistics=recipe.saved_statistics("training" in gradients),
    )
    values = _measured(source, recipe, one)
    recipe = replace(recipe, eps=values["default_eps"])
    attributes = {
        "name": source.name,
        "recipe": recipe,
        "tape": tape,
        "places": frozenset(places),
        "refusals": refusals,
        "capabilities": capabilities,
        "convention": convention_of(source.name, source.base, **values),
        "notes": function_notes(recipe, capabilities, values, note or source.note, source.title, source.gradient_line),
    }
    return adapter_class(parent.__name__, (parent,), attributes)


class _RelativeError(TargetError):
    """Code is something else than batch normalisation, by its name."""


def _either_way(source: FunctionSource, widest: str) -> tuple[FunctionSource, Attempt]:
    """The reading of the forward, with the channels on axis 0 where nothing else is batch normalisation.

    Raises:
        TargetError: there is none, or the function is something else.
    """
    failure, one = None, None
    try:
        one = _read(source, widest)
    except TargetError as error:
        failure = error
        if isinstance(error, _RelativeError) and not is_named_batch_norm(source.forward.name):
            raise
    as_it_is = source.forward.settled or source.title or OUT in source.forward.roles  # no plain function of arrays
    if as_it_is or (one is not None and _is_sure(one)):
        ways: list[FunctionSource] = []
    else:
        pairs = ways_on_axis_zero(source.forward, source.backward)
        ways = [replace(source, forward=forward, backward=back, note=AXIS_ZERO) for forward, back in pairs]
    for way in ways:
        try:
            other = _read(way, widest)
        except TargetError:
            continue
        if other.training is not None and other.training.likeness > ALIKE:
            return way, other
    if one is None:
        raise failure or TargetError(source.no_reading)
    return source, one


def _is_sure(one: Attempt) -> bool:
    return any(call is not None and call.likeness > GOOD for call in (one.training, one.inference))


def _read(source: FunctionSource, widest: str) -> Attempt:
    """The reading of the forward.

    Raises:
        TargetError: there is none, or the function is something else.
    """
    name = source.forward.name
    unknown = [argument.name for argument in source.forward.arguments if not argument.role and argument.required]
    named = relative_by_name(name, [argument.name for argument in source.forward.arguments])
    by_name = "" if closing_text(source.forward.fixed) else named
    try:
        one, others = read_forward(source.forward, source.arrays, widest, lambda tried: bool(_other(tried)))
    except IndexError:
        if by_name:
            raise _RelativeError(f"{name} is {by_name}; {_ALONE}") from None
        lines = " ".join(f"--argument {argument}=VALUE" for argument in unknown)
        raise TargetError(
            f"{name} needs {', '.join(unknown)}, of which the role is not known; say it: --name ROLE=NAME, or {lines}"
        ) from None
    calls = [call for call in (one.training, one.inference) if call is not None]
    if by_name and (one.training is None or one.training.likeness < ALIKE) and not _other(one):
        raise _RelativeError(f"{name} is {by_name}; {_ALONE}")
    if not calls and (beyond := rank_beyond(source.forward, source.arrays, widest)):
        raise TargetError(f"{name} {beyond}")
    if not calls:
        raise TargetError(source.no_reading or f"{name} raised {one.why_not}, called on x of shape {one.data.x.shape}")
    if all(call.path is None for call in calls):
        raise TargetError(source.no_reading or f"{name} gives nothing of the shape of x, {one.data.x.shape}")
    if other := _other(one) or renormalised(one, source.arrays):
        raise _RelativeError(f"{name} is {other}; {_ALONE}")
    if max(call.likeness for call in calls) < source.least:
        raise TargetError(source.no_reading)
    if others:
        raise TargetError(both_readings(name, [one.callee, *(other.callee for other in others[:1])]))
    return one


def _other(one: Attempt) -> str:
    """What code is where it is not batch normalisation."""
    call = one.training or one.inference
    return "" if call is None else named_otherwise(call, one.data, one.callee)


def _recipe(source: FunctionSource, one: Attempt) -> tuple[FunctionRecipe, str]:
    """What layers are built from, and what is to be said of the backward."""
    call = one.training or one.inference
    assert call is not None
    moving = moving_of(one)
    own = starts_by_itself(one.callee, source.arrays, one.data)
    initial = source.initial or own or (0.0, source.base.initial_running_variance)
    recipe = FunctionRecipe(
        forward=one.callee,
        y=call.path or (),
        arrays=source.arrays,
        moving=moving,
        weighs_old=(moving.weighs(MOMENTUM in one.callee.roles) or source.base.momentum_weighs) == "old",
        initial=initial,
        start=own is None,
    )
    note = ""
    if first_batch_sets(one.callee, source.arrays, one):
        note = "without statistics the first batch sets the statistics; here they are there from the start"
    if source.backward is None:
        return replace(recipe, saved=saved_parts(one, moving, None)), note
    try:
        backward = read_backward(source.backward, one, source.arrays)
        return replace(recipe, backward=backward, saved=saved_parts(one, moving, backward)), note
    except NoBackward as error:
        raise TargetError(str(error)) from None


def _measured(source: FunctionSource, recipe: FunctionRecipe, one: Attempt) -> dict[str, Any]:
    """The choices of the convention that were measured, or that the signature says."""
    callee, arrays, moving = recipe.forward, recipe.arrays, recipe.moving
    values: dict[str, Any] = {"initial_running_variance": recipe.initial[1]}
    if source.measure:
        weighs = moving.weighs(MOMENTUM in callee.roles)
        values |= {"momentum_weighs": weighs} if weighs else {}
        values |= {"running_variance": moving.estimator} if moving.estimator else {}
    values["default_eps"] = stated_default(callee, EPS)
    if values["default_eps"] is None and callee.has_default(EPS):
        digits = 6 if source.dtypes[-1] == "float64" else 4
        eps = eps_of_function(callee, arrays, one.data, recipe.y, digits)
        values["default_eps"] = source.base.default_eps if eps is None and EPS not in callee.roles else eps
    values["default_momentum"] = stated_default(callee, MOMENTUM)
    if values["default_momentum"] is None and callee.has_default(MOMENTUM):
        keep = own_keep(callee, arrays, one)
        old = values.get("momentum_weighs", source.base.momentum_weighs) == "old"
        if keep is not None:
            values["default_momentum"] = keep if old else round(1.0 - keep, 12)
        elif MOMENTUM not in callee.roles:
            values["default_momentum"] = source.base.default_momentum
    return values
