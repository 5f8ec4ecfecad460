"""What functions that were read can do, found by trial: places of the channels, formats, parameters, gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bn_adapters.wrappers.function_layers import ExplicitLayer, JaxTapeLayer, TorchTapeLayer
from bn_adapters.wrappers.reading.forward import Attempt, called
from bn_adapters.wrappers.reading.moving import moving_of
from bn_adapters.wrappers.reading.recipe import FunctionRecipe
from bn_adapters.wrappers.reading.roles import BETA, GAMMA, MODE
from bn_adapters.wrappers.reading.trial_data import TrialData
from bn_adapters.wrappers.trial import affine_of
from bn_conformance.adapter import Layer, LayerConfig

ALL_PLACES = tuple((rank, axis) for rank in (2, 3, 4, 5) for axis in range(1, rank))
GOOD = 0.5
"""How alike a result must be to be taken for batch normalisation, where some result of the code is."""

SLACK = 0.1
"""By how much less alike a result may be on an x of another rank."""


def built_layer(recipe: FunctionRecipe, tape: bool, config: LayerConfig) -> Layer:
    """A layer of the kind that the recipe needs."""
    if tape:
        return JaxTapeLayer(recipe, config) if recipe.arrays.name == "jax" else TorchTapeLayer(recipe, config)
    return ExplicitLayer(recipe, config)


def _config(data: TrialData, dtype: str, gamma: bool, beta: bool) -> LayerConfig:
    return LayerConfig(
        num_channels=3,
        rank=data.x.ndim,
        channel_axis=data.axis,
        dtype=dtype,
        parameter_dtype=dtype,
        gamma=gamma,
        beta=beta,
    )


def places_of(
    recipe: FunctionRecipe, one: Attempt, dtype: str
) -> tuple[list[tuple[int, int]], dict[tuple[int, int], str]]:
    """Where an x may have its channels, by rank and axis, and why it may not elsewhere."""
    own = one.training or one.inference
    least = own.likeness - SLACK if own is not None and own.likeness > GOOD else -np.inf
    places, refusals = [], {}
    for rank, axis in ALL_PLACES:
        data = TrialData.of(rank, axis, dtype)
        training = one.training is not None
        try:
            call = called(recipe.forward, recipe.arrays, data, training)
        except Exception as error:
            refusals[rank, axis] = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            continue
        if call.path != recipe.y or call.likeness < least:
            refusals[rank, axis] = f"it normalises over other axes than all but axis {axis}"
        elif recipe.moving.exists and training and moving_of(replace(one, data=data, training=call)).mean is None:
            refusals[rank, axis] = "its statistics are not one of each channel"
        else:
            places.append((rank, axis))
    return places or [(one.data.x.ndim, one.data.axis)], refusals


def takes_format(recipe: FunctionRecipe, dtype: str, one: Attempt) -> bool:
    """Whether functions take an x of a format."""
    data = TrialData.of(one.data.x.ndim, one.data.axis, dtype)
    try:
        return called(recipe.forward, recipe.arrays, data, one.training is not None).path is not None
    except Exception:
        return False


def affine_ways(recipe: FunctionRecipe, one: Attempt) -> frozenset[Any]:
    """Which of gamma and beta a layer may have."""
    has = [role in recipe.forward.roles for role in (GAMMA, BETA)]
    found = {affine_of(*has)}
    for gamma, beta in ((False, False), (True, False), (False, True)):
        wanted = gamma and has[0], beta and has[1]
        without: dict[str, None] = {role: None for role, keep in ((GAMMA, gamma), (BETA, beta)) if not keep}
        try:
            call = called(recipe.forward, recipe.arrays, one.data, one.training is not None, **without)
        except Exception:
            continue
        if call.path == recipe.y and call.likeness > GOOD:
            found.add(affine_of(*wanted))
    return frozenset(found)


def gradient_modes(recipe: FunctionRecipe, tape: bool, one: Attempt, dtype: str) -> frozenset[str]:
    """The modes in which there are gradients."""
    if recipe.backward is not None:
        return frozenset({"training", "inference"} if recipe.backward.inference else {"training"})
    if not tape:
        return frozenset()
    gamma, beta = (role in recipe.forward.roles for role in (GAMMA, BETA))
    layer = built_layer(recipe, tape, _config(one.data, dtype, gamma, beta))
    try:
        layer.forward(one.data.x.copy(), one.training is not None)
        layer.backward(one.data.dy.copy())
    except RuntimeError as error:
        if "does not require grad" in str(error) or "not been used" in str(error):
            return frozenset()
    except Exception:
        return frozenset({"training", "inference"})
    return frozenset({"training", "inference"})


def layouts_at(places: Sequence[tuple[int, int]]) -> frozenset[Any]:
    """Where the channels may be; an x of rank 2 has them in every layout."""
    tall = [place for place in places if place[0] > 2] or [(2, 1)]
    return frozenset(LayerConfig(num_channels=3, rank=rank, channel_axis=axis).layout for rank, axis in tall)


def modes_in(one: Attempt) -> frozenset[str]:
    """The modes that the code has: both where it takes a mode, even if it raised in one."""
    if MODE in one.callee.roles or (one.training is not None and one.inference is not None):
        return frozenset({"training", "inference"})
    return frozenset({"training" if one.training is not None else "inference"})
