"""What batch normalisation is not quite: an activation after it, and normalisations over other axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_adapters.wrappers.reading.not_quite import RMS, far_statistics, limits_of_renormalisation
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.names import MEAN, VARIANCE
from bn_adapters.wrappers.torch.trial_run import EPS, LIKE, LayerTrial, config_of, layer_for, prepare, unlike
from bn_conformance.adapter import Array

_ACTIVATIONS = (
    "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus",
    "hardswish", "hardsigmoid", "hardtanh", "softsign",
)  # fmt: skip
"""Activations, as `torch.nn.functional` names them."""

_AXES: Mapping[str, Callable[[int, int], tuple[int, ...]]] = {
    "layer normalisation (one mean and one variance a sample)": lambda rank, axis: tuple(range(1, rank)),
    "instance normalisation (one mean and one variance a sample and channel)": lambda rank, axis: tuple(
        other for other in range(1, rank) if other != axis
    ),
    "layer normalisation over the channels (one mean and one variance a position)": lambda rank, axis: (axis,),
    "normalisation per activation (means over the batch alone)": lambda rank, axis: (0,),
    "normalisation by one mean and one variance of the whole x": lambda rank, axis: tuple(range(rank)),
}
"""Normalisations by the axes of their means."""


def activation_after(trial: LayerTrial) -> str:
    """The activation that y went through after batch normalisation, in either mode; empty for none."""
    functional = load_torch().nn.functional
    for mode, plain in (("training", trial.batch), ("inference", trial.known)):
        got = trial.y.get(mode)
        if got is None or unlike(got, plain) < LIKE:
            continue
        for name in _ACTIVATIONS:
            if unlike(got, to_array(getattr(functional, name)(to_tensor(plain)))) < LIKE:
                return name
        slope = _slope(got, plain)
        if slope:
            return f"leaky_relu of slope {slope:.3g}"
    return ""


def renormalising_layer(recipe: ModuleRecipe, trial: LayerTrial, expected: str) -> str:
    """Batch renormalisation with its limits, where training is that; empty where it is not."""
    if not {MEAN, VARIANCE} <= trial.has:
        return ""
    dtype = recipe.tried_in
    layer = layer_for(recipe, config_of(trial.x.ndim, trial.axis, dtype), expected)
    try:
        prepare(layer, dtype)
        layer.set_running_statistics(*(part.astype(dtype) for part in far_statistics(trial.x, trial.axis)))
        y = np.asarray(layer.forward(trial.x.astype(dtype), True), np.float64)
    except Exception:
        return ""
    return limits_of_renormalisation(trial.unscaled(y), trial.x, trial.axis) if y.shape == trial.x.shape else ""


def _slope(got: Array, plain: Array) -> float:
    """The slope below 0 of an activation that leaves what is above 0 as it is; 0 where it is none."""
    below = plain < 0
    slope = float(np.median(got[below] / plain[below]))
    return slope if 0 < slope < 0.9 and unlike(got, np.where(below, slope * plain, plain)) < LIKE else 0.0


def relative(trial: LayerTrial) -> str:
    """What normalises in training where it is another than batch normalisation; empty where it is that, or unknown."""
    got, rank = trial.y.get("training"), trial.x.ndim
    if got is None or unlike(got, trial.batch) < LIKE or trial.moved is not None:
        return ""
    own = tuple(axis for axis in range(rank) if axis != trial.axis)
    for name, axes_of in _AXES.items():
        axes = axes_of(rank, trial.axis)
        if not axes or axes == own:
            continue
        mean, variance = trial.x.mean(axes, keepdims=True), trial.x.var(axes, keepdims=True)
        normalised = (trial.x - mean) / np.sqrt(variance + EPS)
        if unlike(got, trial.scaled(normalised)) < LIKE:
            return name
        if unlike(got, trial.scaled(trial.x / np.sqrt(np.square(trial.x).mean(axes, keepdims=True) + EPS))) < LIKE:
            return RMS
    return ""
