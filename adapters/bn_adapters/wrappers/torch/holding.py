"""Where a module holds things: parameters, buffers and plain attributes, its own and those of modules inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_adapters.wrappers.code import number_or_none
from bn_adapters.wrappers.torch.names import HELD, best_named
from bn_conformance.adapter import Array
from bn_conformance.targets.naming import TargetError


@dataclass(frozen=True)
class HeldAt:
    """A place in a module.

    Attributes:
        path: the attributes that lead to it, `("bn", "weight")`.
    """

    path: tuple[str, ...]

    def owner(self, module: Any) -> Any:
        """The object that has the last attribute."""
        for name in self.path[:-1]:
            module = getattr(module, name)
        return module

    def get(self, module: Any) -> Any:
        """What is there."""
        return getattr(self.owner(module), self.path[-1])

    def set(self, module: Any, value: Any) -> None:
        """Put something there."""
        setattr(self.owner(module), self.path[-1], value)

    def vector(self, module: Any, channels: int) -> Array:
        """A copy of what is there: of shape (C,) where it has as many values, whatever the shape; a number C times."""
        held = self.get(module)
        if not isinstance(held, load_torch().Tensor):
            return np.full(channels, held, np.float32)
        array = to_array(held).copy()
        return array.reshape(channels) if array.size == channels else array

    def write(self, module: Any, array: Array) -> None:
        """Copy a vector into it, in place as optimizers and `load_state_dict` do."""
        torch, held = load_torch(), self.get(module)
        tensor = to_tensor(array)
        if not isinstance(held, torch.Tensor):
            self.set(module, tensor.clone())
            return
        with torch.no_grad():
            held.copy_(tensor.reshape(held.shape) if tensor.numel() == held.numel() else tensor)

    def kind(self, module: Any) -> str:
        """What it is, in words, with its shape where that is not (C,)."""
        owner, name, held = self.owner(module), self.path[-1], self.get(module)
        if name in getattr(owner, "_parameters", {}):
            what = "a parameter"
        else:
            what = "a buffer" if name in getattr(owner, "_buffers", {}) else "a plain attribute"
        shape = ["C" if size != 1 else "1" for size in getattr(held, "shape", ())]
        return what if len(shape) == 1 else f"{what} of shape ({', '.join(shape)})"

    def __str__(self) -> str:
        return ".".join(self.path)


def tensors_in(module: Any) -> Iterator[HeldAt]:
    """Where a module, and every module inside it, holds a tensor."""
    torch = load_torch()
    named = module.named_modules() if isinstance(module, torch.nn.Module) else [("", module)]
    for prefix, owner in named:
        path = tuple(filter(None, prefix.split(".")))
        held = {**vars(owner), **getattr(owner, "_parameters", {}), **getattr(owner, "_buffers", {})}
        for name, value in held.items():
            if isinstance(value, torch.Tensor) and not (name.startswith("_") and name[1:] in held):
                yield HeldAt((*path, name))


def vectors_in(module: Any, channels: int) -> list[HeldAt]:
    """Where a module holds a tensor of one value a channel, whose shape is (C,) but for axes of size 1."""
    return [
        place
        for place in tensors_in(module)
        if sorted(size for size in place.get(module).shape if size != 1) == [channels]
    ]


def numbers_in(module: Any, aliases: tuple[str, ...]) -> list[HeldAt]:
    """Where a module, and every module inside it, holds a number under one of some names."""
    torch = load_torch()
    named = module.named_modules() if isinstance(module, torch.nn.Module) else [("", module)]
    found = []
    for prefix, owner in named:
        own = [key for key, value in vars(owner).items() if number_or_none(value) is not None]
        name = best_named(own, aliases) or best_named(_properties(owner), aliases)
        if name:
            found.append(HeldAt((*filter(None, prefix.split(".")), name)))
    return found


def _properties(owner: Any) -> list[str]:
    """Class attributes and properties that hold a number."""
    names = [name for base in type(owner).__mro__[:-1] for name in vars(base) if not name.startswith("__")]
    found = []
    for name in names:
        try:
            value = getattr(owner, name)
        except Exception:
            continue
        if number_or_none(value) is not None:
            found.append(name)
    return found


def by_name(places: list[HeldAt], names: Mapping[str, str], whose: str) -> dict[str, HeldAt]:
    """The places of the roles that names tell.

    Args:
        places: where the module holds a value for each channel.
        names: what the user has said: of a role, the attribute or its path.
        whose: the module, for messages.

    Raises:
        TargetError: what the user named is not there, or two modules inside hold the same role.
    """
    found: dict[str, HeldAt] = {}
    for role, aliases in HELD.items():
        if role in names:
            found[role] = _said(role, names[role], places, whose)
            continue
        name = best_named([place.path[-1] for place in places], aliases)
        rivals = [place for place in places if place.path[-1] == name]
        if len(rivals) > 1 and len({place.path[:-1] for place in rivals if place.path[:-1]}) > 1:
            lines = " or ".join(f"--name {role}={place}" for place in rivals)
            raise TargetError(f"{whose} holds {name} in {len(rivals)} places; say which: {lines}")
        if rivals:
            found[role] = rivals[0]
    return found


def _said(role: str, name: str, places: list[HeldAt], whose: str) -> HeldAt:
    for place in places:
        if name in (str(place), place.path[-1]):
            return place
    there = ", ".join(map(str, places)) or "none"
    raise TargetError(f"{whose} has no {name} with a value a channel, for --name {role}={name}; it has {there}")
