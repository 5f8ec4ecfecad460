"""An ONNX file read without trust: its constants come from the file and from its own folder, and from nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bn_adapters.wrappers.code import error_line
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line, printable

LARGEST = 2**31 - 1
"""Bytes of a file: protocol buffers have no more."""

LARGEST_CONSTANTS = 2**28
"""Bytes of constants that are read from other files for what is judged."""


def read_model(path: Path) -> Any:
    """The model of a file, with its functions inlined. Constants in other files are checked, and not read yet.

    Raises:
        TargetError: it cannot be read, is no model, or names a constant outside of its folder.
    """
    import onnx
    import onnx.inliner

    if not path.is_file():
        raise TargetError(f"{path} does not exist; name an ONNX file")
    if path.stat().st_size > LARGEST:
        raise TargetError(f"{path} is larger than 2 GiB, which no ONNX file is; keep its constants beside it")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception:
        raise TargetError(f"{path} is no ONNX model, or is cut short: it cannot be parsed") from None
    if not model.graph.node or not model.opset_import:
        raise TargetError(f"{path} holds no graph of ONNX, or is cut short; save it with onnx.save")
    for tensor in tensors_of(model.graph):
        if is_outside(tensor):
            file_of(tensor, path.parent)
    if not model.functions:
        return model
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:
        raise TargetError(f"the functions of {path} cannot be inlined: {error_line(error)}") from None


def graphs_of(graph: Any) -> Iterator[Any]:
    """A graph and every graph in its nodes."""
    waiting = [graph]
    while waiting:
        one = waiting.pop()
        yield one
        for attribute in (attribute for node in one.node for attribute in node.attribute):
            waiting += [attribute.g] if attribute.HasField("g") else []
            waiting += attribute.graphs


def tensors_of(graph: Any) -> Iterator[Any]:
    """Every constant of a graph and of the graphs in its nodes."""
    for one in graphs_of(graph):
        yield from one.initializer
        for sparse in one.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for attribute in (attribute for node in one.node for attribute in node.attribute):
            yield from [attribute.t] if attribute.HasField("t") else []
            yield from attribute.tensors


def is_outside(tensor: Any) -> bool:
    """Whether the numbers of a constant are in another file."""
    return bool(tensor.data_location == tensor.EXTERNAL)


def file_of(tensor: Any, folder: Path) -> tuple[Path, int, int]:
    """The file that holds a constant, the offset in it and the number of bytes.

    Raises:
        TargetError: it is not in the folder, or not as long as it would have to be.
    """
    import onnx.helper

    said = {entry.key: entry.value for entry in tensor.external_data}
    place, name = said.get("location", ""), printable(one_line(tensor.name, 60))
    inside = folder.resolve()
    path = (inside / place).resolve() if place and "\0" not in place else inside
    if not path.is_relative_to(inside) or path == inside:
        raise TargetError(
            f"the constant {name} is at {printable(one_line(place, 80))!r}, which is not in the model's own folder; "
            f"nothing outside of it is read"
        )
    if not path.is_file():
        raise TargetError(f"the constant {name} is in {printable(place)}, which does not exist beside the model")
    try:
        size = math.prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        offset, length = int(said.get("offset", 0)), int(said.get("length", size))
    except (KeyError, ValueError, TypeError):
        raise TargetError(f"the constant {name} says no place in {printable(place)} that can be read") from None
    if offset < 0 or min(tensor.dims, default=0) < 0 or length != size or offset + length > path.stat().st_size:
        raise TargetError(f"the constant {name} reaches beyond {printable(place)}; the file is cut short")
    return path, offset, length


def bring_in(graph: Any, folder: Path) -> None:
    """Read the constants of a graph that are in other files into it.

    Raises:
        TargetError: they are somewhere else, or too large.
    """
    outside = [tensor for tensor in tensors_of(graph) if is_outside(tensor)]
    places = [file_of(tensor, folder) for tensor in outside]
    if sum(length for _, _, length in places) > LARGEST_CONSTANTS:
        raise TargetError("what is judged has more than 256 MiB of constants; batch normalisation has a few vectors")
    for tensor, (path, offset, length) in zip(outside, places, strict=True):
        with path.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]
