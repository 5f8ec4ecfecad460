"""Graphs of ONNX's BatchNormalization: one for each mode, with the vectors as initializers or as inputs.

The opset says which version of the operator runs: 9, 14 or 15, the newest to this day. Training is an attribute
from opset 14 on; before, a node trains where it has five results. Ranks are declared, and sizes are not, so that a size
that is refused is refused by the operator. Source: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from bn_conformance.adapter import Array, LayerConfig

VECTORS = ("scale", "B", "input_mean", "input_var")
"""The inputs of the operator after x, by the names that its schema has for them."""

MOVED = ("running_mean", "running_var")
"""Its results after y in training; what enters the next step as `input_mean` and `input_var`."""

TRAINING_IS_AN_ATTRIBUTE = 14
"""The first opset with the attribute `training_mode`."""

KINDS = {"float32": 1, "float64": 11, "float16": 10, "bfloat16": 16}
"""ONNX's numbers of the formats."""


@dataclass(frozen=True)
class Form:
    """How the operator stands in its graph.

    Attributes:
        opset: of the graph.
        inputs: whether the vectors are inputs of the graph; else they are initializers, which is what exporters write.
        convolution: whether a convolution that gives each channel as it is comes before the operator.
        y_alone: whether a graph in training gives y and keeps the moved statistics to itself.
    """

    opset: int
    inputs: bool = False
    convolution: bool = False
    y_alone: bool = False


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a format; that of bfloat16 comes from `ml_dtypes`, as in the arrays of onnx itself."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def model_of(config: LayerConfig, form: Form, vectors: Mapping[str, Array], training: bool) -> Any:
    """The model of a mode. It gives y, and in training `MOVED` unless y is asked for alone.

    Args:
        config: eps and momentum that it leaves out are left to the operator.
        form: of the graph.
        vectors: by the names in `VECTORS`, each of shape (C,).
        training: the mode.
    """
    from onnx import helper, numpy_helper

    x_kind, kind = KINDS[config.dtype], KINDS[config.parameter_dtype]
    results = ["y", *MOVED] if training else ["y"]
    nodes, held = [_node(config, form, results, training)], dict(vectors)
    if form.convolution:
        held["ones"] = np.ones((config.num_channels, *[1] * (config.rank - 1)), numpy_dtype(config.dtype))
        nodes[0].input[0] = "same"
        nodes.insert(0, helper.make_node("Conv", ["x", "ones"], ["same"], group=config.num_channels))
    fed = {"x": x_kind} | (dict.fromkeys(VECTORS, kind) if form.inputs else {})
    constants = [numpy_helper.from_array(array, name) for name, array in held.items() if name not in fed]
    ranks = {name: [None] * (config.rank if name in ("x", "y") else 1) for name in ("x", *VECTORS, "y", *MOVED)}
    opsets = [helper.make_opsetid("", form.opset)]
    graph = helper.make_graph(
        nodes,
        "batch_norm",
        [helper.make_tensor_value_info(name, number, ranks[name]) for name, number in fed.items()],
        [
            helper.make_tensor_value_info(name, x_kind if name == "y" else kind, ranks[name])
            for name in (results[:1] if form.y_alone else results)
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))


def _node(config: LayerConfig, form: Form, results: Iterable[str], training: bool) -> Any:
    from onnx import helper

    given = {"epsilon": config.eps, "momentum": config.keep}
    attributes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    saved = []
    if training and form.opset >= TRAINING_IS_AN_ATTRIBUTE:
        attributes["training_mode"] = 1
    elif training:
        saved = ["saved_mean", "saved_var"]
    return helper.make_node("BatchNormalization", ["x", *VECTORS], [*results, *saved], **attributes)
