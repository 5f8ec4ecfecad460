"""How layers behave: what unnamed tensors do, which modes they have, how they take masks, what gradients they give."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from bn_adapters.torch_tensors import load_torch
from bn_adapters.wrappers.torch.calling import BY_GRAD, MaskForm
from bn_adapters.wrappers.torch.holding import HeldAt
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.names import BIAS, MEAN, VARIANCE, WEIGHT
from bn_adapters.wrappers.torch.trial_run import (
    BETA,
    EPS,
    GAMMA,
    KNOWN_MEAN,
    KNOWN_VARIANCE,
    LIKE,
    LayerTrial,
    config_of,
    layer_for,
    prepare,
    trial_x,
    tried,
    unlike,
)
from bn_conformance.adapter import Array

ABSENT = ("does not require grad", "not have been used", "no gradient of x", "must implement either the backward")
"""In what torch, or a layer here, raises where there is no gradient."""


def by_behaviour(
    recipe: ModuleRecipe, unnamed: list[HeldAt], trial: LayerTrial, expected: str, known: bool = True
) -> dict[str, HeldAt]:
    """The roles of tensors whose names say nothing: set one, and see what changes.

    In training, y moves by the same amount everywhere where a shift is set, and in proportion to y where a scale is.
    Statistics are what a training step moves.

    Args:
        recipe: of the layers.
        unnamed: the tensors.
        trial: says the place of the channels.
        expected: what layers are built from, for messages.
        known: whether roles that are found already are left out.
    """
    found: dict[str, HeldAt] = {}
    rank, config = trial.x.ndim, config_of(trial.x.ndim, trial.axis, recipe.tried_in)
    axes = tuple(axis for axis in range(rank) if axis != trial.axis)
    for place in unnamed:
        layer = layer_for(recipe, config, expected)
        before = place.vector(layer.held, config.num_channels).astype(np.float64)
        x = trial_x(rank, trial.axis, recipe.tried_in)
        try:
            y = layer.forward(x, True).astype(np.float64).copy()
            after = place.vector(layer.held, config.num_channels).astype(np.float64)
            if not np.array_equal(before, after):
                found.setdefault(_statistic(after - before, trial, axes), place)
                continue
            other = layer_for(recipe, config, expected)
            place.write(other.held, (before + 1).astype(recipe.tried_in))
            change = other.forward(x, True).astype(np.float64) - y
        except Exception:
            continue
        if np.ptp(change, axis=axes).max() < 1e-4 < np.abs(change).min():
            found.setdefault(BIAS, place)
        elif np.abs(change).max() > 1e-4:
            found.setdefault(WEIGHT, place)
    return {role: place for role, place in found.items() if not known or role not in recipe.construction.places}


def _statistic(change: Array, trial: LayerTrial, axes: tuple[int, ...]) -> str:
    """Whether a tensor moved towards the means or the variances of the batch."""
    mean, variance = trial.x.mean(axes), trial.x.var(axes)
    start = [change / target for target in (mean, variance)]
    return MEAN if np.ptp(start[0]) < np.ptp(start[1]) else VARIANCE


def modes_of(recipe: ModuleRecipe, trial: LayerTrial, expected: str) -> tuple[ModuleRecipe, frozenset[str]]:
    """The modes in which layers are batch normalisation, and how they are told the mode."""
    both = frozenset({"training", "inference"})
    if not {MEAN, VARIANCE} & set(recipe.construction.places):
        return recipe, frozenset({"training"})
    if set(trial.y) != both:
        lacking = [error for error in trial.errors.values() if isinstance(error, NotImplementedError)]
        return recipe, frozenset(trial.y) if lacking else both
    if np.array_equal(trial.y["training"], trial.y["inference"]) or _same(trial):
        by_grad = replace(recipe, calling=replace(recipe.calling, mode=BY_GRAD))
        other = tried(by_grad, trial.x.ndim, trial.axis, expected)
        if "inference" in other.y and unlike(other.y["inference"], other.known) < LIKE < unlike(
            trial.y["inference"], trial.known
        ):
            return by_grad, both
        moved = trial.moved is not None and not all(map(_is_known, trial.moved, (MEAN, VARIANCE)))
        if not moved and unlike(trial.y["inference"], trial.known) < LIKE:
            return recipe, frozenset({"inference"})
    return recipe, both


def _same(trial: LayerTrial) -> bool:
    return unlike(trial.y["training"], trial.y["inference"]) < 1e-6


def _is_known(vector: Array, role: str) -> bool:
    return bool(np.allclose(vector, KNOWN_MEAN if role == MEAN else KNOWN_VARIANCE, rtol=1e-6))


def gradients_of_modes(
    recipe: ModuleRecipe, trial: LayerTrial, modes: frozenset[str], dtype: str, expected: str
) -> frozenset[str]:
    """The modes in which layers have gradients; a backward that raises for another reason counts as one."""
    found = set()
    for mode in modes:
        layer = layer_for(recipe, config_of(trial.x.ndim, trial.axis, dtype), expected)
        prepare(layer, dtype)
        try:
            y = layer.forward(trial.x.astype(dtype), mode == "training")
            layer.backward(np.ones_like(y))
        except Exception as error:
            if isinstance(error, NotImplementedError) or any(words in str(error) for words in ABSENT):
                continue
        found.add(mode)
    return frozenset(found)


def mask_form(recipe: ModuleRecipe, argument: str, trial: LayerTrial, expected: str) -> MaskForm | None:
    """The form in which layers take a mask so that the statistics are those of the counted positions."""
    rank, axis = trial.x.ndim, trial.axis
    shape = [1 if other == axis else size for other, size in enumerate(trial.x.shape)]
    mask = np.sin(np.arange(np.prod(shape)) * 2.3).reshape(shape) > -0.4
    axes = tuple(other for other in range(rank) if other != axis)
    count = mask.sum()
    mean = (trial.x * mask).sum(axes, keepdims=True) / count
    variance = (((trial.x - mean) * mask) ** 2).sum(axes, keepdims=True) / count
    wanted = trial.scaled((trial.x - mean) / np.sqrt(variance + EPS))
    counted = np.broadcast_to(mask, wanted.shape)
    for squeezed, inverted, floating in product((False, True), repeat=3):
        form = MaskForm(argument, squeezed, inverted, floating)
        one = replace(recipe, calling=replace(recipe.calling, mask=form))
        layer = layer_for(one, config_of(rank, axis, recipe.tried_in), expected)
        prepare(layer, recipe.tried_in)
        try:
            y = layer.forward_masked(trial.x.astype(recipe.tried_in), mask, True).astype(np.float64)
        except Exception:
            continue
        if y.shape == wanted.shape and unlike(y[counted], wanted[counted]) < LIKE:
            return form
    return None


def like_framework(recipe: ModuleRecipe, trial: LayerTrial, eps: float | None, expected: str) -> bool:
    """Whether layers give the y of `torch.nn.functional.batch_norm` to the last bit, in both modes.

    Args:
        recipe: of the layers.
        trial: says the place of the channels.
        eps: of the layers; None where it is not known.
        expected: what layers are built from, for messages.
    """
    if eps is None:
        return False
    torch = load_torch()
    rank, axis = trial.x.ndim, trial.axis
    shape = [37, *[1] * (rank - 1)]
    for other in range(1, rank):
        shape[other] = 3 if other == axis else 5
    x = np.sin(np.arange(np.prod(shape)) * 12.9898).reshape(shape).astype(recipe.tried_in) * 3
    for training in (True, False):
        layer = layer_for(recipe, config_of(rank, axis, recipe.tried_in), expected)
        prepare(layer, recipe.tried_in)
        try:
            y = layer.forward(x.copy(), training)
            same = _framework(torch, recipe, x, axis, training, eps)
        except Exception:
            return False
        if not np.array_equal(y, same):
            return False
    return True


def _framework(torch: Any, recipe: ModuleRecipe, x: Array, axis: int, training: bool, eps: float) -> Array:
    """What the framework gives for x with the parameters and statistics of a trial."""
    places = recipe.construction.places
    vectors = [torch.from_numpy(vector.astype(x.dtype)) for vector in (KNOWN_MEAN, KNOWN_VARIANCE, GAMMA, BETA)]
    weight, bias = (vectors[2 + index] if role in places else None for index, role in enumerate((WEIGHT, BIAS)))
    mean, variance = vectors[:2] if MEAN in places else (None, None)
    tensor = torch.from_numpy(x).movedim(axis, 1)
    y = torch.nn.functional.batch_norm(tensor, mean, variance, weight, bias, training or mean is None, 0.1, eps)
    return np.asarray(y.movedim(1, axis).numpy())
