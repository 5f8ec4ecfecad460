"""A process of its own for the tests of a framework that is configured when it starts."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from bn_conformance.adapter import Adapter
from bn_conformance.implementations.registry import filled_in


def set_environment(environment: dict[str, str]) -> None:
    os.environ.update(environment)


def calls(adapter: type[Adapter]) -> Iterator[Callable[..., Any]]:
    """Yield what calls a function of an adapter where its framework starts with the adapter's environment."""
    missing = [module for module in adapter.requires if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: {adapter.install}")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, set_environment, (filled_in(adapter.environment, "cpu"),)) as pool:
        yield lambda function: pool.submit(function, adapter).result(timeout=300)
