"""A class read: from its names, then from what its layers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bn_adapters.torch_tensors import load_torch
from bn_adapters.wrappers.code import error_line, number_or_none
from bn_adapters.wrappers.torch.behaviour import (
    by_behaviour,
    gradients_of_modes,
    like_framework,
    mask_form,
    modes_of,
)
from bn_adapters.wrappers.torch.calling import calling_of
from bn_adapters.wrappers.torch.construction import Construction, construction_of
from bn_adapters.wrappers.torch.holding import HeldAt, by_name, numbers_in, vectors_in
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.literals import measured_eps, measured_weight
from bn_adapters.wrappers.torch.names import EPS, MEAN, MOMENTUM, NUMBERS, VARIANCE, in_small_letters
from bn_adapters.wrappers.torch.places import Tries, all_places, distance
from bn_adapters.wrappers.torch.placing import placed
from bn_adapters.wrappers.torch.relatives import activation_after, relative, renormalising_layer
from bn_adapters.wrappers.torch.trial_run import LIKE, LayerTrial, config_of, layer_for, tried
from bn_adapters.wrappers.trial import CHANNELS
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said

EXPECTED = (
    "a torch-module is built from the number of channels and, where it has them, eps, momentum, affine, axis, the rank "
    "of x, device and dtype"
)


@dataclass(frozen=True)
class ModuleReading:
    """What was found of a class.

    Attributes:
        name: in reports.
        recipe: how its layers are built and called.
        tries: where x may have its channels.
        modes: in which they are batch normalisation.
        gradients: the modes in which they have gradients.
        dtypes: the formats of x that they take.
        numbers: the eps and the momentum that they have where nobody chooses them; None where that is not known.
        literals: those of the two that nobody can choose.
        module: one of its layers.
        saves: whether a saved state holds the statistics.
        like_torch: whether y is that of the framework's own kernel, to the last bit.
        switched_off: the activation that was switched off, and how; empty where there was none.
        unmasked: why an argument for a mask is left out; empty where there is none, or where masks are used.
    """

    name: str
    recipe: ModuleRecipe
    tries: Tries
    modes: frozenset[str]
    gradients: frozenset[str]
    dtypes: tuple[str, ...]
    numbers: Mapping[str, float | None]
    literals: frozenset[str]
    module: Any
    saves: bool
    like_torch: bool
    switched_off: str = ""
    unmasked: str = ""


def read_module(built: type, name: str, said: Said) -> ModuleReading:
    """Read a class.

    Args:
        built: the class, of modules or of plain objects that work on tensors.
        name: in reports.
        said: what the user says of it.

    Raises:
        TargetError: its layers cannot be built or called, roles cannot be told, or it is something else.
    """
    torch = load_torch()
    construction = construction_of(built, said, EXPECTED)
    calling, mask_argument = calling_of(built, issubclass(built, torch.nn.Module), said.names)
    recipe = _with_named_places(ModuleRecipe(construction, calling), said, name)
    recipe, tries = placed(recipe, name, EXPECTED)
    recipe = _with_behaviour(recipe, tries.best, name)
    recipe, switched_off = _without_activation(recipe, tries.best, name)
    if switched_off or frozenset(recipe.construction.places) != tries.best.has:
        tries = all_places(recipe, name, EXPECTED)
    if other := relative(tries.best) or renormalising_layer(recipe, tries.best, EXPECTED):
        raise TargetError(f"{name} is {other}; the suite judges batch normalisation alone")
    recipe, modes = modes_of(recipe, tries.best, EXPECTED)
    recipe, unmasked = _with_mask(recipe, mask_argument, tries.best)
    dtypes = tuple(dtype for dtype in ("float32", "float64") if _takes(recipe, tries.best, dtype, modes))
    if not dtypes:
        raise TargetError(f"{name} takes neither float32 nor float64; {EXPECTED}")
    gradients = gradients_of_modes(recipe, tries.best, modes, dtypes[-1], EXPECTED)
    recipe = _with_attributes(recipe, tries.best, dtypes[-1], modes, said)
    numbers, literals = _numbers(recipe, tries.best, dtypes[-1], modes)
    module = layer_for(recipe, config_of(tries.best.x.ndim, tries.best.axis), EXPECTED).held
    return ModuleReading(
        name,
        recipe,
        tries,
        modes,
        gradients,
        dtypes,
        numbers,
        literals,
        module,
        _saves(module, recipe.construction),
        like_framework(recipe, tries.best, numbers[EPS], EXPECTED),
        switched_off,
        unmasked,
    )


def _with_named_places(recipe: ModuleRecipe, said: Said, name: str) -> ModuleRecipe:
    """The recipe with the tensors of roles that their names tell."""
    module = layer_for(recipe, config_of(4, 1), EXPECTED).held
    places = by_name(vectors_in(module, CHANNELS), said.names, name)
    return replace(recipe, construction=replace(recipe.construction, places=places))


def _with_behaviour(recipe: ModuleRecipe, trial: LayerTrial, name: str) -> ModuleRecipe:
    """The recipe with the roles of tensors whose names say nothing.

    Raises:
        TargetError: another parameter changes y than a weight and a bias, or one statistic is not found.
    """
    places = recipe.construction.places
    module = layer_for(recipe, config_of(trial.x.ndim, trial.axis), EXPECTED).held
    unnamed = [place for place in vectors_in(module, CHANNELS) if place not in places.values()]
    if unnamed and len(places) < 4:
        found = by_behaviour(recipe, unnamed, trial, EXPECTED)
        places = {**places, **found}
        recipe = replace(recipe, construction=replace(recipe.construction, places=places))
    parameter = load_torch().nn.Parameter
    own = [place for place in unnamed if isinstance(place.get(module), parameter) and place not in places.values()]
    strange = [place for place in own if by_behaviour(recipe, [place], trial, EXPECTED, known=False)]
    if strange:
        raise TargetError(
            f"{name} has a parameter {strange[0]} that changes y, beside its weight and bias; if it is one of these, "
            f"say it: --name weight={strange[0]} or --name bias={strange[0]}"
        )
    if (MEAN in places) != (VARIANCE in places):
        there, lacking = (MEAN, VARIANCE) if MEAN in places else (VARIANCE, MEAN)
        held = ", ".join(map(str, vectors_in(module, CHANNELS)))
        raise TargetError(
            f"{name} has a {there}, {places[there]}, and no {lacking} that could be found among {held}; "
            f"say it: --name {lacking}=NAME"
        )
    return recipe


def _without_activation(recipe: ModuleRecipe, trial: LayerTrial, name: str) -> tuple[ModuleRecipe, str]:
    """The recipe with an activation after batch normalisation switched off, and how.

    Raises:
        TargetError: it cannot be.
    """
    activation = activation_after(trial)
    if not activation:
        return recipe, ""
    for one, how in _ways_to_switch_off(recipe, trial):
        try:
            other = tried(one, trial.x.ndim, trial.axis, EXPECTED)
        except TargetError:
            continue
        if distance(other) < LIKE:
            return one, f"activation: {activation}, switched off by {how}"
    raise TargetError(
        f"{name} is batch normalisation and {activation} in one, and the activation cannot be switched off: up to it y "
        f"is that of batch normalisation; give a class whose y is not activated"
    )


def _ways_to_switch_off(recipe: ModuleRecipe, trial: LayerTrial) -> list[tuple[ModuleRecipe, str]]:
    torch, construction = load_torch(), recipe.construction
    ways = []
    for values in construction.activations():
        ((argument, value),) = values.items()
        ways.append((replace(recipe, construction=construction.with_fixed(**values)), f"{argument}={value!r}"))
    module = layer_for(recipe, config_of(trial.x.ndim, trial.axis), EXPECTED).held
    if isinstance(module, torch.nn.Module):
        for path, child in list(module.named_modules())[1:]:
            if not any(True for _ in child.parameters()) and not any(True for _ in child.buffers()):
                place = HeldAt(tuple(path.split(".")))
                without = replace(construction, without=(place,))
                ways.append((replace(recipe, construction=without), f"an Identity in the place of {place}"))
    return ways


def _with_mask(recipe: ModuleRecipe, argument: str, trial: LayerTrial) -> tuple[ModuleRecipe, str]:
    """The recipe with the form of masks, and why an argument for masks is left out."""
    if not argument:
        return recipe, ""
    form = mask_form(recipe, argument, trial, EXPECTED)
    if form is None:
        return recipe, f"mask: {argument} is left out: in no form of it are the statistics those of what counts"
    return replace(recipe, calling=replace(recipe.calling, mask=form)), ""


def _takes(recipe: ModuleRecipe, trial: LayerTrial, dtype: str, modes: frozenset[str]) -> bool:
    """Whether layers take x of a format, in one mode at least."""
    try:
        return bool(modes & set(tried(recipe, trial.x.ndim, trial.axis, EXPECTED, dtype).y))
    except TargetError:
        return False


def _with_attributes(
    recipe: ModuleRecipe, trial: LayerTrial, dtype: str, modes: frozenset[str], said: Said
) -> ModuleRecipe:
    """The recipe with eps and momentum that the constructor does not take, but that a built layer obeys when set."""
    construction = recipe.construction
    module = layer_for(recipe, config_of(trial.x.ndim, trial.axis), EXPECTED).held
    found: dict[str, tuple[HeldAt, ...]] = {}
    for role, usual in NUMBERS.items():
        aliases = (in_small_letters(said.names[role]),) if role in said.names else usual
        places = () if role in construction.names else tuple(numbers_in(module, aliases))
        one = replace(recipe, construction=replace(construction, attributes={role: places}))
        if places and _obeys(one, trial, role, dtype, modes):
            found[role] = places
    return replace(recipe, construction=replace(construction, attributes=found))


def _obeys(recipe: ModuleRecipe, trial: LayerTrial, role: str, dtype: str, modes: frozenset[str]) -> bool:
    """Whether layers give other numbers once a number has another value."""
    results = []
    for value in (0.25, 0.75):
        config = config_of(trial.x.ndim, trial.axis, dtype, **{role: value})
        try:
            layer = layer_for(recipe, config, EXPECTED)
            y = layer.forward(trial.x.astype(dtype), "training" in modes)
        except Exception:
            return False
        results.append(y if role == EPS else layer.running_statistics().mean)
    return bool((results[0] != results[1]).any())


def _numbers(
    recipe: ModuleRecipe, trial: LayerTrial, dtype: str, modes: frozenset[str]
) -> tuple[dict[str, float | None], frozenset[str]]:
    """The eps and momentum of layers for which nobody chose any, and which of them nobody can choose."""
    construction, rank, axis = recipe.construction, trial.x.ndim, trial.axis
    numbers: dict[str, float | None] = {}
    literals = set()
    layer = layer_for(recipe, config_of(rank, axis), EXPECTED)
    for role, aliases in NUMBERS.items():
        if role in construction.names:
            stated = number_or_none(construction.default(role))
            held = [number_or_none(place.get(layer.held)) for place in numbers_in(layer.held, aliases)]
            has_default = construction.names[role] in construction.defaults
            numbers[role] = stated if stated is not None or not has_default else next(iter(held), None)
        elif role in construction.attributes:
            numbers[role] = number_or_none(construction.attributes[role][0].get(layer.held))
        else:
            literals.add(role)
            try:
                if role == EPS:
                    numbers[role] = measured_eps(recipe, rank, axis, dtype, "training" in modes, EXPECTED)
                elif MEAN in construction.places and "training" in modes:
                    numbers[role] = measured_weight(recipe, rank, axis, dtype, EXPECTED)
            except Exception as error:
                raise TargetError(f"{construction.built.__name__} raised {error_line(error)}; {EXPECTED}") from None
    return {role: numbers.get(role) for role in (EPS, MOMENTUM)}, frozenset(literals)


def _saves(module: Any, construction: Construction) -> bool:
    """Whether what is saved holds the statistics: `state_dict` holds no plain attributes."""
    if not hasattr(module, "state_dict"):
        return True
    names = set(module.state_dict())
    return all(str(place) in names for place in construction.places.values())
