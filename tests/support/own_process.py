"""A process of its own for the tests of a framework, since frameworks are configured when they start."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from bn_conformance.adapter import Adapter
from bn_conformance.implementations.implementation import filled_in

Call = Callable[..., Any]


def set_environment(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)


@contextmanager
def process_with(environment: Mapping[str, str]) -> Iterator[Call]:
    """Give `call(function, *arguments)`, which runs in a new process that starts with these environment variables."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, set_environment, (filled_in(dict(environment), "cpu"),)) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=300)


@contextmanager
def process_of(adapter: type[Adapter]) -> Iterator[Call]:
    """Give `call(check)`, which checks the adapter in a new process that starts with the adapter's environment."""
    with process_with(adapter.environment) as call:
        yield lambda check: call(check, adapter)
