"""Layers with one method that is wrong under a condition, such as one rank or one format.

Frameworks have separate code for ranks, places of the channels and formats, so a mistake may be in only one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT64
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.config import CUMULATIVE

Condition = Callable[[PlainLayer], bool]
Change = Callable[..., Any]


def changed_where(
    module: str,
    condition: Condition,
    name: str,
    clause: str,
    sentence: str,
    effect: str,
    method: str,
    change: Change,
    level: str = "",
    numeric: bool = True,
) -> None:
    """Register a layer that has one method changed wherever a condition holds.

    Args:
        module: name of the module that enters it, which is its group.
        condition: of the layer.
        name: as of a `Deviation`, and so are clause, sentence, effect, level and numeric.
        clause: see name.
        sentence: see name.
        effect: see name.
        method: the name of the method.
        change: is given the layer, the original method and its arguments.
        level: see name.
        numeric: see name.
    """

    class Conditional(PlainLayer):
        pass

    def changed(self: PlainLayer, *arguments: Any) -> Any:
        original = getattr(super(Conditional, self), method)
        return change(self, original, *arguments) if condition(self) else original(*arguments)

    changed.__doc__ = "Changed where the condition holds."
    setattr(Conditional, method, changed)
    Conditional.__doc__ = sentence
    Conditional.__module__ = module
    deviation(name, clause=clause, effect=effect, level=level, numeric=numeric)(Conditional)


def of_rank(rank: int) -> Condition:
    """Hold where x has this rank."""
    return lambda layer: layer.config.rank == rank


def of_16_bits(layer: PlainLayer) -> bool:
    """Hold where x has 16 bits."""
    return layer.storage.itemsize == 2


def of_float64(layer: PlainLayer) -> bool:
    """Hold where x is float64."""
    return layer.storage == FLOAT64


def without_parameters(layer: PlainLayer) -> bool:
    """Hold where the layer has neither gamma nor beta."""
    return not layer.config.gamma and not layer.config.beta


def of_cumulative_average(layer: PlainLayer) -> bool:
    """Hold where the running statistics are plain averages."""
    return layer.config.momentum == CUMULATIVE


def default_momentum_of_a_hundredth(layer: PlainLayer, original: Change) -> Weights:
    """Give the new statistic a weight of 0.01 where the layer was built without momentum."""
    if layer.config.momentum is not None:
        weights: Weights = original()
        return weights
    return Weights(layer.constant(0.99), layer.constant(0.01))
