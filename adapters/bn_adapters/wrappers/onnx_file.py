"""ONNX files, judged without an adapter: a BatchNormalization node, or a graph that computes batch normalisation."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bn_adapters.wrappers.function_code import NOTHING_SAID
from bn_adapters.wrappers.function_trials import GOOD
from bn_adapters.wrappers.functions import FunctionAdapter, FunctionSource, function_adapter
from bn_adapters.wrappers.onnx_graph.cutting import (
    BATCH_NORM,
    alone,
    batch_norms,
    between,
    chosen_node,
    label,
    show_statistics,
)
from bn_adapters.wrappers.onnx_graph.files import bring_in, read_model
from bn_adapters.wrappers.onnx_graph.inputs import GraphInput, with_inputs, x_format
from bn_adapters.wrappers.onnx_graph.running import GraphRun
from bn_adapters.wrappers.reading.callee import Argument, Callee
from bn_adapters.wrappers.reading.roles import EPS, MOMENTUM
from bn_conformance.adapter import Convention
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

CONVENTION = Convention(running_variance="biased", momentum_weighs="old", default_momentum=0.9, default_eps=1e-5)
"""That of BatchNormalization in https://onnx.ai/onnx/operators/onnx__BatchNormalization.html, since version 14."""

SUFFIX = ".onnx"
INSTALL = "pip install 'bnconform[onnx]'"
NODE, INPUT, OUTPUT = "node", "input", "output"
"""Arguments that say what of a graph is judged: a node by its name, or what lies between two tensors."""


_NO_READING = (
    f"{{}} holds no {BATCH_NORM} node, and as a whole it computes no batch normalisation; where a part of it does, say "
    f"where that begins and ends: --argument {INPUT}=TENSOR --argument {OUTPUT}=TENSOR"
)


class OnnxAdapter(FunctionAdapter):
    """What the adapters of graphs share."""

    requires = ("onnx",)
    install = INSTALL
    distributions = ("onnx", "onnxruntime")


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FunctionAdapter]:
    """The adapter of a file: `model.onnx`, or `model.onnx:NODE`.

    Raises:
        TargetError: it cannot be read or run, holds no batch normalisation, or several that differ.
    """
    path, node = _file_and_node(code)
    chosen = _chosen(said, node)
    model, note = _judged_part(read_model(path), chosen, path.name)
    bring_in(model.graph, path.parent)
    inputs = with_inputs(model, {name: role for role, name in said.names.items()})
    numbers = _numbers(model)
    graph = GraphRun(model, inputs, numbers)
    own, dtype = next(iter(batch_norms(model.graph)), None), x_format(model, inputs[0].name)
    # attributes of a node are float32
    kept_in: Literal["float32", "float64"] = "float64" if own is None and dtype == "float64" else "float32"
    source = FunctionSource(
        name=f"{path.stem}.{label(own)}" if NODE in chosen and own is not None else path.stem,
        forward=Callee(graph, path.stem, _arguments(inputs, numbers)),
        base=replace(CONVENTION, eps_dtype=kept_in, momentum_dtype=kept_in),
        dtypes=(dtype,),
        title="; ".join(filter(None, (f"{path.name}, run by {graph.said}", note))),
        least=-inf if own is not None else GOOD,
        no_reading="" if own is not None else _NO_READING.format(path.name),
    )
    found: type[FunctionAdapter] = function_adapter(source, OnnxAdapter)
    return found


def _file_and_node(code: str) -> tuple[Path, str]:
    head, colon, node = code.partition(f"{SUFFIX}:")
    return (Path(head + SUFFIX), node) if colon else (Path(code), "")


def _chosen(said: Said, node: str) -> dict[str, str]:
    """What the user says is judged.

    Raises:
        TargetError: it is said twice or by halves, or is something else.
    """
    chosen = {name: str(value) for name, value in said.arguments.items()} | ({NODE: node} if node else {})
    if not set(chosen) <= {NODE, INPUT, OUTPUT}:
        (strange, *_) = sorted(set(chosen) - {NODE, INPUT, OUTPUT})
        raise TargetError(f"an ONNX file takes no argument {strange}; it takes {NODE}, or {INPUT} and {OUTPUT}")
    if set(chosen) not in ({NODE}, {INPUT, OUTPUT}, set()):
        raise TargetError(f"say either a node, or both ends: --argument {INPUT}=TENSOR --argument {OUTPUT}=TENSOR")
    return chosen


def _judged_part(model: Any, chosen: dict[str, str], place: str) -> tuple[Any, str]:
    """A model of what is judged, and what to say of that."""
    if INPUT in chosen:
        return between(model, chosen[INPUT], chosen[OUTPUT], place), f"from {chosen[INPUT]} to {chosen[OUTPUT]}"
    node, note = chosen_node(model.graph, chosen.get(NODE, ""), place)
    model = alone(model, node) if node is not None else model
    show_statistics(model.graph)
    return model, note


def _numbers(model: Any) -> dict[str, float]:
    """The attributes of the node that may have other values: eps, and momentum where it is used."""
    for node in batch_norms(model.graph):
        own = {one.name: one.f for one in node.attribute} | {one.name: one.i for one in node.attribute if one.type == 2}
        found = {"epsilon": _short(own.get("epsilon", 1e-5))}
        return found | ({"momentum": _short(own.get("momentum", 0.9))} if own.get("training_mode") else {})
    return {}


def _short(value: float) -> float:
    """A number of float32 with the fewest digits that say it."""
    return float(str(np.float32(value)))


def _arguments(inputs: tuple[GraphInput, ...], numbers: dict[str, float]) -> tuple[Argument, ...]:
    roles = {"epsilon": EPS, "momentum": MOMENTUM}
    given = [Argument(one.name, one.role, True) for one in inputs]
    return (*given, *(Argument(name, roles[name], False, value) for name, value in numbers.items()))


WRAPPER = Wrapper(
    expects="an ONNX file that holds batch normalisation",
    adapter=adapter,
    requires=("onnx",),
    install=INSTALL,
    names=True,
    suffixes=(SUFFIX,),
)
