"""Calls and their results as messages of the worker protocol."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_args

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.operations import OPERATIONS, Call
from bn_conformance.hosting.typed import Reader, reader_of
from bn_conformance.hosting.wire import NotAnArray, WireError

ResultT = TypeVar("ResultT")


def request_for(call: Call[Any], chained: bool = False) -> dict[str, Any]:
    """The request of a call; a chained one is not run where the request before it failed."""
    request = {"op": call.name, **{name: _plain(value) for name, value in vars(call).items()}}
    return request | {"chained": True} if chained else request


def call_of(request: dict[str, Any]) -> Call[Any]:
    """The call of a request, without its `chained`.

    Raises:
        WireError: there is no such operation, or an argument is missing, unknown or of a wrong type.
    """
    arguments = dict(request)
    operation = arguments.pop("op", None)
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise WireError(f"op is {operation!r}; allowed are {', '.join(OPERATIONS)}")
    try:
        call: Call[Any] = _argument_reader(operation)(arguments)
    except WireError as error:
        raise WireError(f"{operation}: {error}") from None
    return call


def answer_of(result: Any) -> Any:
    """A result as what an answer holds under `ok`."""
    kind = type(result)
    if kind is NotAnArray or not is_dataclass(kind):  # the wire knows what to make of the former
        return result
    return {name: answer_of(part) for name, part in vars(result).items()}


@dataclass(frozen=True)
class Failure:
    """What an answer holds under `error`; a worker need not say the place."""

    type: str
    message: str
    place: str = ""


@dataclass(frozen=True)
class Answer(Generic[ResultT]):
    """An answer: a result or a failure, and the seconds spent in the implementation's own calls so far."""

    result: ResultT | None
    failure: Failure | None
    seconds: float


def answer_to(call: Call[ResultT], message: dict[str, Any]) -> Answer[ResultT]:
    """The answer to a call.

    Raises:
        WireError: it is no answer, or its result is not of the type of the operation's results.
    """
    failed = "error" in message
    if not message.keys() <= _OF_AN_ANSWER or failed == ("ok" in message):
        raise WireError(f"the answer to {call.name} holds {', '.join(message) or 'nothing'}; expected ok or error")
    reading = "seconds in the answer to"
    try:
        spent = _read_seconds(message.get("seconds", 0.0))
        if failed:
            reading = "the error of"
            return Answer(None, _read_failure(message["error"]), spent)
        reading = "the result of"
        return Answer(_result_reader(call.name)(message["ok"]), None, spent)
    except WireError as error:
        raise WireError(f"{reading} {call.name} {error}") from None


_OF_AN_ANSWER = frozenset({"ok", "error", "seconds"})
_read_seconds, _read_failure = reader_of(float), reader_of(Failure)


@cache
def _result_reader(operation: str) -> Reader:
    return reader_of(result_type(OPERATIONS[operation]))


def result_type(operation: type[Call[Any]]) -> Any:
    """The annotation of an operation's results: what stands in the brackets after `Call`."""
    return get_args(operation.__orig_bases__[0])[0]  # type: ignore[attr-defined]


@cache
def _argument_reader(operation: str) -> Reader:
    annotation: Any = OPERATIONS[operation]
    return reader_of(annotation)


def _plain(value: Any) -> Any:
    return value.to_json() if isinstance(value, LayerConfig) else value
