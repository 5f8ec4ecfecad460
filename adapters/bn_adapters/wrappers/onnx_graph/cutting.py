"""What of a graph is judged: all of it, one of its nodes, or what lies between two tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bn_adapters.wrappers.onnx_graph.files import graphs_of
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line, printable

BATCH_NORM = "BatchNormalization"

MOVES = frozenset(
    {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast", "CastLike", "Constant", "Shape"}
    | {"Gather", "Concat", "Slice"}
)
"""Operators that compute nothing: a graph of these and one batch normalisation is judged as a whole."""

SHOWN = 4
"""Names that a message lists."""


def label(node: Any) -> str:
    """What a node is called: its name, else that of its first result."""
    return printable(one_line(node.name or next(iter(node.output), "") or node.op_type, 80))


def batch_norms(graph: Any) -> list[Any]:
    """The nodes of batch normalisation, in the graph and in the graphs inside it."""
    return [node for one in graphs_of(graph) for node in one.node if is_batch_norm(node)]


def is_batch_norm(node: Any) -> bool:
    """Whether a node is ONNX's own batch normalisation."""
    return bool(node.op_type == BATCH_NORM and node.domain in ("", "ai.onnx"))


def chosen_node(graph: Any, wanted: str, place: str) -> tuple[Any | None, str]:
    """The node that is judged by itself, and what to say of that; no node where the whole graph is judged.

    Args:
        graph: of the file.
        wanted: the name of a node that the user said; empty for none.
        place: the file, for messages.

    Raises:
        TargetError: there is no such node, or several differ and none was said.
    """
    found = batch_norms(graph)
    if wanted:
        node = next((node for node in found if wanted in (label(node), node.name, *node.output)), None)
        if node is None:
            raise TargetError(f"{place} has no {BATCH_NORM} node {wanted}; {_listed(found)}")
        return node, f"the node {label(node)} is judged by itself"
    whole = len(found) == 1 and all(is_batch_norm(node) or node.op_type in MOVES for node in graph.node)
    if not found or whole:
        return None, ""
    first, count = found[0], sum(len(one.node) for one in graphs_of(graph))
    if len(found) == 1:
        others = [node.op_type for node in graph.node if set(node.input) & set(first.output)]
        after = f"; what follows it ({', '.join(sorted(set(others)))}) is not judged" if others else ""
        return first, f"of {count} nodes the node {label(first)} is judged by itself{after}"
    if len({_settings(node) for node in found}) == 1:
        return first, f"{len(found)} {BATCH_NORM} nodes have the same attributes; {label(first)} is judged for all"
    raise TargetError(
        f"{place} has {len(found)} {BATCH_NORM} nodes of different attributes; say which is judged: "
        f"--argument node={label(first)} ({_listed(found)})"
    )


def _settings(node: Any) -> tuple[Any, ...]:
    attributes = sorted((one.name, one.SerializeToString()) for one in node.attribute)
    return (*attributes, len([name for name in node.output if name]))


def _listed(nodes: list[Any]) -> str:
    names = ", ".join(label(node) for node in nodes[:SHOWN])
    return f"it has {names or 'none'}" + f" and {len(nodes) - SHOWN} more" * (len(nodes) > SHOWN)


def alone(model: Any, node: Any) -> Any:
    """A model of one node, of the versions of the file; its x, parameters and statistics are inputs."""
    from onnx import ModelProto

    found = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = found.graph
    graph.name = label(node) or BATCH_NORM
    graph.node.append(node)
    scale = next((one.data_type for one in model.graph.initializer if one.name in list(node.input)[1:3]), 0)
    known = {one.name: one.type.tensor_type.elem_type for one in (*model.graph.input, *model.graph.value_info)}
    element = known.get(node.input[0], 0) or scale or 1
    for names, entries in ((node.input, graph.input), (node.output, graph.output)):
        for name in dict.fromkeys(filter(None, names)):
            entries.add(name=name).type.tensor_type.elem_type = element
    return found


def show_statistics(graph: Any) -> None:
    """Make results of a graph of the running statistics that its node gives in training."""
    shown = {entry.name for entry in graph.output}
    element = graph.input[0].type.tensor_type.elem_type if graph.input else 1
    for node in filter(is_batch_norm, graph.node):
        for name in node.output[1:3]:
            if name and name not in shown:
                graph.output.add(name=name).type.tensor_type.elem_type = element


def between(model: Any, start: str, end: str, place: str) -> Any:
    """A model of what computes one tensor from another.

    Raises:
        TargetError: there are no such tensors, or the one does not follow from the other.
    """
    from onnx import ModelProto

    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output if name}
    if end not in makers:
        raise TargetError(f"{place} computes no tensor {end}; it computes {_few(makers)}")
    needed, waiting, used = [], [end], set()
    while waiting:
        name = waiting.pop()
        if name in used or name == start:
            used.add(name)
            continue
        used.add(name)
        if name in makers and makers[name] not in needed:
            needed.append(makers[name])
            waiting += filter(None, makers[name].input)
    if start not in used:
        raise TargetError(f"{end} does not follow from a tensor {start} in {place}")
    found = ModelProto()
    found.CopyFrom(model)
    found.graph.ClearField("node")
    found.graph.node.extend(node for node in graph.node if node in needed)
    for entries, name in ((found.graph.input, start), (found.graph.output, end)):
        kept = [entry for entry in entries if entry.name in used and entry.name != name]
        known = [one for one in (*graph.input, *graph.output, *graph.value_info) if one.name == name]
        del entries[:]
        entries.extend([*kept, *known[:1]] if entries is found.graph.input else known[:1])
        if not known:
            entries.add(name=name).type.tensor_type.elem_type = 1
    return found


def _few(names: Iterable[str]) -> str:
    listed = [printable(one_line(name, 40)) for name in names]
    return ", ".join(listed[:SHOWN]) + f" and {len(listed) - SHOWN} more" * (len(listed) > SHOWN)
