"""ONNX's BatchNormalization as a graph of one node, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.onnx_models import KINDS, MOVED, TRAINING_IS_AN_ATTRIBUTE, VECTORS, Form
from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import LayerConfig


class OnnxCode(LayerCode):
    """The vectors that a caller keeps in a dictionary, and a function that makes a model of them and runs it.

    Args:
        config: of the layer.
        form: of the graph.
        runtime: whether onnxruntime runs it; else the reference evaluator does.
        optimised: whether onnxruntime may change the graph.
    """

    array = "np.asarray(value, np.float64)"

    def __init__(self, config: LayerConfig, form: Form, runtime: bool = False, optimised: bool = True) -> None:
        super().__init__(config)
        self.form, self.runtime, self.optimised = form, runtime, optimised
        self.opset = str(form.opset)
        runner = "import onnxruntime" if runtime else "from onnx.reference import ReferenceEvaluator"
        formats = ("import ml_dtypes",) if "bfloat16" in (config.dtype, config.parameter_dtype) else ()
        self.imports = (*formats, "from onnx import TensorProto, helper, numpy_helper", runner)

    def build(self) -> Lines:
        channels, dtype = self.config.num_channels, _numpy(self.config.parameter_dtype)
        for name, make in zip(VECTORS, ("ones", "zeros", "zeros", "ones"), strict=True):
            yield f"{_NAMES[name]} = np.{make}({channels}, {dtype})"
        yield ""
        yield ""
        yield "def run(x, training):"
        yield from (f"    {line}" for line in (*self._model(), *self._run()))
        yield ""
        yield ""

    def _model(self) -> Lines:
        """Make `model` of the vectors."""
        form, given = self.form, [f"{name}={value!r}" for name, value in self._attributes().items()]
        x_kind, kind = (_kind(name) for name in (self.config.dtype, self.config.parameter_dtype))
        pairs = ", ".join(f'"{name}": {_NAMES[name]}' for name in VECTORS)
        yield f"vectors = {{{pairs}}}"
        yield f'outputs = ["y", {_quoted(MOVED)}] if training else ["y"]'
        if form.opset >= TRAINING_IS_AN_ATTRIBUTE:
            given.append("training_mode=int(training)")
            results = "outputs"
        else:
            yield 'saved = ["saved_mean", "saved_var"] if training else []  # a node of five results trains'
            results = "outputs + saved"
        x = "same" if form.convolution else "x"
        yield "nodes = ["
        if form.convolution:
            yield f'    helper.make_node("Conv", ["x", "ones"], ["same"], group={self.config.num_channels}),'
        yield f'    helper.make_node("BatchNormalization", ["{x}", *vectors], {results}, {", ".join(given)}),'
        yield "]"
        yield f"shape = [None] * {self.config.rank}"
        yield f'inputs = [helper.make_tensor_value_info("x", {x_kind}, shape)]'
        if form.inputs:
            yield f"inputs += [helper.make_tensor_value_info(name, {kind}, [None]) for name in vectors]"
            yield "constants = []"
        else:
            yield "constants = [numpy_helper.from_array(vector, name) for name, vector in vectors.items()]"
        if form.convolution:
            shape = (self.config.num_channels, *[1] * (self.config.rank - 1))
            yield f'constants.append(numpy_helper.from_array(np.ones({shape}, x.dtype), "ones"))'
        yield f'results = [helper.make_tensor_value_info("y", {x_kind}, shape)]'
        if not form.y_alone:
            yield f"results += [helper.make_tensor_value_info(name, {kind}, [None]) for name in outputs[1:]]"
        yield 'graph = helper.make_graph(nodes, "batch_norm", inputs, results, constants)'
        yield f'opsets = [helper.make_opsetid("", {self.opset})]'
        yield "model = helper.make_model("
        yield "    graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets)"
        yield ")"

    def _run(self) -> Lines:
        fed = '{"x": x, **vectors}' if self.form.inputs else '{"x": x}'
        if not self.runtime:
            yield f"return ReferenceEvaluator(model).run(None, {fed})"
            return
        yield "options = onnxruntime.SessionOptions()"
        yield "options.intra_op_num_threads = 1"
        if not self.optimised:
            yield "options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL"
        yield "session = onnxruntime.InferenceSession("
        yield '    model.SerializeToString(), options, providers=["CPUExecutionProvider"]'
        yield ")"
        yield f"return session.run(None, {fed})"

    def _attributes(self) -> dict[str, float]:
        given = {"epsilon": self.config.eps, "momentum": self.config.keep}
        return {name: value for name, value in given.items() if value is not None}

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f"{_PARAMETERS[name]} = {name}.astype({_numpy(self.config.parameter_dtype)})"

    def set_statistics(self) -> Lines:
        dtype = _numpy(self.config.parameter_dtype)
        yield f"held_mean, held_var = running_mean.astype({dtype}), running_var.astype({dtype})"

    def step(self, call: StepCall) -> Lines:
        moves = call.training and not self.form.y_alone
        left = "y_out, held_mean, held_var" if moves else "(y_out,)"
        yield f"{left} = run(x.astype({_numpy(self.config.dtype)}), training={call.training})"

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = held_mean, held_var"


class NewestCode(OnnxCode):
    """At the newest opset that the installed onnx knows."""

    def __init__(self, config: LayerConfig, form: Form, runtime: bool) -> None:
        super().__init__(config, form, runtime)
        self.imports = (*self.imports, "from onnx.defs import onnx_opset_version")
        self.opset = "onnx_opset_version()"


_NAMES = {"scale": "scale", "B": "shift", "input_mean": "held_mean", "input_var": "held_var"}
_PARAMETERS = {"gamma": "scale", "beta": "shift"}


def _numpy(name: str) -> str:
    return "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"


def _kind(name: str) -> str:
    """The name that ONNX gives a format."""
    words = {1: "FLOAT", 11: "DOUBLE", 10: "FLOAT16", 16: "BFLOAT16"}
    return f"TensorProto.{words[KINDS[name]]}"


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
