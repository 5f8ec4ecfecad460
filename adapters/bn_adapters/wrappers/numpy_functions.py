"""NumPy functions, judged without an adapter: a forward alone, or a forward and a backward, with any arguments.

The pair of the course notes CS231n has a convention of its own: `batchnorm_forward(x, gamma, beta, bn_param)` gives
`(out, cache)`, `batchnorm_backward(dout, cache)` gives `(dx, dgamma, dbeta)`, and the dictionary bn_param holds mode
("train" or "test"), eps, momentum and, between calls, running_mean and running_var. Of other functions the choices are
measured.
"""

from __future__ import annotations

import inspect

from bn_adapters.wrappers.function_code import (
    NOTHING_SAID,
    FunctionPair,
    backward_callee,
    forward_callee,
    functions_of,
    takes_arrays_of,
)
from bn_adapters.wrappers.functions import BASE, FunctionAdapter, FunctionSource, function_adapter
from bn_conformance.adapter import Convention
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

FORWARD, BACKWARD = "batchnorm_forward", "batchnorm_backward"
CONVENTION = Convention(
    running_variance="biased",
    initial_running_variance=0.0,
    momentum_weighs="old",
    default_momentum=0.9,
    default_eps=1e-5,
)
"""That of the course notes: the running variance takes in the biased variance and starts at 0."""


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FunctionAdapter]:
    """The adapter of functions: `file.py`, `file.py:forward`, or `file.py:forward+backward`.

    Raises:
        TargetError: there are no such functions, or they cannot be read as batch normalisation.
    """
    pair = functions_of(code, (FORWARD, BACKWARD), "numpy")
    notes = _is_of_the_course_notes(pair)
    source = FunctionSource(
        name=pair.name,
        forward=forward_callee(pair.forward, pair.forward_name, said),
        backward=None if pair.backward is None else backward_callee(pair.backward, pair.backward_name),
        base=CONVENTION if notes else BASE,
        measure=not notes,
    )
    found: type[FunctionAdapter] = function_adapter(source)
    return found


def _is_of_the_course_notes(pair: FunctionPair) -> bool:
    return pair.backward is not None and list(inspect.signature(pair.forward).parameters)[3:] == ["bn_param"]


def _recognises(thing: object) -> bool:
    """Whether a thing is a forward, a pair of functions, or a module that defines the pair of the course notes."""
    pair = (getattr(thing, FORWARD, None), getattr(thing, BACKWARD, None))
    return takes_arrays_of(thing, "numpy") or (inspect.ismodule(thing) and all(map(inspect.isfunction, pair)))


WRAPPER = Wrapper(
    expects="a forward, or FORWARD+BACKWARD, on NumPy arrays",
    adapter=adapter,
    requires=(),
    install="pip install bnconform",
    names=True,
    recognises=_recognises,
)
