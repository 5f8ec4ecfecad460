"""How modules of a Flax class are made, and told their mode."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.jax_functions import jax_copy
from bn_adapters.wrappers.code import Constructor
from bn_adapters.wrappers.flax_variables import PureModule, pure_linen, pure_nnx
from bn_adapters.wrappers.reading.roles import FORWARD_NAMES, INVERTED_MODES, MODE, plain_name, role_named
from bn_conformance.adapter import LayerConfig
from bn_conformance.targets.said import Said


@dataclass(frozen=True)
class ModeOfModule:
    """How a module is told its mode.

    Attributes:
        argument: of the call; empty where there is none.
        field: of a linen class that is built for a mode; empty where there is none.
        inverted: whether it is true in inference.
    """

    argument: str = ""
    field: str = ""
    inverted: bool = False

    def value(self, training: bool) -> bool:
        """What it is in a mode."""
        return training != self.inverted

    def told(self, training: bool) -> dict[str, bool]:
        """The arguments of a call."""
        return {self.argument: self.value(training)} if self.argument else {}


@dataclass(frozen=True, eq=False)
class FlaxClass:
    """A class and how its modules are made.

    Attributes:
        takes: what it is built from.
        linen: whether it is of linen.
        mode: how its modules are told their mode.
    """

    takes: Constructor
    linen: bool
    mode: ModeOfModule

    @property
    def has_mode(self) -> bool:
        """Whether modules are told their mode; those of nnx always are."""
        return not self.linen or self.mode != ModeOfModule()

    def module(self, config: LayerConfig, training: bool = True) -> Any:
        """A fresh module."""
        import jax.numpy as jnp

        chosen: dict[str, Any] = {
            "channels": config.num_channels,
            "axis": config.channel_axis,
            "gamma": config.gamma,
            "beta": config.beta,
            "dtype": jnp.dtype(config.dtype),
            "param_dtype": jnp.dtype(config.parameter_dtype),
        }
        chosen |= {} if config.eps is None else {"eps": config.eps}
        chosen |= {} if config.momentum is None else {"momentum": config.keep}
        if "rngs" in self.takes.names:
            from flax import nnx

            chosen["rngs"] = nnx.Rngs(0)
        more = {self.mode.field: self.mode.value(training)} if self.mode.field else {}
        return self.takes.built(**self.takes.arguments(**chosen), **more)

    @cache  # noqa: B019 - a class lives as long as its adapter
    def pure(self, config: LayerConfig) -> PureModule:
        """A fresh module as a function, the same one for equal configurations."""
        return self.fresh(config)

    def fresh(self, config: LayerConfig) -> PureModule:
        """A fresh module as a function; while JAX traces, its variables have shapes and no values."""
        if not self.linen:
            return pure_nnx(self.module(config), self._called)
        shape = [config.num_channels if axis == config.channel_axis else 2 for axis in range(config.rank)]
        x = jax_copy(np.zeros(shape, config.dtype))
        return pure_linen(lambda training: self.module(config, training), self.mode.told, x)

    def _called(self, module: Any, x: Any, training: bool) -> Any:
        if not self.mode.argument:
            module.train() if training else module.eval()
        return module(x, **self.mode.told(training))


def compute_in_formats_of(wide: bool) -> None:
    """Switch 64 bits off for a class whose parameters are float32: on, they would be the harness's doing, not its own.

    Another layer, or what judges in the process of its caller, may have switched them on since the class was read. So
    this is asked before each of its modules is made.

    Args:
        wide: whether parameters of the class may have float64.
    """
    import jax

    if not wide:
        jax.config.update("jax_enable_x64", False)


def mode_of(built: type, said: Said, linen: bool) -> ModeOfModule:
    """How modules of a class are told their mode: by an argument of the call, by a field, or by train() and eval()."""
    known = {MODE: FORWARD_NAMES[MODE]}
    called = [name for name in inspect.signature(built.__call__).parameters if name == said.names.get(MODE)]
    called += [name for name in inspect.signature(built.__call__).parameters if role_named(name, known)]
    fields = [name for name in getattr(built, "__dataclass_fields__", {}) if role_named(name, known)]
    if called:
        return ModeOfModule(argument=called[0], inverted=plain_name(called[0]) in INVERTED_MODES)
    if linen and fields:
        return ModeOfModule(field=fields[0], inverted=plain_name(fields[0]) in INVERTED_MODES)
    return ModeOfModule()
