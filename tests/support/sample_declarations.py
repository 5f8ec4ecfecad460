"""What the synthetic results declare: conventions of the listed implementations, and clauses."""

from __future__ import annotations

from typing import Any

TORCH = {
    "running_variance": "unbiased",
    "initial_running_variance": 1.0,
    "momentum_weighs": "new",
    "default_momentum": 0.1,
    "default_eps": 1e-5,
    "statistics_move": "forward",
    "eps_in_running_variance": False,
    "eps_in_inference": True,
    "eps_dtype": "float64",
    "momentum_dtype": "float64",
    "statistics_dtype": "parameter",
}
TENSORFLOW = TORCH | {
    "running_variance": "biased",
    "momentum_weighs": "old",
    "default_momentum": 0.99,
    "default_eps": 1e-3,
    "eps_dtype": "float32",
    "momentum_dtype": "float32",
    "statistics_dtype": "float32",
}
FLAX = TENSORFLOW | {"default_eps": 1e-5}
TEXTBOOK = TORCH | {
    "running_variance": "biased",
    "initial_running_variance": 0.0,
    "momentum_weighs": "old",
    "default_momentum": 0.9,
    "eps_in_running_variance": True,
    "eps_in_inference": False,
}
NONSTANDARD = {
    "initial_running_variance": "the running variance starts at 0, inference before training divides by sqrt(eps)",
    "eps_in_running_variance": "the running variance takes in variance + eps",
    "eps_in_inference": "inference divides by sqrt(running variance): eps is inside the running variance already",
}
IMPLEMENTATIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "textbook.numpy": (TEXTBOOK, {"numpy": "2.4.6"}),
    "torch.nn": (TORCH, {"torch": "2.13.0+cpu"}),
    "torch.nn[channels_last]": (TORCH, {"torch": "2.13.0+cpu"}),
    "torch.functional": (TORCH | {"default_momentum": 0.1}, {"torch": "2.13.0+cpu"}),
    "keras[tensorflow]": (TENSORFLOW, {"keras": "3.15.1", "tensorflow": "2.21.0"}),
    "keras[jax]": (TENSORFLOW, {"keras": "3.15.1", "jax": "0.10.2"}),
    "keras[torch]": (TENSORFLOW, {"keras": "3.15.1", "torch": "2.13.0+cpu"}),
    "tf.nn.fused": (TENSORFLOW | {"running_variance": "unbiased"}, {"tensorflow": "2.21.0"}),
    "tf.nn.moments": (TENSORFLOW | {"default_momentum": None, "default_eps": None}, {"tensorflow": "2.21.0"}),
    "tf.layers-v1": (TENSORFLOW | {"statistics_move": "explicit"}, {"tensorflow": "2.21.0", "tf-keras": "2.21.0"}),
    "flax.linen": (FLAX, {"flax": "0.12.8", "jax": "0.10.2"}),
    "flax.linen[jit]": (FLAX, {"flax": "0.12.8", "jax": "0.10.2"}),
    "flax.nnx": (FLAX, {"flax": "0.12.8", "jax": "0.10.2"}),
    "flax.nnx[jit]": (FLAX, {"flax": "0.12.8", "jax": "0.10.2"}),
}
CLAUSES = (
    ("FWD-1", "MUST", "In training, y MUST be gamma * (x - mean) / sqrt(variance + eps) + beta, per channel."),
    ("STAT-1", "MUST", "The running mean MUST move by momentum towards the batch mean."),
    ("STAT-3", "MUST", "The running variance MUST take in the batch variance by the declared estimator."),
    ("EVAL-1", "MUST", "Inference MUST use the running statistics and MUST leave them as they are."),
    ("GRAD-1", "MUST", "dx MUST be the gradient of sum(y * dy) through mean and variance."),
    ("GRAD-2", "MUST", "dgamma and dbeta MUST be the gradients of sum(y * dy)."),
    (
        "NUM-1",
        "SHOULD",
        "A mean that is large beside the standard deviation SHOULD cost no more than a two-pass variance.",
    ),
    ("NUM-4", "SHOULD", "Where x is finite, overflow of its square SHOULD not reach y."),
    ("DTYPE-1", "MUST", "float16 and bfloat16 inputs MUST be normalised with statistics of float32 at least."),
    ("LAYOUT-1", "MUST", "The position of the channel axis MUST change nothing but the order of the values."),
    ("EDGE-1", "MUST", "One value per channel MUST raise, or give beta with finite statistics."),
    ("STATE-1", "MUST", "Save and load MUST give a layer that continues with the same bits."),
    ("PURE-1", "MUST", "Inputs MUST not be modified."),
    ("ERR-1", "MAY", "Input of another rank MAY raise."),
)
