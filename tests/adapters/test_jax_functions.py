"""Arrays of NumPy become arrays of JAX."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.support.own_process import Call, process_with

from bn_adapters.jax_functions import JAX_ENVIRONMENT, jax_copy

pytestmark = pytest.mark.framework

COMPILED = "/jax/core/compile/backend_compile_duration"
FORMATS = ("float16", "bfloat16", "float32", "float64", "bool")


@pytest.fixture(scope="module", params=["1", "0"], ids=["64 bits", "32 bits"])
def call(request: pytest.FixtureRequest) -> Iterator[Call]:
    with process_with({**JAX_ENVIRONMENT, "JAX_ENABLE_X64": request.param}) as call:
        yield call


def check_copies() -> None:
    """Whatever the format and the strides, a copy is as `jnp.array` makes it, and nothing changes it."""
    import jax.numpy as jnp

    for name in FORMATS:
        plain = np.arange(-12, 12).reshape(2, 3, 4).astype(jnp.dtype(name))
        for array in (plain, plain.transpose(2, 0, 1), plain[::-1, :, ::2], plain[:0], plain[:1, 0, 0].reshape(())):
            own = array.copy()
            expected, got = jnp.array(own), jax_copy(own)
            described = [(found.dtype, found.weak_type, found.committed, found.shape) for found in (got, expected)]
            assert described[0] == described[1]
            own[...] = 1
            np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def check_conversion() -> None:
    """A format that is asked for is that of the copy."""
    converted = jax_copy(np.array([1.0, 1 / 3]), np.float32)
    np.testing.assert_array_equal(np.asarray(converted), np.array([1.0, 1 / 3], np.float32), strict=True)
    assert jax_copy(3).dtype.kind == "i", "a count of a state is no array"  # type: ignore[arg-type]


def compiled_by_copies() -> int:
    """How many programs copies of several new shapes compile."""
    import jax

    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if event == COMPILED else None
    )
    for count in range(31, 36):
        jax_copy(np.ones((count, 3), np.float32))
    copies = len(compiled)
    jax.numpy.ones((31, 3)) + 1
    assert len(compiled) > copies, "the listener hears nothing"
    return copies


def test_a_copy_is_that_of_jax_and_has_memory_of_its_own(call: Call) -> None:
    call(check_copies)


def test_a_copy_has_the_format_that_is_asked_for(call: Call) -> None:
    call(check_conversion)


def test_a_copy_compiles_nothing(call: Call) -> None:
    assert call(compiled_by_copies) == 0
