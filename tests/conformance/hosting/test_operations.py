"""The table of operations: hosts, messages and the page of the protocol agree with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.protocol_page import PAGE, with_table

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.messages import answer_to, call_of, request_for
from bn_conformance.hosting.operations import (
    OPERATIONS,
    BuildCall,
    ForwardCall,
    FreezeCall,
    RunningStatisticsCall,
    SupportsCall,
)
from bn_conformance.hosting.wire import WireError, decode_line, encode_line
from bn_conformance.mutation.mutant import PlainAdapter

X = np.ones((2, 3), np.float32)
CONFIG = LayerConfig(num_channels=3, rank=2)


def test_the_page_of_the_protocol_holds_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "run python -m tests.support.protocol_page"


def test_a_local_host_has_a_method_for_each_operation_on_an_adapter() -> None:
    assert [name for name in OPERATIONS if not hasattr(LocalHost, name)] == ["load"]


@pytest.mark.parametrize("call", [BuildCall(CONFIG, 4), ForwardCall(1, X, "contiguous", True), SupportsCall(CONFIG)])
def test_a_call_crosses_the_wire(call: Any) -> None:
    received = call_of(decode_line(encode_line(request_for(call))))
    assert type(received) is type(call)
    for name, value in vars(call).items():
        np.testing.assert_array_equal(getattr(received, name), value)


@pytest.mark.parametrize(
    ("method", "given"), [("forward_masked", {"mask": np.ones(2, bool)}), ("forward_shards", {"shards": (1, 1)})]
)
def test_an_error_has_the_name_of_its_operation_here_as_in_a_worker(method: str, given: dict[str, Any]) -> None:
    def refused(*_: Any) -> None:
        raise ValueError("no")

    host = LocalHost(PlainAdapter())
    host.build(BuildCall(CONFIG, 1))
    setattr(host.layers[1], method, refused)
    with pytest.raises(LayerError, match=r"^forward raised ValueError: no"):
        host.forward(ForwardCall(1, X, "contiguous", True, **given))


REFUSED: dict[str, dict[str, Any]] = {
    r"op is 'fly'; allowed are load, supports, build": {"op": "fly"},
    r"op is \['freeze'\]": {"op": ["freeze"]},
    r"op is None": {"layer": 1},
    "freeze: lacks layer": {"op": "freeze"},
    "freeze: has an unknown speed": {"op": "freeze", "layer": 1, "speed": 3},
    "freeze: layer is text; expected whole number": {"op": "freeze", "layer": "1"},
    "freeze: layer is true or false; expected whole number": {"op": "freeze", "layer": True},
    "backward: dy is list; expected array": {"op": "backward", "layer": 1, "dy": [1.0], "view": "contiguous"},
    "set_parameters: gamma is text; expected array or null": {
        "op": "set_parameters",
        "layer": 1,
        "gamma": "",
        "beta": X,
    },
    "build: config is number; expected configuration": {"op": "build", "layer": 1, "config": 1.5},
    "build: config is no configuration: .*speed": {"op": "build", "layer": 1, "config": {"speed": 1}},
    "build: config is no configuration: ": {"op": "build", "layer": 1, "config": CONFIG.to_json() | {"rank": 77}},
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_malformed_request_is_refused_in_a_line(words: str) -> None:
    with pytest.raises(WireError, match=words) as caught:
        call_of(REFUSED[words])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "the result of running_statistics is null; expected list"),
        ([X], "is list; expected list: array or description, array or description"),
        ([X, 3], "is whole number; expected array or description"),
    ],
)
def test_an_answer_that_is_no_result_of_its_operation_is_refused(answer: Any, words: str) -> None:
    with pytest.raises(WireError, match=words):
        answer_to(RunningStatisticsCall(1), {"ok": answer})


def test_a_result_is_an_object_of_its_own_type() -> None:
    call, fields = ForwardCall(1, X, "contiguous", True), {"y": X, "input_modified": False, "shares_input": True}
    answer = answer_to(call, {"ok": fields, "seconds": 0.5})
    assert answer.result is not None
    assert (answer.result.y is X, answer.result.input_modified, answer.result.shares_input) == (True, False, True)
    assert answer.seconds == 0.5


def test_an_error_may_say_where_it_comes_from() -> None:
    error = {"type": "ValueError", "message": "no"}
    for place in ({}, {"place": "mine.py, line 3"}):
        failure = answer_to(FreezeCall(1), {"error": error | place}).failure
        assert failure is not None
        assert failure.place == place.get("place", "")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "the answer to freeze holds nothing; expected ok or error"),
        ({"ok": None, "error": {}}, "holds ok, error; expected ok or error"),
        ({"ok": None, "more": 1}, "holds ok, more"),
        ({"ok": None, "seconds": float("nan")}, "seconds in the answer to freeze is number; expected finite number"),
        ({"ok": None, "seconds": "1"}, "seconds in the answer to freeze is text"),
        ({"error": "no"}, "the error of freeze is text; expected object"),
        ({"error": {"type": "ValueError"}}, "the error of freeze lacks message"),
        ({"error": {"type": "ValueError", "message": "caf\udce9"}}, "message is text that is not valid Unicode"),
    ],
)
def test_what_is_no_answer_is_refused(message: dict[str, Any], words: str) -> None:
    with pytest.raises(WireError, match=words):
        answer_to(FreezeCall(1), message)
