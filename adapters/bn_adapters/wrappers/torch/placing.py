"""Where a class has its channels: as the suite has them, else on axis 0; else what keeps it from being judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bn_adapters.wrappers.function_code import is_named_batch_norm
from bn_adapters.wrappers.reading.not_quite import several_axes_text
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.names import MEAN, VARIANCE
from bn_adapters.wrappers.torch.places import Tries, all_places, distance, with_result
from bn_adapters.wrappers.torch.trial_run import LIKE, config_of, layer_for
from bn_conformance.targets.naming import TargetError


def placed(recipe: ModuleRecipe, name: str, expected: str) -> tuple[ModuleRecipe, Tries]:
    """The recipe with the place of y, and where x may have its channels.

    Where layers are batch normalisation nowhere else, axes 0 and 1 are swapped around each call: a layer of x of shape
    (C, N). A layer without a name or running statistics that say batch normalisation is not taken for one.

    Raises:
        TargetError: layers take no x that the suite has, or hold parameters for more than one axis.
    """
    failure, found = None, None
    try:
        found = _placed(recipe, name, expected)
    except TargetError as error:
        failure = error
    if found is not None and distance(found[1].best) < LIKE:
        return found
    says_so = is_named_batch_norm(recipe.construction.built.__name__) or {MEAN, VARIANCE} <= set(
        recipe.construction.places
    )
    if failure is not None or says_so:
        try:
            other = _placed(replace(recipe, calling=replace(recipe.calling, swapped=True)), name, expected)
        except TargetError:
            other = None
        if other is not None and distance(other[1].best) < LIKE:
            return other
    if text := _several_axes(recipe, expected):
        raise TargetError(f"{name} has {text}")
    if found is None:
        assert failure is not None
        raise failure
    return found


def _placed(recipe: ModuleRecipe, name: str, expected: str) -> tuple[ModuleRecipe, Tries]:
    recipe = with_result(recipe, expected)
    return recipe, all_places(recipe, name, expected)


def _several_axes(recipe: ModuleRecipe, expected: str) -> str:
    """What is to be said of parameters and statistics that have more than one axis; empty where there are none."""
    held: Any = layer_for(recipe, config_of(4, 1, recipe.tried_in), expected).held
    tensors = [*getattr(held, "named_parameters", list)(), *getattr(held, "named_buffers", list)()]
    return next(filter(None, (several_axes_text(path, tuple(tensor.shape)) for path, tensor in tensors)), "")
