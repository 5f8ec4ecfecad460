"""Deviations that are conventions: right where they are declared, and a fault where something else is."""

from __future__ import annotations

from typing import Any

from bn_reference.deviations import deviation
from bn_reference.layer.layer import PlainLayer


def _choice(name: str, sentence: str, effect: str, link: str = "", **convention: Any) -> None:
    """Register a choice of a convention: the layer is the right one under it."""
    layer = type("Choice", (PlainLayer,), {"__doc__": sentence, "__module__": __name__})
    deviation(name, convention=convention, effect=effect, link=link)(layer)


_choice(
    "running-var-biased",
    "running_var takes in the biased variance, divided by n.",
    "inference after a port differs where batches are small",
    "https://github.com/tenstorrent/tt-metal/issues/55438",
    running_variance="biased",
)
_choice(
    "running-var-unbiased",
    "running_var takes in the unbiased variance, divided by n - 1.",
    "inference after a port differs where batches are small",
    "https://github.com/pytorch/pytorch/issues/60528",
    running_variance="unbiased",
)
_choice(
    "initial-variance-zero",
    "running_var starts at 0.",
    "a fresh layer divides by sqrt(eps) in inference",
    "https://github.com/chainer/chainer/issues/1522",
    initial_running_variance=0.0,
)
_choice(
    "initial-variance-one",
    "running_var starts at 1.",
    "the first running variances are nearer to 1",
    initial_running_variance=1.0,
)
_choice(
    "momentum-weighs-old",
    "momentum, where it is the default, weighs the old statistic.",
    "running statistics of a layer built with the defaults follow the latest batch alone, or hardly at all",
    "https://github.com/huggingface/transformers/pull/19454",
    momentum_weighs="old",
)
_choice(
    "momentum-weighs-new",
    "momentum, where it is the default, weighs the new statistic.",
    "running statistics of a layer built with the defaults follow the latest batch alone, or hardly at all",
    momentum_weighs="new",
)
_choice(
    "moves-in-backward",
    "Running statistics move in backward.",
    "a forward without backward moves nothing",
    statistics_move="backward",
)
_choice(
    "moves-when-told",
    "Running statistics move when the user runs the update.",
    "inference uses initial statistics where nobody runs it",
    statistics_move="explicit",
)
_choice(
    "moves-in-forward",
    "Running statistics move in forward.",
    "they move although nobody asked for it",
    statistics_move="forward",
)
_choice(
    "eps-in-running-var",
    "running_var takes in variance + eps.",
    "inference adds eps twice",
    "https://github.com/chainer/chainer/pull/4505",
    eps_in_running_variance=True,
)
_choice(
    "eps-not-in-running-var",
    "running_var takes in the variance without eps, and inference adds eps.",
    "converted running variances hold eps once too often",
    eps_in_running_variance=False,
    eps_in_inference=True,
)
_choice(
    "eps-left-to-running-var",
    "running_var takes in variance + eps, and inference adds no eps.",
    "converted running variances lack eps",
    "https://github.com/Tencent/ncnn/issues/303",
    eps_in_running_variance=True,
    eps_in_inference=False,
)
_choice(
    "eps-added-in-inference",
    "Inference adds eps, whether or not running_var holds it.",
    "inference adds eps twice",
    eps_in_inference=True,
)
_choice(
    "eps-in-float32",
    "eps is kept in float32.",
    "float64 layers are off by 1e-8 of eps",
    "https://github.com/onnx/onnx/issues/1820",
    eps_dtype="float32",
)
_choice("eps-in-float64", "eps is kept in float64.", "float64 layers are off by 1e-8 of eps", eps_dtype="float64")
_choice(
    "eps-in-format-of-x",
    "eps is rounded to the format of x, as StableHLO's text casts it.",
    "a float16 layer with an eps below 3e-8 has none, and one of 1e-7 is off by a fifth",
    eps_dtype="x",
)
_choice(
    "momentum-in-float32",
    "momentum is kept in float32.",
    "running statistics of float64 layers are off by 1e-8",
    momentum_dtype="float32",
)
_choice(
    "weight-of-new-in-float32",
    "The weight of the new statistic is kept in float32.",
    "running statistics of float64 layers are off by 1e-8",
    momentum_dtype="float32-new",
)
_choice(
    "momentum-in-float64",
    "momentum is kept in float64.",
    "running statistics of float64 layers are off by 1e-8",
    momentum_dtype="float64",
)
_choice(
    "zero-debiased",
    "The initial values are divided out of the running statistics.",
    "the first steps differ after a port",
    debiasing="zero-debias",
)
_choice(
    "first-batch-replaces",
    "The first batch replaces the initial values.",
    "the first batch rules inference for long",
    debiasing="first-batch",
)
_choice(
    "not-debiased",
    "The initial values have their weight in the running statistics.",
    "the first steps differ after a port",
    debiasing="none",
)
_choice(
    "statistics-in-float32",
    "Running statistics are float32 at least, whatever the parameters are.",
    "a saved model has another format",
    statistics_dtype="float32",
)
_choice(
    "statistics-as-parameters",
    "Running statistics have the format of the parameters.",
    "running statistics of 16-bit layers stop moving",
    statistics_dtype="parameter",
)
_choice(
    "default-momentum-0.01",
    "The default momentum is 0.01.",
    "running statistics follow too slowly or too fast",
    "https://github.com/pytorch/examples/issues/289",
    default_momentum=0.01,
)
_choice(
    "default-eps-0.001",
    "The default eps is 0.001.",
    "channels of small variance differ after a port",
    "https://github.com/r9y9/tacotron_pytorch/issues/19",
    default_eps=1e-3,
)
