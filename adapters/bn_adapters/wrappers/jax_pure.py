"""Pure functions of JAX arrays, with the statistics as arguments and results, judged without an adapter."""

from __future__ import annotations

from collections.abc import Mapping

from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.wrappers.function_code import (
    NOTHING_SAID,
    backward_callee,
    forward_callee,
    functions_of,
    takes_arrays_of,
)
from bn_adapters.wrappers.functions import BASE, FunctionAdapter, FunctionSource, function_adapter
from bn_adapters.wrappers.reading.arrays import JAX
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

USUAL = ("batch_norm", "batch_norm_backward")

ENVIRONMENT: Mapping[str, str] = {**JAX_ENVIRONMENT, "JAX_ENABLE_X64": "0"}
"""That of JAX as most programs run it: its formats are those that an x of float32 gives."""


class JaxFunctionAdapter(FunctionAdapter):
    """What the adapters of JAX functions share."""

    requires = ("jax",)
    install = "pip install 'bnconform[jax]'"
    environment = ENVIRONMENT


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FunctionAdapter]:
    """The adapter of a pure function, or of a forward with a backward of its own.

    Raises:
        TargetError: there are no such functions, or they cannot be read as batch normalisation.
    """
    pair = functions_of(code, USUAL, "jax")
    source = FunctionSource(
        name=pair.name,
        forward=forward_callee(pair.forward, pair.forward_name, said),
        backward=None if pair.backward is None else backward_callee(pair.backward, pair.backward_name),
        arrays=JAX,
        base=BASE,
        dtypes=("float32",),
        tape=True,
    )
    found: type[FunctionAdapter] = function_adapter(source, JaxFunctionAdapter)
    return found


WRAPPER = Wrapper(
    expects="a pure function of JAX arrays",
    adapter=adapter,
    requires=("jax",),
    install=JaxFunctionAdapter.install,
    environment=lambda: ENVIRONMENT,
    names=True,
    recognises=lambda thing: takes_arrays_of(thing, "jax"),
)
