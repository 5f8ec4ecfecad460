"""Calls and their results as messages of the worker protocol."""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar, cast, get_args

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.operations import OPERATIONS, Call
from bn_conformance.hosting.typed import Reader, reader_of
from bn_conformance.hosting.wire import WireError

Result = TypeVar("Result")


def request_of(call: Call[Any], chained: bool = False) -> dict[str, Any]:
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
    return dict(vars(result)) if is_dataclass(result) else result


def result_of(call: Call[Result], answer: Any) -> Result:
    """The result that an answer holds.

    Raises:
        WireError: the answer is not of the type of the operation's results.
    """
    try:
        return cast(Result, _result_reader(call.name)(answer))
    except WireError as error:
        raise WireError(f"the result of {call.name} {error}") from None


def result_type(operation: type[Call[Any]]) -> Any:
    """The annotation of an operation's results: what stands in the brackets after `Call`."""
    return get_args(operation.__orig_bases__[0])[0]  # type: ignore[attr-defined]


@cache
def _argument_reader(operation: str) -> Reader:
    annotation: Any = OPERATIONS[operation]
    return reader_of(annotation)


@cache
def _result_reader(operation: str) -> Reader:
    return reader_of(result_type(OPERATIONS[operation]))


def _plain(value: Any) -> Any:
    return value.to_json() if isinstance(value, LayerConfig) else value
