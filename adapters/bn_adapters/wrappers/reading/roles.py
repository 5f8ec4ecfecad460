"""Roles: what arguments, attributes and results of batch normalisation are for, and what public code calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

X, DY = "x", "dy"
GAMMA, BETA = "weight", "bias"
MEAN, VARIANCE = "running_mean", "running_var"
EPS, MOMENTUM, MODE = "eps", "momentum", "training"
CHANNELS, AXIS = "channels", "axis"
STATE, CACHE, OUT = "state", "cache", "output"
SAVED_MEAN, SAVED_INVERSE, SAVED_VARIANCE = "saved_mean", "saved_invstd", "saved_var"
OUTPUT_MASK = "output_mask"
RESIDUAL = "residual"
COUNT = "count"
DX, DGAMMA, DBETA, Y = "dx", "dweight", "dbias", "y"
UNKNOWN = ""

VECTORS = (GAMMA, BETA, MEAN, VARIANCE)
NUMBERS = (EPS, MOMENTUM)

FORWARD_NAMES: Mapping[str, tuple[str, ...]] = {
    X: ("x", "input", "inputs", "inp", "data", "a", "z", "xs", "features", "input_tensor", "tensor", "activations"),
    GAMMA: ("weight", "gamma", "scale", "mults", "alpha", "w", "g", "gain", "weights", "scales"),
    BETA: ("bias", "beta", "shift", "adds", "b", "offset", "biases", "shifts"),
    MEAN: (
        "running_mean", "moving_mean", "mean", "means", "exp_mean", "running_avg_mean", "mean_ma", "ra_mean",
        "run_mean", "running_mu", "mu", "rm", "moving_avg_mean", "global_mean", "avg_mean", "input_mean",
    ),
    VARIANCE: (
        "running_var", "moving_var", "moving_variance", "var", "vars", "exp_var", "ra_var", "running_variance",
        "run_var", "variance", "rv", "var_ma", "running_avg_var", "moving_avg_var", "global_var", "avg_var",
        "sigma2", "input_var",
    ),
    EPS: ("eps", "epsilon", "e", "epsi"),
    MOMENTUM: ("momentum", "decay", "mom", "rho", "exponential_average_factor", "averaging_factor"),
    MODE: (
        "training", "train", "is_training", "is_train", "train_flg", "train_flag", "training_mode", "train_mode",
        "mode", "phase", "bn_training", "use_running_average", "use_running_stats", "use_global_stats", "inference",
        "is_test", "test", "eval", "is_inference", "deterministic", "istrain", "trainable", "is_eval", "test_mode",
    ),
    CHANNELS: (
        "num_features", "num_channels", "channels", "dim", "features", "size", "c", "n", "nf", "n_features",
        "input_dim", "in_features", "num_feats", "n_out", "d", "feature_dim", "input_size", "n_channels", "units",
    ),
    AXIS: ("axis", "channel_axis", "channel_dim"),
    STATE: (
        "bn_param", "state", "cache", "stats", "running", "running_stats", "bn_state", "params", "config", "buffers",
        "param", "bn_params", "moving", "statistics", "moving_stats",
    ),
    OUT: ("output", "out", "y"),
}  # fmt: skip
"""Names of arguments of a forward, and of attributes, by role. Of a role, earlier names are more common."""

CONSTRUCTOR_NAMES: Mapping[str, tuple[str, ...]] = {
    role: names for role, names in FORWARD_NAMES.items() if role not in (X, STATE, OUT)
}
"""Names of arguments of a constructor, by role."""

BACKWARD_NAMES: Mapping[str, tuple[str, ...]] = {
    DY: (
        "dy", "dout", "grad_output", "grad_out", "grad", "dz", "upstream", "gy", "g", "d_out", "delta", "grad_y",
        "dl_dy", "upstream_grad", "grads", "error", "gradient", "d",
    ),
    X: ("x", "input", "inputs", "inp", "data"),
    GAMMA: FORWARD_NAMES[GAMMA][:-3],
    BETA: FORWARD_NAMES[BETA],
    MEAN: ("running_mean", "moving_mean"),
    VARIANCE: ("running_var", "moving_var", "moving_variance", "running_variance"),
    SAVED_MEAN: ("save_mean", "saved_mean", "mean", "mu", "batch_mean", "sample_mean"),
    SAVED_INVERSE: (
        "save_invstd", "saved_invstd", "invstd", "inv_std", "rstd", "inv_var", "save_rstd", "saved_inv_std", "istd",
        "invvar", "inverse_std", "save_inv_std", "saved_rstd",
    ),
    SAVED_VARIANCE: ("save_var", "saved_var", "var", "variance", "batch_var", "sample_var", "sigma2"),
    EPS: FORWARD_NAMES[EPS],
    MODE: FORWARD_NAMES[MODE],
    OUTPUT_MASK: ("output_mask", "grad_input_mask", "mask"),
    CACHE: ("cache", "saved", "ctx", "residuals", "residual", "saved_tensors", "memory", "context", "tape", "res"),
    STATE: ("bn_param", "bn_params"),
}  # fmt: skip
"""Names of arguments of a backward, by role."""

GRADIENT_NAMES: Mapping[str, tuple[str, ...]] = {
    DX: ("dx", "grad_input", "grad_x", "dinput", "d_x", "gx"),
    DGAMMA: tuple(
        text.format(name)
        for name in ("gamma", "weight", "scale", "w", "g", "alpha")
        for text in ("d{}", "grad_{}", "{}_grad", "d_{}", "{}_gradient", "g{}", "{}", "delta_{}")
    ),
    DBETA: tuple(
        text.format(name)
        for name in ("beta", "bias", "shift", "b", "offset")
        for text in ("d{}", "grad_{}", "{}_grad", "d_{}", "{}_gradient", "g{}", "{}", "delta_{}")
    ),
}
"""Names of attributes and of keys that hold gradients, by role."""

RESIDUAL_NAMES = (
    "residual", "res", "skip", "shortcut", "identity", "addend", "add", "other", "z", "side_input", "skip_input",
    "residual_input",
)  # fmt: skip
"""Names of what a fused forward adds to y: given as zeros, so that y is that of batch normalisation."""

CLOSING: Mapping[str, float] = {"r_max": 1.0, "rmax": 1.0, "max_r": 1.0, "d_max": 0.0, "dmax": 0.0, "max_d": 0.0}
"""Limits of batch renormalisation, and the values with which it is batch normalisation: r is then 1, and d is 0."""

INVERTED_MODES = frozenset(
    {
        "use_running_average", "use_running_stats", "use_global_stats", "inference", "is_test", "test", "eval",
        "is_inference", "deterministic", "is_eval", "test_mode",
    }
)  # fmt: skip
"""Names of modes that are true in inference."""


def plain_name(name: str) -> str:
    """A name as the tables have it: in small letters, without underscores around it and without `self`."""
    spelled = "".join(
        f"_{letter}" if letter.isupper() and index and name[index - 1].islower() else letter
        for index, letter in enumerate(name)
    )
    return spelled.lower().strip("_")


def closing_limits(names: Iterable[str]) -> dict[str, float]:
    """Values of the limits of batch renormalisation, by the names of arguments; empty where r or d has no limit."""
    found = {name: CLOSING[plain_name(name)] for name in names if plain_name(name) in CLOSING}
    return found if len(found) == 2 and set(found.values()) == {0.0, 1.0} else {}


def closing_text(fixed: Mapping[str, object]) -> str:
    """What is to be said of limits that were chosen; empty where none was."""
    closed = closing_limits(fixed)
    if not closed or any(fixed[name] != value for name, value in closed.items()):
        return ""
    values = " and ".join(f"{name}={value:g}" for name, value in closed.items())
    return f"batch renormalisation is judged with {values}, where it is batch normalisation; r and d are not judged"


def role_named(name: str, names: Mapping[str, tuple[str, ...]]) -> str:
    """The role of a name in a table; UNKNOWN where the table does not have it."""
    plain = plain_name(name)
    for role, aliases in names.items():
        if plain in aliases:
            return role
    return UNKNOWN
