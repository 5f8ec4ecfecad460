"""ONNX files: nodes and graphs of batch normalisation, in inference and in training; what is refused costs one line."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.command_line import bnconform
from tests.support.wrapped_code import assert_right, judged, said_of

from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import wrapper_named

pytestmark = pytest.mark.framework

CHANNELS = 6
ONES, ZEROS = np.ones(CHANNELS, np.float32), np.zeros(CHANNELS, np.float32)
VECTORS = {"s": ONES, "o": ZEROS, "m": ZEROS, "v": ONES}
TALL = {"w": ONES, "off": ZEROS, "avg": ZEROS, "spread": ONES}
Node = tuple[str, Sequence[str], str, Mapping[str, Any]]
DECOMPOSED: tuple[Node, ...] = (
    ("Sub", ["x", "avg"], "centred", {}),
    ("Add", ["spread", "small"], "sum", {}),
    ("Sqrt", ["sum"], "root", {}),
    ("Div", ["centred", "root"], "hat", {}),
    ("Mul", ["hat", "w"], "scaled", {}),
    ("Add", ["scaled", "off"], "y", {}),
)
FROM_THE_BATCH: tuple[Node, ...] = (
    ("ReduceMean", ["x"], "avg", {"axes": [0, 2, 3]}),
    ("Sub", ["x", "avg"], "apart", {}),
    ("Mul", ["apart", "apart"], "squared", {}),
    ("ReduceMean", ["squared"], "spread", {"axes": [0, 2, 3]}),
)


def bn(x: str, y: str, name: str = "norm", **attributes: Any) -> Node:
    return "BatchNormalization", [x, *VECTORS], y, {"name": name, **attributes}


def model_of(nodes: Sequence[Node], constants: Mapping[str, Any], element: int = 1) -> Any:
    from onnx import helper, numpy_helper

    made = [helper.make_node(kind, given, result.split(), **more) for kind, given, result, more in nodes]
    x, y = (helper.make_tensor_value_info(name, element, ["n", CHANNELS, 4, 5]) for name in "xy")
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(made, "layer", [x], [y], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def file_of(folder: Path, nodes: Sequence[Node], constants: Mapping[str, Any] = VECTORS, element: int = 1) -> str:
    path = folder / "layer.onnx"
    path.write_bytes(model_of(nodes, constants, element).SerializeToString())
    return str(path)


def tall(element: type = np.float32) -> dict[str, Any]:
    """The vectors of a decomposed graph, in the shape that broadcasts to x, and its eps."""
    vectors: dict[str, Any] = {name: vector.astype(element).reshape(1, -1, 1, 1) for name, vector in TALL.items()}
    return {**vectors, "small": np.asarray(1e-3, element)}


def test_a_node_in_inference_is_judged_at_every_rank(tmp_path: Path) -> None:
    adapter = load_adapter(file_of(tmp_path, [bn("x", "y", epsilon=1e-3)]))
    can = adapter.capabilities
    assert (set(can.modes), set(can.ranks), set(can.dtypes)) == ({"inference"}, {2, 3, 4, 5}, {"float32"})
    assert (set(can.literals), set(can.gradients)) == ({"momentum"}, set())
    assert adapter.convention.default_eps == 1e-3
    assert "gamma: s\nbeta: o\n" in said_of(adapter)
    assert_right(adapter, "eval/*/float32/*")


def test_a_node_in_training_shows_its_statistics(tmp_path: Path) -> None:
    adapter = load_adapter(file_of(tmp_path, [bn("x", "y mean var", training_mode=1, momentum=0.75)]))
    assert (set(adapter.capabilities.modes), set(adapter.capabilities.literals)) == ({"training"}, set())
    convention = adapter.convention
    assert (convention.momentum_weighs, convention.default_momentum) == ("old", 0.75)
    assert convention.running_variance == "biased"
    assert "running variance: v; after a step result['var']" in said_of(adapter)
    assert_right(adapter, "fwd/*/float32/random", "stat/*/float32/*-step*")


def test_one_constant_in_two_roles_becomes_two_inputs(tmp_path: Path) -> None:
    node: Node = ("BatchNormalization", ["x", "one", "zero", "zero", "one"], "y", {})
    adapter = load_adapter(file_of(tmp_path, [node], {"one": ONES, "zero": ZEROS}))
    assert "running variance: one as running_var" in said_of(adapter)
    assert_right(adapter, "eval/*/float32/random")


def test_channels_go_last_where_the_graph_moves_them(tmp_path: Path) -> None:
    there, back = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    nodes = [("Transpose", ["x"], "t", there), bn("t", "u"), ("Transpose", ["u"], "y", back)]
    adapter = load_adapter(file_of(tmp_path, nodes))
    assert (set(adapter.capabilities.ranks), set(adapter.capabilities.layouts)) == ({4}, {"last"})
    assert_right(adapter, "eval/*/float32/*")


@pytest.mark.parametrize("element", [np.float32, np.float64])
def test_a_graph_that_computes_it_is_read_by_what_it_does(tmp_path: Path, element: type) -> None:
    adapter = load_adapter(file_of(tmp_path, DECOMPOSED, tall(element), 1 if element is np.float32 else 11))
    assert set(adapter.capabilities.dtypes) == {np.dtype(element).name}
    assert set(adapter.capabilities.literals) == {"eps", "momentum"}
    assert adapter.convention.default_eps == 1e-3
    assert "running mean: avg; never moves\nrunning variance: spread; never moves" in said_of(adapter)
    assert_right(adapter, "eval/nchw/*/*")


def test_a_graph_in_training_has_no_statistics(tmp_path: Path) -> None:
    constants = {name: value for name, value in tall().items() if name not in ("avg", "spread")}
    adapter = load_adapter(file_of(tmp_path, [*FROM_THE_BATCH, *DECOMPOSED], constants))
    assert (set(adapter.capabilities.modes), adapter.capabilities.statistics) == ({"training"}, False)
    assert_right(adapter, "fwd/nchw/float32/*")


def test_a_mistake_in_a_graph_is_judged(tmp_path: Path) -> None:
    outside: list[Node] = [("Sqrt", ["spread"], "r", {}), ("Add", ["r", "small"], "root", {})]
    nodes = [node for node in DECOMPOSED if node[2] not in ("sum", "root")]
    adapter = load_adapter(file_of(tmp_path, [*outside, *nodes], tall()))
    assert "fail" in {item.verdict for item in judged(adapter, "eval/nchw/float32/*")}


def test_a_constant_shape_with_the_number_of_channels_takes_any(tmp_path: Path) -> None:
    shaped: list[Node] = [("Reshape", [f"{name}1", "shape"], name, {}) for name in TALL]
    constants = {f"{name}1": vector for name, vector in TALL.items()}
    more = {"shape": np.asarray([1, CHANNELS, 1, 1]), "small": np.asarray(1e-3, np.float32)}
    assert_right(load_adapter(file_of(tmp_path, [*shaped, *DECOMPOSED], {**constants, **more})), "eval/nchw/float32/*")


def test_a_node_is_taken_out_of_a_network(tmp_path: Path) -> None:
    adapter = load_adapter(file_of(tmp_path, [("Neg", ["x"], "a", {}), bn("a", "b"), ("Relu", ["b"], "y", {})]))
    assert "of 3 nodes the node norm is judged by itself; what follows it (Relu) is not judged" in said_of(adapter)
    assert_right(adapter, "eval/*/float32/random")


def test_of_equal_nodes_one_is_judged_and_of_others_one_is_named(tmp_path: Path) -> None:
    equal = load_adapter(file_of(tmp_path, [bn("x", "a", "first"), bn("a", "y", "second")]))
    assert "2 BatchNormalization nodes have the same attributes; first is judged for all" in said_of(equal)
    target = file_of(tmp_path, [bn("x", "a", "first"), bn("a", "y", "second", epsilon=0.5)])
    with pytest.raises(TargetError, match=r"2 BatchNormalization nodes of different attributes.*argument node=first"):
        load_adapter(target)
    assert load_adapter(f"{target}:second").name == "layer.second"
    assert load_adapter(f"{target}+argument.node=second").convention.default_eps == 0.5
    with pytest.raises(TargetError, match="has no BatchNormalization node third; it has first, second"):
        load_adapter(f"{target}:third")


def test_a_part_of_a_graph_is_judged_between_two_tensors(tmp_path: Path) -> None:
    after = [("Exp", ["x"], "e", {}), ("Sub", ["e", "avg"], "centred", {}), *DECOMPOSED[1:]]
    target = file_of(tmp_path, after, tall())
    with pytest.raises(TargetError, match=r"as a whole it computes no batch normalisation.*--argument input=TENSOR"):
        load_adapter(target)
    part = load_adapter(f"{target}+argument.input=e+argument.output=y")
    assert "from e to y" in said_of(part)
    assert_right(part, "eval/nchw/float32/random", least=1)
    with pytest.raises(TargetError, match="both ends"):
        load_adapter(f"{target}+argument.input=e")
    with pytest.raises(TargetError, match="computes no tensor nowhere; it computes e, centred, sum, root and 3 more"):
        load_adapter(f"{target}+argument.input=e+argument.output=nowhere")
    with pytest.raises(TargetError, match="sum does not follow from a tensor e"):
        load_adapter(f"{target}+argument.input=e+argument.output=sum")
    with pytest.raises(TargetError, match="takes no argument axis; it takes node, or input and output"):
        load_adapter(f"{target}+argument.axis=1")


def test_the_user_names_a_role(tmp_path: Path) -> None:
    adapter = load_adapter(file_of(tmp_path, DECOMPOSED, tall()) + "+name.weight=w+name.bias=off")
    assert "gamma: w\nbeta: off\n" in said_of(adapter)


def test_the_reference_evaluator_runs_where_the_runtime_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    adapter = load_adapter(file_of(tmp_path, [bn("x", "y mean var", training_mode=1)]))
    assert "run by onnx.reference" in said_of(adapter)
    assert "onnxruntime is not installed" in said_of(adapter)
    assert_right(adapter, "fwd/nc/float32/random", "stat/nc/float32/first-step", least=2)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else found(name))
    with pytest.raises(TargetError, match=r"^onnx-file needs onnx, which is not installed; run: pip install"):
        wrapper_named("onnx-file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no graph"),
        (b"\x00\xff not a model \x08" * 40, "cannot be parsed"),
        (b"GIF89a", "cannot be parsed"),
    ],
)
def test_what_is_no_model_is_refused_in_a_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(TargetError, match=message) as caught:
        load_adapter(str(path))
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused_or_read_in_a_line(tmp_path: Path) -> None:
    whole = Path(file_of(tmp_path, [bn("x", "y")])).read_bytes()
    path = tmp_path / "short.onnx"
    for size in range(0, len(whole) - 1, 41):
        path.write_bytes(whole[:size])
        with pytest.raises(TargetError) as caught:
            load_adapter(str(path))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "link", "inside/../../secret", "", "."])
def test_constants_outside_of_the_folder_are_not_read(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(4 * CHANNELS))
    (folder / "link").symlink_to(tmp_path / "secret")
    target = _with_external(folder, place, 4 * CHANNELS)
    with pytest.raises(TargetError, match="not in the model's own folder; nothing outside of it is read"):
        load_adapter(target)


def test_constants_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(np.asarray([9.0, 1e-3], np.float32).tobytes())
    adapter = load_adapter(_with_external(tmp_path, "data", 4, offset=4))
    assert adapter.convention.default_eps == 1e-3
    with pytest.raises(TargetError, match="reaches beyond data; the file is cut short"):
        load_adapter(_with_external(tmp_path, "data", 4, offset=6))
    with pytest.raises(TargetError, match="does not exist beside the model"):
        load_adapter(_with_external(tmp_path, "gone", 4))


def _with_external(folder: Path, place: str, length: int, offset: int = 0) -> str:
    """A file whose eps is in another one."""
    model = model_of(DECOMPOSED, tall())
    (eps,) = (one for one in model.graph.initializer if one.name == "small")
    eps.ClearField("raw_data")
    eps.data_location = eps.EXTERNAL
    for key, value in {"location": place, "offset": offset, "length": length}.items():
        eps.external_data.add(key=key, value=str(value))
    path = folder / "layer.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_a_graph_that_may_run_for_ever_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    body = helper.make_graph([], "body", [], [])
    nodes = [("Loop", ["", ""], "z", {"body": body}), *DECOMPOSED]
    with pytest.raises(TargetError, match="holds a Loop, which may run for ever"):
        load_adapter(file_of(tmp_path, nodes, tall()))


@pytest.mark.slow
def test_the_command_judges_a_file(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "check", file_of(tmp_path, [bn("x", "y")]), "-n", "0")
    assert done.returncode == 0, done.stderr
    assert "run by onnxruntime" in done.stdout
    assert "layer conforms" in done.stdout
