"""What a class is built from: the number of channels, and what else its constructor takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bn_adapters.torch_tensors import load_torch, torch_dtype
from bn_adapters.wrappers.code import number_or_none, parameters_of
from bn_adapters.wrappers.reading.not_quite import activations_text, relative_by_name
from bn_adapters.wrappers.reading.roles import closing_limits
from bn_adapters.wrappers.torch.holding import HeldAt
from bn_adapters.wrappers.torch.names import (
    ACTIVATION,
    AFFINE,
    AXIS,
    BIAS,
    BUILT,
    CHANNELS,
    DEVICE,
    DTYPE,
    EPS,
    MOMENTUM,
    NUMBERS,
    RANK,
    WEIGHT,
    best_named,
)
from bn_conformance.adapter import CUMULATIVE, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said

OF_AXES, OF_SPACE = "the rank of x", "the number of spatial axes"
"""What an argument such as `num_dims` counts."""


@dataclass(frozen=True)
class Construction:
    """How layers of a class are built.

    Attributes:
        built: the class.
        names: of a role, the argument of the constructor.
        defaults: of an argument, its default; without those that have none.
        fixed: values of further arguments.
        positional: whether the number of channels goes first, without a name.
        rank_is: what the argument for the rank counts.
        attributes: of eps and momentum, where the built layer holds what its constructor does not take.
        without: modules inside that are replaced by nothing, an activation.
        places: where built layers hold the tensors of roles.
    """

    built: type
    names: Mapping[str, str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    positional: bool = True
    rank_is: str = OF_AXES
    attributes: Mapping[str, tuple[HeldAt, ...]] = field(default_factory=dict)
    without: tuple[HeldAt, ...] = ()
    places: Mapping[str, HeldAt] = field(default_factory=dict)

    def layer(self, config: LayerConfig, weighs_old: bool = False, device: str = "cpu") -> Any:
        """A fresh layer of the class."""
        dtype, chosen = torch_dtype(config.parameter_dtype), self.numbers(config, weighs_old)
        rank = config.rank if self.rank_is == OF_AXES else config.rank - 2
        values = {AFFINE: config.gamma, AXIS: config.channel_axis, RANK: rank, DEVICE: device, DTYPE: dtype, **chosen}
        keywords = {self.names[role]: value for role, value in values.items() if role in self.names} | dict(self.fixed)
        if self.positional:
            made = self.built(config.num_channels, **keywords)
        else:
            made = self.built(**{self.names[CHANNELS]: config.num_channels}, **keywords)
        if isinstance(made, load_torch().nn.Module):
            made = made.to(device=device) if DTYPE in self.names else made.to(device=device, dtype=dtype)
        for role, places in self.attributes.items():
            for place in places if role in chosen else ():
                place.set(made, chosen[role])
        for place in self.without:
            place.set(made, load_torch().nn.Identity())
        self._bring(made, dtype, device)
        return made

    def numbers(self, config: LayerConfig, weighs_old: bool) -> dict[str, Any]:
        """The eps and the momentum that a configuration sets, the momentum in the class's own direction."""
        chosen: dict[str, Any] = {} if config.eps is None else {EPS: config.eps}
        if config.momentum == CUMULATIVE:
            chosen[MOMENTUM] = None
        elif config.momentum is not None:
            chosen[MOMENTUM] = config.keep if weighs_old else config.momentum
        return chosen

    def _bring(self, made: Any, dtype: Any, device: str) -> None:
        """Bring tensors that `Module.to` does not reach to a format, and let gamma and beta have gradients."""
        torch = load_torch()
        for role, place in self.places.items():
            held = place.get(made)
            if not isinstance(held, torch.Tensor):
                continue
            if held.dtype != dtype or str(held.device).partition(":")[0] != device:
                held = held.detach().to(device=device, dtype=dtype)
                place.set(made, held)
            if role in (WEIGHT, BIAS) and not held.requires_grad:
                held.requires_grad_(True)

    def default(self, role: str) -> Any:
        """The default of a role's argument; None where there is none."""
        return self.defaults.get(self.names.get(role, ""))

    def described(self) -> str:
        """The arguments that it gets, with the defaults of eps and momentum."""
        parts = [self.names[CHANNELS]]
        for role in (RANK, AXIS, EPS, MOMENTUM, AFFINE, DTYPE, DEVICE):
            if role in self.names:
                number = number_or_none(self.default(role)) if role in NUMBERS else None
                counted = f" ({self.rank_is})" if role == RANK else ""
                parts.append(self.names[role] + counted + ("" if number is None else f"={number:g}"))
        parts += [f"{name}={value!r}" for name, value in self.fixed.items()]
        attributes = [f"{role} is set as {' and '.join(map(str, places))}" for role, places in self.attributes.items()]
        return "built with " + "; ".join([", ".join(parts), *attributes])

    def activations(self) -> tuple[dict[str, Any], ...]:
        """Values of an argument for an activation that may switch it off."""
        name = self.names.get(ACTIVATION)
        if not name:
            return ()
        default = self.defaults.get(name)
        if isinstance(default, bool):
            return ({name: False},)
        values = (None, "none", "identity", "linear", load_torch().nn.Identity)
        return tuple({name: value} for value in values)

    def with_fixed(self, **values: Any) -> Construction:
        """The same with values of further arguments."""
        return replace(self, fixed={**self.fixed, **values})


def construction_of(built: type, said: Said, expected: str) -> Construction:
    """What a class is built from, by the names of its constructor's arguments and what the user has said.

    Args:
        built: the class.
        said: what the user says.
        expected: what such a class is built from, for messages.

    Raises:
        TargetError: it takes no number of channels, something is required that nobody knows, or what the user says
            is no argument of it.
    """
    taken = parameters_of(built)
    unknown = [name for name in said.arguments if name not in taken]
    if unknown:
        raise TargetError(f"{built.__name__} takes no argument {unknown[0]}; it takes {', '.join(taken) or 'none'}")
    fixed = closing_limits(taken) | dict(said.arguments)
    free = [name for name in taken if name not in fixed]
    names = {role: name for role, aliases in BUILT.items() if (name := best_named(free, aliases))}
    for role, name in said.names.items():
        if role in BUILT and name in taken:
            names[role] = name
    positional = [
        name for name in taken if taken[name].kind is not inspect.Parameter.KEYWORD_ONLY and name not in names.values()
    ]
    required = [name for name in free if taken[name].default is inspect.Parameter.empty]
    if CHANNELS not in names and positional and (positional[0] in required or not required):
        names[CHANNELS] = positional[0]
    if CHANNELS not in names:
        raise TargetError(f"{built.__name__} takes no number of channels; {expected}")
    beyond = [name for name in required if name not in names.values()]
    if beyond:
        if other := relative_by_name(built.__name__, beyond):
            raise TargetError(f"{built.__name__} is {other}; the suite judges batch normalisation alone")
        if activations := activations_text(beyond):
            raise TargetError(f"{built.__name__} is built from {', '.join(beyond)}, {activations}")
        lines = " ".join(f"--argument {name}=VALUE" for name in beyond)
        raise TargetError(f"{built.__name__} needs {', '.join(beyond)}; {expected}; say the rest: {lines}")
    defaults = {name: entry.default for name, entry in taken.items() if entry.default is not entry.empty}
    first = next(iter(taken), "")
    goes_first = first == names[CHANNELS] and taken[first].kind is not inspect.Parameter.KEYWORD_ONLY
    return Construction(built, names, defaults, fixed, goes_first)
