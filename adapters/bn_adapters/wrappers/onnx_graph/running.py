"""A graph to call: by onnxruntime where that is installed and takes it, else by ONNX's own reference evaluator."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.onnx_graph.inputs import GraphInput
from bn_conformance.targets.naming import TargetError

REFERENCE, RUNTIME = "onnx.reference", "onnxruntime"

Run = Callable[[Mapping[str, Any]], Any]
"""Gives the results of a graph, in their order, for arrays by the names of its inputs."""

REPEATED = frozenset({"Loop", "Scan"})
"""Operators that a file can make run for ever."""


class GraphRun:
    """A graph, called with arrays by the names of its inputs, and with other values of a node's attributes.

    Args:
        model: of the graph.
        inputs: what it is given.
        numbers: attributes that may be given, with the values that they have in the file.

    Raises:
        TargetError: neither runtime takes the graph.
    """

    def __init__(self, model: Any, inputs: tuple[GraphInput, ...], numbers: Mapping[str, float]) -> None:
        self.model, self.inputs, self.numbers = model, {one.name: one for one in inputs}, dict(numbers)
        self.outputs = [entry.name for entry in model.graph.output]
        self.session = cache(self._session)
        repeated = [node.op_type for node in model.graph.node if node.op_type in REPEATED]
        if repeated:
            raise TargetError(
                f"what is judged holds a {repeated[0]}, which may run for ever; graphs without are judged"
            )
        self.runtime, self.why_not = self._runtime()

    def __call__(self, **given: Any) -> dict[str, Any]:
        numbers = tuple(float(given.pop(name, own)) for name, own in self.numbers.items())
        fed = {name: self._fed(self.inputs[name], value) for name, value in given.items()}
        return dict(zip(self.outputs, self.session(numbers)(fed), strict=True))

    def _fed(self, one: GraphInput, value: Any) -> Any:
        """An array in the shape that the graph has for it.

        Raises:
            TypeError: there is none: a graph has no default for an input.
        """
        if value is None:
            raise TypeError(f"the graph needs {one.own}")
        return np.asarray(value) if one.shape is None else np.asarray(value).reshape(one.shape)

    def _runtime(self) -> tuple[str, str]:
        own = tuple(self.numbers.values())
        if importlib.util.find_spec(RUNTIME) is None:
            self.make = by_reference
            why_not = f"{RUNTIME} is not installed"
        else:
            self.make = by_runtime
            try:
                self.session(own)
            except Exception as error:
                why_not = f"{RUNTIME} does not take it: {error_line(error)}"
                self.make = by_reference
            else:
                return RUNTIME, ""
        try:
            self.session(own)
        except Exception as error:
            raise TargetError(f"no runtime takes the graph: {why_not}; {REFERENCE}: {error_line(error)}") from None
        return REFERENCE, why_not

    make: Callable[[Any], Run]

    @property
    def said(self) -> str:
        """What runs the graph."""
        return f"{self.runtime} {version(self.runtime.partition('.')[0])}" + f" ({self.why_not})" * bool(self.why_not)

    def _session(self, numbers: tuple[float, ...]) -> Run:
        changed = type(self.model).FromString(self.model.SerializeToString())
        for name, value in zip(self.numbers, numbers, strict=True):
            if value != self.numbers[name]:
                _with_attribute(changed, name, value)
        return self.make(changed)


def _with_attribute(model: Any, name: str, value: float) -> None:
    import onnx.helper

    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            kept = [one for one in node.attribute if one.name != name]
            made = onnx.helper.make_attribute(name, value)
            node.ClearField("attribute")
            node.attribute.extend([*kept, made])


def by_runtime(model: Any, optimised: bool = True, threads: int = 1) -> Run:
    """A session of onnxruntime on the CPU; it says nothing on its own.

    Args:
        model: of the graph.
        optimised: whether onnxruntime may change the graph, as it does by default.
        threads: in which it computes.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda fed: session.run(None, dict(fed))


def by_reference(model: Any) -> Run:
    """ONNX's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    return lambda fed: evaluator.run(None, dict(fed))
