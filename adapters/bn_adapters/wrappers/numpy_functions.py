"""The textbook's pair of NumPy functions, judged without an adapter.

`batchnorm_forward(x, gamma, beta, bn_param)` gives `(out, cache)`, and `batchnorm_backward(dout, cache)` gives
`(dx, dgamma, dbeta)`. x has shape (N, D); the dictionary bn_param holds mode ("train" or "test"), eps, momentum and,
between calls, running_mean and running_var: the functions of the course notes CS231n, and what was made of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from bn_adapters.wrappers.code import error_line, stem
from bn_adapters.wrappers.trial import CHANNELS, adapter_class, convention_of, trial
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
)
from bn_conformance.targets.loading import module_of
from bn_conformance.targets.naming import TargetError
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

ForwardFunction = Callable[[Array, Array, Array, dict[str, Any]], Any]
BackwardFunction = Callable[[Array, Any], Any]


class NumpyFunctionsLayer(Layer):
    """A pair of functions with the arrays and the dictionary that their caller keeps.

    Args:
        forward: called as `forward(x, gamma, beta, bn_param)`.
        backward: called as `backward(dout, cache)`.
        config: of the layer.
        weighs_old: whether momentum is the weight of the old statistic.
        initial_variance: that the caller starts with, where the functions do not start by themselves.
    """

    def __init__(
        self,
        forward: ForwardFunction,
        backward: BackwardFunction,
        config: LayerConfig,
        weighs_old: bool,
        initial_variance: float,
    ) -> None:
        channels, dtype = config.num_channels, np.dtype(config.dtype)
        self._forward, self._backward = forward, backward
        self._gamma, self._beta = np.ones(channels, dtype), np.zeros(channels, dtype)
        self._bn_param: dict[str, Any] = {}
        self._cache: Any = None
        if config.eps is not None:
            self._bn_param["eps"] = config.eps
        if config.momentum is not None:
            self._bn_param["momentum"] = config.keep if weighs_old else config.momentum
        if own := initial_statistics(forward, channels, dtype, self._bn_param):
            self._bn_param |= own
        else:
            self._bn_param |= {
                "running_mean": np.zeros(channels, dtype),
                "running_var": np.full(channels, initial_variance, dtype),
            }

    def forward(self, x: Array, training: bool) -> Array:
        self._bn_param["mode"] = "train" if training else "test"
        y, self._cache = self._forward(x, self._gamma, self._beta, self._bn_param)
        return y

    def backward(self, dy: Array) -> Gradients:
        return Gradients(*self._backward(dy, self._cache))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(np.array(self._bn_param["running_mean"]), np.array(self._bn_param["running_var"]))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._bn_param |= {"running_mean": mean.copy(), "running_var": variance.copy()}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        if gamma is not None:
            self._gamma = gamma.copy()
        if beta is not None:
            self._beta = beta.copy()

    def state(self) -> Mapping[str, Array]:
        mean, variance = self.running_statistics()
        arrays = {"gamma": self._gamma, "beta": self._beta, "running_mean": mean, "running_var": variance}
        return {name: array.copy() for name, array in arrays.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.set_parameters(state["gamma"], state["beta"])
        self.set_running_statistics(state["running_mean"], state["running_var"])


def initial_statistics(
    forward: ForwardFunction, channels: int, dtype: np.dtype[Any], bn_param: Mapping[str, Any]
) -> dict[str, Array]:
    """The running statistics that the functions start with by themselves, as inference leaves them; else nothing."""
    tried = {"mode": "test", **bn_param}
    x, vector = np.zeros((1, channels), dtype), np.ones(channels, dtype)
    try:
        with np.errstate(all="ignore"):
            forward(x, vector, vector, tried)
    except Exception:
        return {}
    names = ("running_mean", "running_var")
    return {name: tried[name] for name in names} if all(name in tried for name in names) else {}


class NumpyFunctions(Adapter):
    """What the adapters of pairs of functions share; `adapter` makes a subclass for a pair."""

    framework = ""  # whatever else the user's file imports, in a process of its own
    requires = ("numpy",)
    install = "pip install bnconform"
    convention = CONVENTION
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"}),
        ranks=frozenset({2}),
        gradients=frozenset({"training"}),  # the course notes keep no cache in inference
        affine=frozenset({"both"}),
    )
    functions: ClassVar[tuple[ForwardFunction, BackwardFunction]]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        forward, backward = type(self).functions
        return NumpyFunctionsLayer(
            forward,
            backward,
            config,
            self.convention.momentum_weighs == "old",
            self.convention.initial_running_variance,
        )

    def supports(self, config: LayerConfig) -> str | None:
        for name in ("eps", "momentum"):
            if getattr(config, name) is None and getattr(self.convention, f"default_{name}") is None:
                return f"bn_param has no default {name}"
        return None


def adapter(code: str) -> type[NumpyFunctions]:
    """The adapter of a pair of functions: `file.py`, or `file.py:forward+backward` where they have other names.

    Raises:
        TargetError: there are no such functions, or they do not take or give what the pair does.
    """
    place, _, names = code.rpartition(":") if not code.endswith(".py") and ":" in code else (code, "", "")
    parts = names.split("+") if names else [FORWARD, BACKWARD]
    if len(parts) != 2:
        raise TargetError(f"{code} names {len(parts)} function; write file.py:FORWARD+BACKWARD, or file.py for both")
    module = module_of(place)
    forward = _function(module, place, parts[0], ("x", "gamma", "beta", "bn_param"))
    backward = _function(module, place, parts[1], ("dout", "cache"))
    _tried(forward, backward, parts)
    lacking = _without_default(forward)
    no_defaults = {f"default_{argument}": None for argument in lacking}
    name = f"{stem(module)}.{parts[0]}"
    attributes = {
        "name": name,
        "functions": (forward, backward),
        "convention": convention_of(name, CONVENTION, **no_defaults),
        "notes": (
            f"{parts[0]}(x, gamma, beta, bn_param) and {parts[1]}(dout, cache) on x of shape (N, D), "
            "float32 and float64",
            "gradients in training only" + "".join(f"; bn_param has no default {name}" for name in lacking),
        ),
    }
    return adapter_class("NumpyFunctions", (NumpyFunctions,), attributes)


def _function(module: Any, place: str, name: str, arguments: tuple[str, ...]) -> Callable[..., Any]:
    call = f"{name}({', '.join(arguments)})"
    found = getattr(module, name, None)
    if found is None:
        raise TargetError(
            f"{place} has no function {name}; define {call}, or name both: numpy-functions={place}:FORWARD+BACKWARD"
        )
    if not callable(found):
        raise TargetError(f"{name} in {place} is a {type(found).__name__}; numpy-functions calls {call}")
    try:
        inspect.signature(found).bind(*arguments)
    except TypeError:
        raise TargetError(
            f"{name}{inspect.signature(found)} cannot be called as {call}, as numpy-functions does"
        ) from None
    except ValueError:  # a function without a signature: the trial shows
        pass
    return found


def _tried(forward: ForwardFunction, backward: BackwardFunction, names: list[str]) -> None:
    """Call both functions once.

    Raises:
        TargetError: one raises, or gives something else than the pair does.
    """
    x, vector = trial(2, 1, "float64"), np.ones(CHANNELS)
    bn_param = {"mode": "train", "eps": 1e-5, "momentum": 0.9, "running_mean": 0 * vector, "running_var": 0 * vector}
    given = _called(names[0], "(out, cache)", 2, lambda: forward(x, vector, vector, bn_param))
    gradients = _called(names[1], "(dx, dgamma, dbeta)", 3, lambda: backward(x, given[1]))
    for value, what, name in ((given[0], "out", names[0]), (gradients[0], "dx", names[1])):
        if np.shape(value) != x.shape:
            raise TargetError(f"{name} gives {what} of shape {np.shape(value)} for x of shape {x.shape}")


def _called(name: str, result: str, count: int, call: Callable[[], Any]) -> tuple[Any, ...]:
    try:
        given = call()
    except Exception as error:
        raise TargetError(
            f"{name} raised {error_line(error)}, called as in training on x of shape (4, {CHANNELS})"
        ) from None
    if not isinstance(given, tuple | list) or len(given) != count:
        what = f"{len(given)} values" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
        raise TargetError(f"{name} gives {what}; numpy-functions expects {result}")
    return tuple(given)


def _without_default(forward: ForwardFunction) -> list[str]:
    """Of eps and momentum, those that bn_param must hold."""
    found = []
    for name in ("eps", "momentum"):
        x, vector = trial(2, 1, "float64"), np.ones(CHANNELS)
        bn_param = {"mode": "train", "eps": 1e-5, "momentum": 0.9, "running_mean": 0 * vector, "running_var": vector}
        del bn_param[name]
        try:
            forward(x, vector, vector, bn_param)
        except Exception:
            found.append(name)
    return found


def _recognises(thing: object) -> bool:
    """Whether a thing is a pair of functions, or a module that defines the pair of the course notes."""
    pair = thing if isinstance(thing, tuple) else (getattr(thing, FORWARD, None), getattr(thing, BACKWARD, None))
    return len(pair) == 2 and all(map(inspect.isfunction, pair))


WRAPPER = Wrapper(
    expects=f"left out ({FORWARD} and {BACKWARD}) or FORWARD+BACKWARD",
    adapter=adapter,
    requires=(),
    install="pip install bnconform",
    recognises=_recognises,
)
