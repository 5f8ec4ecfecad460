"""Where an exception of somebody else's code comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bn_conformance.targets.errors import error_place


def raised(function: Callable[..., Any], *arguments: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        function(*arguments)
    return caught.value


def code(text: str, file: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(text, file, "exec"), names)
    function: Callable[..., Any] = names["function"]
    return function


def test_it_is_the_innermost_line_of_code_that_is_not_installed() -> None:
    inner = code("\ndef function(text):\n    return text.nothing\n", "/home/me/layers/mine.py")
    assert error_place(raised(inner, "x")) == "mine.py, line 3"
    parse = code("\n\nimport json\ndef function(text):\n    return json.loads(text)\n", "/home/me/layers/mine.py")
    assert error_place(raised(parse, "x")) == "mine.py, line 5"
    library = code("def function(call):\n    return call(1)\n", "/venv/lib/site-packages/torch/nn.py")
    assert error_place(raised(library, inner)) == "mine.py, line 3"


def test_where_all_code_is_installed_it_is_the_innermost_line() -> None:
    library = code("def function():\n    return x\n", "/venv/lib/site-packages/torch/nn.py")
    error = raised(library)
    assert error.__traceback__ is not None
    assert error_place(error.with_traceback(error.__traceback__.tb_next)) == "nn.py, line 2"


def test_an_exception_that_was_not_raised_or_hides_its_traceback_has_no_place() -> None:
    class Hidden(Exception):
        @property
        def __traceback__(self) -> Any:  # type: ignore[override]
            raise RuntimeError

    assert error_place(ValueError()) == ""
    assert error_place(Hidden()) == ""


def test_a_name_that_is_no_file_is_no_place_of_ones_own() -> None:
    strange = code("def function(call):\n    return call('x')\n", "<string>")
    assert error_place(raised(strange, json.loads)).startswith("test_errors.py, line ")
