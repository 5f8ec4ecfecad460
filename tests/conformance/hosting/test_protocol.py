"""The wire, the views, and that a process of its own changes no verdict and no number."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.judge_layers import goldens

from bn_conformance.adapter import Array, Convention, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.views import VIEWS, realise
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import BackwardCall, BuildCall, ForwardCall, RunningStatisticsCall
from bn_conformance.hosting.process import Process
from bn_conformance.hosting.server import Server
from bn_conformance.hosting.wire import NotAnArray, WireError, decode_line, encode_line, is_numeric
from bn_conformance.implementations.registry import registered
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item
from bn_conformance.targets.loading import load_adapter
from bn_reference.specification.clauses import clauses
from bnconform.process_state import restored

ROOT = Path(__file__).parents[3]
SLOW = ("pure/nchw-8x", "pure/nhwc-8x", "state/nc/float32/drift")
"""Cases that take long and cross the wire as others do."""

DTYPES = [np.dtype(name) for name in ("float16", "float32", "float64", "int32", "uint8", "bool")]
DTYPES.append(np.dtype(ml_dtypes.bfloat16))


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    dtype = draw(st.sampled_from(DTYPES))
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    if dtype == np.bool_:
        raw = bytes(byte & 1 for byte in raw)
    return np.frombuffer(raw, dtype).reshape(shape)


@given(arrays())
@settings(max_examples=200, deadline=None)
def test_an_array_crosses_bit_for_bit(array: Array) -> None:
    back = decode_line(encode_line({"x": array}))["x"]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.writeable


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda some: st.lists(some), max_leaves=8))
def test_plain_values_cross(value: Any) -> None:
    assert decode_line(encode_line({"value": value})) == {"value": value}


def test_memory_and_byte_order_do_not_cross() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for sent in (x.T, x[::-1], x[..., ::2], x.astype(">f4")):
        np.testing.assert_array_equal(decode_line(encode_line({"x": sent}))["x"], sent)


def test_what_is_no_array_of_numbers_is_described() -> None:
    assert not is_numeric(np.array([object()]))
    assert decode_line(encode_line({"y": np.array(["a"])}))["y"] == NotAnArray("an array of dtype <U1")
    assert decode_line(encode_line({"y": object()}))["y"] == NotAnArray("an object of type object")


def message(**array: Any) -> bytes:
    return json.dumps({"x": {"dtype": "float32", "shape": [1], "data": "AAAAAA=="} | array}).encode()


MALFORMED_LINES = [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100000]
MALFORMED_ARRAYS: list[dict[str, Any]] = [
    {"dtype": "object"},
    {"dtype": ["float32"]},
    {"shape": [2]},
    {"shape": [-5]},
    {"shape": ["a"]},
    {"shape": None},
    {"data": "AAA"},
    {"data": None},
    {"data": "!!!!"},
]


@pytest.mark.parametrize("line", MALFORMED_LINES + [message(**array) for array in MALFORMED_ARRAYS])
def test_a_malformed_message_is_named_and_never_evaluated(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_line(line)


@pytest.mark.parametrize(
    "request_",
    [b"{}", b"nonsense", b'{"op": "forward"}', b'{"op": "__init__"}', b'{"op": "load"}', b'{"op": ["load"]}'],
)
def test_a_server_answers_any_request(request_: bytes) -> None:
    answer = decode_line(Server().answer(request_))
    assert answer["error"]["type"] == "ProtocolError"


def test_what_is_chained_to_a_failure_is_not_run_and_what_is_not_is() -> None:
    server = Server()

    def kind(request: dict[str, Any]) -> str | None:
        error = decode_line(server.answer(encode_line(request))).get("error")
        return None if error is None else str(error["type"])

    read = {"op": "running_statistics", "layer": 1}
    build = {"op": "build", "config": LayerConfig(num_channels=3, rank=2, channel_axis=1).to_json(), "layer": 1}
    assert kind({"op": "load", "target": "tests.support.good_numpy:GoodNumpy", "device": "cpu"}) is None
    assert kind(read | {"chained": True}) == "ProtocolError"
    assert kind(build | {"chained": True}) == "NotRun"
    assert kind(read | {"chained": True}) == "NotRun"
    assert kind(build) is None
    assert kind(read | {"chained": True}) is None


class SentInGroups:
    """Takes the place of a worker process and its channel."""

    def __init__(self) -> None:
        self.server, self.sizes, self.layers = Server(), list[int](), itertools.count(1)

    def send(self, requests: list[dict[str, Any]]) -> None:
        self.sizes.append(len(requests))
        self.sent = requests

    def answers(self, limit: float) -> list[dict[str, Any]]:
        return [decode_line(self.server.answer(encode_line(request))) for request in self.sent]


@pytest.mark.parametrize(("values", "sizes"), [(8, [3]), (1 << 17, [2, 1])])
def test_calls_are_sent_together_unless_their_arrays_are_large(values: int, sizes: list[int]) -> None:
    process = SentInGroups()
    host = IsolatedHost(process, "tests.support.good_numpy:GoodNumpy")  # type: ignore[arg-type]
    process.sizes.clear()
    layer, x = host.reserve(), np.ones((values, 2), np.float32)
    config = LayerConfig(num_channels=2, rank=2, channel_axis=1, dtype="float32", parameter_dtype="float32")
    forward, backward = ForwardCall(layer, x, "contiguous", True), BackwardCall(layer, x, "contiguous")
    results, error = host.run([BuildCall(config, layer), forward, backward])
    assert error is None
    assert [type(result).__name__ for result in results] == ["NoneType", "ForwardResult", "BackwardResult"]
    assert process.sizes == sizes


def test_the_results_before_a_failure_are_kept_and_those_after_it_do_not_exist() -> None:
    host = IsolatedHost(SentInGroups(), "tests.support.good_numpy:GoodNumpy")  # type: ignore[arg-type]
    layer = host.reserve()
    config = LayerConfig(num_channels=2, rank=2, channel_axis=1)
    wrong, read = ForwardCall(layer, np.ones((4, 5), np.float32), "contiguous", True), RunningStatisticsCall(layer)
    results, error = host.run([BuildCall(config, layer), read, wrong, read])
    assert len(results) == 2
    assert error is not None
    assert (error.operation, error.kind) == ("forward", "ValueError")
    assert host.run([read])[1] is None


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_holds_the_numbers_of_x_in_memory_of_its_own(view: str) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    realised = realise(x, view)
    repeated = {"broadcast": x[:1], "expanded": x[:, :, :1], "scalar": x[:1, :1, :1]}
    expected = np.broadcast_to(repeated.get(view, x), x.shape)
    np.testing.assert_array_equal(realised, expected)
    assert not np.may_share_memory(realised, x)


def test_views_lie_in_memory_as_they_say() -> None:
    x = np.zeros((2, 3, 4), np.float32)
    assert realise(x, "contiguous").flags.c_contiguous
    assert realise(x, "fortran").flags.f_contiguous
    assert realise(x, "transposed").flags.f_contiguous
    assert realise(x, "strided").strides[-1] == 2 * x.itemsize
    assert not realise(x, "readonly").flags.writeable
    assert realise(x, "broadcast").strides[0] == 0
    assert realise(x, "channels-last").strides[1] == x.itemsize
    assert realise(x, "expanded").strides[2] == 0
    assert not any(realise(x, "scalar").strides)
    assert all(not realise(x, view).flags.c_contiguous for view in ("cut-first", "cut-middle", "cut-last", "crop"))
    assert [np.sign(stride) for stride in realise(x, "negative").strides] == [-1, 1, -1]
    assert realise(x[0, 0], "negative").strides == (-x.itemsize,)
    assert realise(x[0, 0], "strided").strides == (2 * x.itemsize,)
    base = realise(x, "offset").base
    assert isinstance(base, np.ndarray)
    assert realise(x, "offset").flags.c_contiguous


def test_an_unknown_view_is_named() -> None:
    with pytest.raises(ValueError, match="view is 'upside-down'"):
        realise(np.zeros((1, 1)), "upside-down")


@restored()
def judged_here_and_there(
    target: str,
    name: str,
    sample: list[Case],
    convention: Convention,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[Item]:
    """Items judged in this process, in one thread, which a process of its own must repeat to the number."""
    policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
    here, process, items = LocalHost(load_adapter(target)()), Process({"PYTHONPATH": str(ROOT), **environment}), []
    there = IsolatedHost(process, target)
    try:
        for case in sample:
            item_here = run_case(name, case, here, convention, goldens(), policy)
            item_there = run_case(name, case, there, convention, goldens(), policy)
            if case.concurrent:  # which results a race spoils is a matter of chance
                assert item_here.outcome == item_there.outcome
            else:
                assert repr(_strip(item_here)) == repr(_strip(item_there))
            items.append(item_here)
    finally:
        process.close()
    return items


@pytest.mark.parametrize(
    ("name", "case_id", "clause"),
    [
        ("SavedTensorsAreShared", "pure/nc/float32/interrupted", "GRAD-1"),
        ("RunningStatisticsAreShared", "pure/nc/float32/interrupted", "PURE-3"),
        ("BackwardOverwritesX", "pure/nc/float32/later", "PURE-4"),
        ("MovesTheStatisticsThatItWasGiven", "state/nc/float32/from-set-statistics", "PURE-4"),
        ("MovesTheStatisticsThatItLoaded", "state/nc/float32/load-into-trained", "PURE-4"),
        ("ThreadsLeaveARest", "pure/nchw/float32/threads-3", "PURE-5"),
        ("ScratchIsSharedByThreads", "pure/nc/float32/concurrent", "PURE-6"),
        ("FoldedBeforeParametersWereSet", "state/nc/float32/set-parameters", "STATE-6"),
        ("IgnoresTheSignOfStrides", "layout/nc/float32/view-negative", "LAYOUT-3"),
        ("IgnoresStridesOfVectors", "layout/nc/float32/vectors-strided", "LAYOUT-3"),
    ],
)
def test_what_memory_and_threads_show_is_seen_in_a_process_of_its_own_too(name: str, case_id: str, clause: str) -> None:
    target = f"tests.support.mistake_adapters:{name}"
    (item,) = judged_here_and_there(target, name, [all_cases()[case_id]], Convention())
    assert item.outcome == "wrong"
    assert clause in {
        broken for quantity in item.quantities if quantity.outcome == "wrong" for broken in quantity.clauses
    }


def _strip(item: Any) -> Any:
    from dataclasses import replace

    return replace(item, seconds=0.0, harness_seconds=0.0)


@pytest.mark.parametrize("name", ["textbook.numpy", pytest.param("torch.nn", marks=pytest.mark.slow)])
def test_a_process_of_its_own_changes_no_verdict_and_no_number(name: str) -> None:
    implementation = registered()[name]
    if implementation.status != "ok":
        pytest.skip(implementation.message)
    convention: Convention = implementation.convention
    sample = [
        case
        for case in all_cases().values()
        if "/float32/" in case.id
        and case.id.startswith(("layout/nc/", "edge/nc", "err/nc/", "pure/nc", "stat/nc/", "state/nc/"))
        and not unsupported_reason(case, implementation.capabilities)
        and not case.id.startswith(SLOW)
    ]
    judged_here_and_there(implementation.target, name, sample, convention, implementation.variables())
