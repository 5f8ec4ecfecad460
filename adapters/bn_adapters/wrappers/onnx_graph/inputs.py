"""The inputs of a graph: its x, and the vectors of its channels, which are given from outside whatever they were."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.wrappers.onnx_graph.cutting import MOVES, is_batch_norm
from bn_adapters.wrappers.reading.roles import (
    BETA,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    MEAN,
    MODE,
    MOMENTUM,
    VARIANCE,
    X,
    role_named,
)
from bn_conformance.targets.naming import TargetError

FORMATS = {1: "float32", 11: "float64", 10: "float16"}
"""Formats by the numbers that ONNX gives them."""

ORDER = (X, GAMMA, BETA, MEAN, VARIANCE)
"""The inputs of a BatchNormalization node."""


@dataclass(frozen=True)
class GraphInput:
    """An input of a graph that is judged.

    Attributes:
        name: of the tensor that is fed.
        own: what the file calls it.
        role: what it is; empty where neither a node nor its name tells.
        shape: in which a vector goes in, with -1 for the channels; None for x and for numbers.
    """

    name: str
    own: str
    role: str
    shape: tuple[int, ...] | None = None


def with_inputs(model: Any, said: dict[str, str]) -> tuple[GraphInput, ...]:
    """Make inputs of a graph's vectors, let its x be of any shape, and say what each input is.

    Args:
        model: is changed.
        said: roles by the names that the user gave them.

    Raises:
        TargetError: it has no x.
    """
    graph = model.graph
    _constants_of_nodes(graph)
    constants = {one.name for one in graph.initializer}
    fed = [entry for entry in graph.input if entry.name not in constants]
    roles = _roles_by_node(graph)
    x = _x_of(fed, roles, said)
    element = x.type.tensor_type.elem_type
    given = [_as_input(entry, roles, said) for entry in fed if entry is not x]
    vectors, channels = _vectors_of(graph, element)
    for one in vectors:
        given += _as_inputs(graph, one, roles, said, _pattern(one.dims, channels))
    _let_channels_vary(graph, channels)
    _replace(graph.initializer, [one for one in graph.initializer if one.name not in {held.name for held in vectors}])
    _replace(graph.input, fed)
    own = {entry.name for entry in fed}
    for entry in given:
        if entry.name not in own:
            graph.input.add(name=entry.name).type.tensor_type.elem_type = element
    del graph.value_info[:]
    for entry in (*graph.input, *graph.output):
        entry.type.tensor_type.ClearField("shape")
    return (GraphInput(x.name, x.name, X), *given)


def _replace(entries: Any, kept: list[Any]) -> None:
    """Keep some entries of a repeated field."""
    kept = [type(one).FromString(one.SerializeToString()) for one in kept]
    del entries[:]
    entries.extend(kept)


def _as_input(entry: Any, roles: dict[str, str], said: dict[str, str]) -> GraphInput:
    """An input of the file, beside x: a number or a vector."""
    dimensions = [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim]
    is_number = entry.type.tensor_type.HasField("shape") and not dimensions
    shape = None if is_number else _pattern(dimensions, max(dimensions, default=0))
    return GraphInput(entry.name, entry.name, _role(entry.name, roles, said, is_number), shape)


def _vectors_of(graph: Any, element: int) -> tuple[list[Any], int]:
    """The constants of one number a channel, and the number of channels: that which most vectors have."""
    found = [one for one in graph.initializer if one.data_type == element and _is_vector(one.dims)]
    counted = Counter(math.prod(one.dims) for one in found if math.prod(one.dims) > 1).most_common(1)
    channels = counted[0][0] if counted else 1 if found else 0
    return [one for one in found if math.prod(one.dims) == channels], channels


def _let_channels_vary(graph: Any, channels: int) -> None:
    """Where a vector is given a shape by a constant, such as (1, 64, 1, 1), let that be of any number of channels."""
    from onnx import numpy_helper

    taken = {node.input[1] for node in graph.node if node.op_type == "Reshape" and len(node.input) > 1}
    for one in graph.initializer:
        if one.name in taken and one.data_type == one.INT64 and len(one.dims) == 1 and one.dims[0] < 8:
            shape = numpy_helper.to_array(one)
            if channels > 1 and sorted(shape)[-1:] == [channels] and int(shape.prod()) == channels:
                changed = numpy_helper.from_array(np.where(shape == channels, -1, shape), one.name)
                one.CopyFrom(changed)


def x_format(model: Any, x: str) -> str:
    """The format of x.

    Raises:
        TargetError: it is none that is judged, or the vectors have another.
    """
    elements = {entry.name: entry.type.tensor_type.elem_type for entry in model.graph.input}
    wanted = elements[x]
    if wanted not in FORMATS:
        raise TargetError(f"the input {x} is neither float16, float32 nor float64; others are not judged")
    other = [name for name, element in elements.items() if element in FORMATS and element != wanted]
    if other:
        raise TargetError(
            f"{x} is {FORMATS[wanted]} and {other[0]} is {FORMATS[elements[other[0]]]}; graphs of two formats are not "
            f"judged"
        )
    return FORMATS[wanted]


def _constants_of_nodes(graph: Any) -> None:
    """Make initializers of the tensors of Constant nodes."""
    rest = []
    for node in graph.node:
        values = [attribute.t for attribute in node.attribute if attribute.name == "value"]
        if node.op_type == "Constant" and values:
            graph.initializer.add().CopyFrom(values[0])
            graph.initializer[-1].name = node.output[0]
        else:
            rest.append(node)
    _replace(graph.node, rest)


def _roles_by_node(graph: Any) -> dict[str, str]:
    """The roles of tensors that reach a BatchNormalization node, through nothing that computes."""
    makers = {name: node for node in graph.node for name in node.output}
    found: dict[str, str] = {}
    for node in filter(is_batch_norm, graph.node):
        for role, name in zip(ORDER, node.input, strict=False):
            seen = set()
            while name in makers and makers[name].op_type in MOVES and name not in seen:
                seen.add(name)
                name = next(iter(makers[name].input), "")
            found.setdefault(name, role)
    return found


def _x_of(fed: list[Any], roles: dict[str, str], said: dict[str, str]) -> Any:
    """The input that is x: by the node that takes it, by its name, by its shape, else the first.

    Raises:
        TargetError: there is no input.
    """
    if not fed:
        raise TargetError("the graph has no input, so that there is no x; say where it begins: --argument input=TENSOR")
    known = [entry for entry in fed if (said.get(entry.name) or roles.get(entry.name)) == X]
    tall = [entry for entry in fed if not _is_vector([d.dim_value for d in entry.type.tensor_type.shape.dim])]
    named = [entry for entry in tall if role_named(entry.name, {X: FORWARD_NAMES[X]})]
    return (known or named or tall or fed)[0]


def _is_vector(dims: Any) -> bool:
    """Whether a shape is that of one number for each channel."""
    return len(dims) > 0 and math.prod(dims) == max(dims) and max(dims) > 0


def _pattern(dims: Any, channels: int) -> tuple[int, ...]:
    """A shape with -1 for the channels."""
    place = next((index for index, size in enumerate(dims) if size == channels), 0)
    return tuple(-1 if index == place else 1 for index in range(len(dims))) or (-1,)


def _role(name: str, roles: dict[str, str], said: dict[str, str], is_number: bool) -> str:
    last = name.replace("/", ".").replace(":", ".").rpartition(".")[2]
    kinds = (EPS, MOMENTUM, MODE) if is_number else ORDER[1:]
    return said.get(name) or roles.get(name) or role_named(last, {key: FORWARD_NAMES[key] for key in kinds})


def _as_inputs(
    graph: Any, constant: Any, roles: dict[str, str], said: dict[str, str], shape: tuple[int, ...]
) -> list[GraphInput]:
    """The inputs that stand for a constant: one for each place of a node that takes it, where it has several."""
    places = [
        (node, index)
        for node in filter(is_batch_norm, graph.node)
        for index, name in enumerate(node.input)
        if name == constant.name and index
    ]
    if len(places) < 2:
        return [GraphInput(constant.name, constant.name, _role(constant.name, roles, said, False), shape)]
    found = []
    for node, index in places:
        node.input[index] = f"{constant.name} as {ORDER[index]}"
        found.append(GraphInput(node.input[index], constant.name, ORDER[index], shape))
    return found
