"""What public torch code calls what a batch normalisation takes and holds. Earlier names are more common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WEIGHT, BIAS, MEAN, VARIANCE = "weight", "bias", "running_mean", "running_var"
EPS, MOMENTUM, TRAINING, MASK = "eps", "momentum", "training", "mask"
CHANNELS, AXIS, RANK, AFFINE, DEVICE, DTYPE, ACTIVATION = (
    "channels", "axis", "rank", "affine", "device", "dtype", "activation",
)  # fmt: skip

HELD: Mapping[str, tuple[str, ...]] = {
    WEIGHT: (
        "weight", "gamma", "scale", "mults", "alpha", "w", "g", "gain", "weights", "scales", "gammas", "bn_weight",
    ),
    BIAS: ("bias", "beta", "shift", "adds", "b", "offset", "biases", "shifts", "betas", "bn_bias"),
    MEAN: (
        "running_mean", "moving_mean", "mean", "means", "exp_mean", "running_avg_mean", "mean_ma", "ra_mean",
        "run_mean", "running_mu", "mu", "rm", "moving_avg_mean", "global_mean", "avg_mean", "ema_mean", "pop_mean",
        "moving_average_mean", "mean_running", "population_mean",
    ),
    VARIANCE: (
        "running_var", "moving_var", "moving_variance", "var", "vars", "exp_var", "ra_var", "running_variance",
        "run_var", "variance", "rv", "var_ma", "running_avg_var", "moving_avg_var", "global_var", "avg_var",
        "ema_var", "pop_var", "moving_average_var", "var_running", "population_var", "running_sigma2", "sigma2",
    ),
}  # fmt: skip
"""Names of tensors that a module holds, by role."""

NUMBERS: Mapping[str, tuple[str, ...]] = {
    EPS: ("eps", "epsilon", "variance_epsilon", "bn_eps", "epsi", "e"),
    MOMENTUM: ("momentum", "decay", "mom", "bn_momentum", "rho", "ema_decay"),
}
"""Names of numbers: arguments of the constructor, and attributes."""

BUILT: Mapping[str, tuple[str, ...]] = {
    CHANNELS: (
        "num_features", "num_channels", "channels", "n_features", "n_channels", "num_feats", "in_channels",
        "in_features", "features", "planes", "dim", "size", "input_dim", "hidden_size", "width", "d", "c", "n", "nf",
    ),
    **NUMBERS,
    AFFINE: ("affine",),
    AXIS: ("axis", "channel_axis", "channel_dim"),
    RANK: ("num_dims", "ndim", "ndims", "n_dims", "dims", "rank", "num_dim", "spatial_dims", "num_spatial_dims"),
    DEVICE: ("device",),
    DTYPE: ("dtype",),
    ACTIVATION: (
        "activation", "act", "act_layer", "apply_act", "activate", "act_fn", "nonlinearity", "relu", "act_type",
        "activation_layer", "use_relu", "with_relu", "activation_fn",
    ),
}  # fmt: skip
"""Names of arguments of a constructor, by role."""

CALLED: Mapping[str, tuple[str, ...]] = {
    TRAINING: (
        "training", "train", "is_training", "is_train", "train_mode", "training_mode", "istrain", "trainable",
        "use_batch_stats", "use_running_average", "use_running_stats", "use_global_stats", "inference", "is_test",
        "test", "eval", "is_inference", "deterministic", "is_eval", "test_mode", "eval_mode",
    ),
    MASK: (
        "mask", "x_mask", "input_mask", "valid", "valid_mask", "attention_mask", "padding_mask", "pad_mask",
        "key_padding_mask", "node_mask",
    ),
}  # fmt: skip
"""Names of arguments of a forward, by role."""

OF_INFERENCE = frozenset(
    {
        "use_running_average", "use_running_stats", "use_global_stats", "inference", "is_test", "test", "eval",
        "is_inference", "deterministic", "is_eval", "test_mode", "eval_mode",
    }
)  # fmt: skip
"""Names of flags that are true in inference."""

TITLES: Mapping[str, str] = {MEAN: "running mean", VARIANCE: "running variance"}
"""Roles whose title is not their name."""


def in_small_letters(name: str) -> str:
    """A name as the tables have it: `runningMean` and `_Running_Mean` are `running_mean`."""
    parts = [
        f"_{letter}" if letter.isupper() and index and name[index - 1].islower() else letter
        for index, letter in enumerate(name)
    ]
    return "".join(parts).lower().strip("_")


def best_named(names: Iterable[str], aliases: tuple[str, ...]) -> str:
    """Of some names the one that comes first in a list of aliases; empty where none is in it."""
    ranked = {in_small_letters(name): name for name in reversed(list(names))}
    return next((ranked[alias] for alias in aliases if alias in ranked), "")


def title_of_role(role: str) -> str:
    """A role in words."""
    return TITLES.get(role, role)
