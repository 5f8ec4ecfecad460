"""Functions of torch tensors, judged without an adapter: like torch's own, autograd functions, and aten's pairs."""

from __future__ import annotations

from typing import Any

from bn_adapters.torch_modules import INSTALL
from bn_adapters.torch_tensors import load_torch
from bn_adapters.wrappers.code import framework_class
from bn_adapters.wrappers.function_code import (
    NOTHING_SAID,
    FunctionPair,
    backward_callee,
    forward_callee,
    functions_of,
    takes_arrays_of,
)
from bn_adapters.wrappers.functions import FunctionAdapter, FunctionSource, function_adapter
from bn_adapters.wrappers.reading.arrays import TORCH
from bn_adapters.wrappers.reading.callee import Callee
from bn_conformance.adapter import Convention
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

USUAL = ("batch_norm", "batch_norm_backward")


class TorchFunctionAdapter(FunctionAdapter):
    """What the adapters of torch functions share."""

    requires = ("torch",)
    install = INSTALL


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FunctionAdapter]:
    """The adapter of a function, a pair of functions, or a `torch.autograd.Function`.

    Raises:
        TargetError: there are no such functions, or they cannot be read as batch normalisation.
    """
    load_torch()
    pair = functions_of(code, USUAL, "torch")
    source = FunctionSource(
        name=pair.name,
        forward=_forward(pair, said),
        backward=None if pair.backward is None else backward_callee(pair.backward, pair.backward_name),
        arrays=TORCH,
        base=Convention(),
        tape=True,
    )
    found: type[FunctionAdapter] = function_adapter(source, TorchFunctionAdapter)
    return found


def _forward(pair: FunctionPair, said: Said) -> Callee:
    """The forward; that of an autograd function is called by `apply`, and has a context before its arguments."""
    if not _is_autograd_function(pair.forward):
        return forward_callee(pair.forward, pair.forward_name, said)
    own: Any = pair.forward
    has_context = own.setup_context is load_torch().autograd.Function.setup_context
    read = forward_callee(own.forward, pair.forward_name, said, skip=int(has_context), positional=True)
    return Callee(own.apply, f"{pair.forward_name}.apply", read.arguments, fixed=read.fixed, positional=True)


def _is_autograd_function(thing: object) -> bool:
    base = framework_class("torch.autograd", "Function")
    return base is not None and isinstance(thing, type) and issubclass(thing, base)


def _recognises(thing: object) -> bool:
    return _is_autograd_function(thing) or takes_arrays_of(thing, "torch")


WRAPPER = Wrapper(
    expects="a function of torch tensors, FORWARD+BACKWARD, or a torch.autograd.Function",
    adapter=adapter,
    requires=("torch",),
    install=INSTALL,
    names=True,
    recognises=_recognises,
)
