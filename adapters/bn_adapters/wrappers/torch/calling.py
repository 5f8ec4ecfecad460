"""How a layer is called: how it is told its mode, where y is in what it gives, and how it takes a mask."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bn_adapters.torch_tensors import load_torch, to_tensor
from bn_adapters.wrappers.reading.roles import RESIDUAL_NAMES
from bn_adapters.wrappers.torch.names import CALLED, MASK, OF_INFERENCE, TRAINING, best_named, in_small_letters
from bn_conformance.adapter import Array
from bn_conformance.targets.naming import TargetError

BY_TRAIN, BY_FLAG, BY_ARGUMENT, BY_GRAD = "train", "flag", "argument", "grad"
"""How a layer is told its mode: by `train()` and `eval()`, an attribute `training`, an argument, or autograd."""


@dataclass(frozen=True)
class MaskForm:
    """How a mask is handed over.

    Attributes:
        argument: its name.
        squeezed: without the axis of the channels.
        inverted: true where a position does not count.
        floating: as numbers of the format of x.
    """

    argument: str
    squeezed: bool = False
    inverted: bool = False
    floating: bool = False

    def given(self, mask: Array, axis: int, x: Any) -> Any:
        """A mask in this form, of one that is true where a position counts, with size 1 on the axis of the channels."""
        mask = ~mask if self.inverted else mask
        tensor = to_tensor(mask.squeeze(axis) if self.squeezed else mask)
        return tensor.to(x.dtype) if self.floating else tensor

    def __str__(self) -> str:
        shape = "without the axis of the channels" if self.squeezed else "of the shape of x with one channel"
        what = "numbers" if self.floating else "truth values"
        return f"{self.argument}, {what} {shape}, {'false' if self.inverted else 'true'} where a position counts"


@dataclass(frozen=True)
class Calling:
    """How layers of a class are called.

    Attributes:
        mode: how they are told it, one of BY_TRAIN, BY_FLAG, BY_ARGUMENT and BY_GRAD.
        argument: of the mode; its name.
        inverted: whether the flag is true in inference.
        result: where y is: nothing for the result itself, else an index or a key.
        mask: how a mask is handed over; None for no masks.
        residual: the argument for what is added to y, which is given as zeros; empty for none.
        swapped: whether the channels are on axis 0: axes 0 and 1 of x and y are swapped around each call.
    """

    mode: str = BY_TRAIN
    argument: str = ""
    inverted: bool = False
    result: tuple[Any, ...] = ()
    mask: MaskForm | None = None
    residual: str = ""
    swapped: bool = False

    def everything(self, layer: Any, x: Any, training: bool, more: Mapping[str, Any] | None = None) -> Any:
        """What a layer gives for x."""
        x = x.transpose(0, 1).contiguous() if self.swapped else x
        keywords = dict(more or {})
        if self.residual:
            keywords[self.residual] = load_torch().zeros_like(x)
        if isinstance(layer, load_torch().nn.Module):
            if layer.training != training:
                layer.train(training)
        elif self.mode == BY_FLAG:
            layer.training = training
        elif self.mode == BY_TRAIN:
            layer.train() if training else layer.eval()
        if self.mode == BY_ARGUMENT:
            keywords[self.argument] = training != self.inverted
        if self.mode == BY_GRAD and not training:
            with load_torch().no_grad():
                return _called(layer, x, keywords)
        return _called(layer, x, keywords)

    def y(self, layer: Any, x: Any, training: bool, more: Mapping[str, Any] | None = None) -> Any:
        """The y that a layer gives for x."""
        given = self.everything(layer, x, training, more)
        for key in self.result:
            given = given[key]
        return given.transpose(0, 1) if self.swapped else given

    def results_like(self, given: Any, x: Any) -> list[tuple[Any, ...]]:
        """Where in what a layer gave for x there are tensors of the shape of a y."""
        shape = tuple(x.shape)
        return results_like(given, (*shape[1::-1], *shape[2:]) if self.swapped else shape)

    def described(self) -> str:
        """How the mode is told, in words."""
        if self.mode == BY_ARGUMENT:
            return f"the argument {self.argument}, {not self.inverted} in training"
        return {
            BY_TRAIN: "train() and eval()",
            BY_FLAG: "the attribute training",
            BY_GRAD: "torch.is_grad_enabled(), so that inference has no gradients",
        }[self.mode]


def _called(layer: Any, x: Any, keywords: Mapping[str, Any]) -> Any:
    return layer(x, **keywords) if callable(layer) else layer.forward(x, **keywords)


def forward_of(built: type) -> Any:
    """What is called with x: `forward`, or `__call__` of a class that is no module."""
    return getattr(built, "forward", None) or built.__call__


def calling_of(built: type, is_module: bool, names: Mapping[str, str]) -> tuple[Calling, str]:
    """How layers of a class are called, by the names of their arguments; and the name of the argument for a mask.

    Raises:
        TargetError: the forward requires an argument that nobody knows.
    """
    entries = list(inspect.signature(forward_of(built)).parameters.values())[1:]
    named = [entry for entry in entries if entry.kind not in (entry.VAR_KEYWORD, entry.VAR_POSITIONAL)]
    free = [entry.name for entry in named[1:]]
    mode = names.get(TRAINING) or best_named(free, CALLED[TRAINING])
    mask = names.get(MASK) or best_named(free, CALLED[MASK])
    required = [entry.name for entry in named[1:] if entry.default is entry.empty]
    beyond = [name for name in required if name not in (mode, mask)]
    residual = next((name for name in beyond if in_small_letters(name) in RESIDUAL_NAMES), "")
    beyond = [name for name in beyond if name != residual]
    if beyond:
        raise TargetError(
            f"{built.__name__} is called with {', '.join(beyond)} beside x, whose meaning is not known; "
            f"say it: --name training={beyond[0]} or --name mask={beyond[0]}, or wrap it in a module that takes x alone"
        )
    if mode in free:
        return Calling(
            BY_ARGUMENT, mode, in_small_letters(mode) in OF_INFERENCE, residual=residual
        ), mask if mask in free else ""
    switches = is_module or (hasattr(built, "train") and hasattr(built, "eval"))
    return Calling(BY_TRAIN if switches else BY_FLAG, residual=residual), mask if mask in free else ""


def results_like(given: Any, shape: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """Where in what a layer gave there are tensors of a shape; the result itself is at nothing."""
    torch = load_torch()
    if isinstance(given, torch.Tensor):
        return [()] if tuple(given.shape) == shape else []
    if isinstance(given, tuple | list):
        items: Any = enumerate(given)
    else:
        items = given.items() if isinstance(given, Mapping) else ()
    return [(key,) for key, part in items if isinstance(part, torch.Tensor) and tuple(part.shape) == shape]
