"""The grammar of conditions: on which layers, calls, data and memory a conditional mutant is wrong.

Real code is wrong under a condition where it has a path of its own: a kernel for channels in eights, a loop for what is
left over, another algorithm for long channels, a buffer that the second call finds. Each condition here is one on which
libraries choose a path. `GRAMMAR` lists the simple ones by group; a drawn condition is one of them, or one of `PATHS`
together with one of another group, as in "channels last and C mod 8 = 0".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bn_conformance.mutation.occasions import FEATURES, Occasion


@dataclass(frozen=True)
class Within:
    """A number in a range: from `least` on, and below `below` where there is one."""

    feature: str
    least: float
    below: float | None = None

    @property
    def text(self) -> str:
        """It in words, as `C >= 8`."""
        words = FEATURES[self.feature].words
        if self.below is None:
            return f"{words} >= {self.least:g}"
        if self.least <= 0:
            return f"{words} < {self.below:g}"
        single = self.below == self.least + 1
        return f"{words} = {self.least:g}" if single else f"{words} in [{self.least:g}, {self.below:g})"

    def holds(self, occasion: Occasion) -> bool:
        """Whether the number lies in the range."""
        value = FEATURES[self.feature].read(occasion)
        return isinstance(value, int | float) and self.least <= value and (self.below is None or value < self.below)


@dataclass(frozen=True)
class Residue:
    """A number with a remainder, that of a vector loop: the one named, or any but 0 where `remainder` is None."""

    feature: str
    divisor: int
    remainder: int | None = 0

    @property
    def text(self) -> str:
        """It in words, as `C mod 8 = 0`."""
        words = f"{FEATURES[self.feature].words} mod {self.divisor}"
        return f"{words} is not 0" if self.remainder is None else f"{words} = {self.remainder}"

    def holds(self, occasion: Occasion) -> bool:
        """Whether the number has the remainder."""
        value = FEATURES[self.feature].read(occasion)
        if not isinstance(value, int) or not value:
            return False
        return value % self.divisor != 0 if self.remainder is None else value % self.divisor == self.remainder


@dataclass(frozen=True)
class Same:
    """A feature with one value."""

    feature: str
    value: str | bool

    @property
    def text(self) -> str:
        """It in words, as `channels last`, or `a mask` and `not training`."""
        words = FEATURES[self.feature].words
        if isinstance(self.value, bool):
            return words if self.value else f"not {words}"
        return f"{words} {self.value}"

    def holds(self, occasion: Occasion) -> bool:
        """Whether the feature has the value."""
        return FEATURES[self.feature].read(occasion) == self.value


Condition = Within | Residue | Same


@dataclass(frozen=True)
class Where:
    """Conditions that all hold where a conditional mutant is wrong: one, or two of different groups."""

    conditions: tuple[Condition, ...]

    @property
    def text(self) -> str:
        """It in words."""
        return " and ".join(condition.text for condition in self.conditions)

    @property
    def of_layer(self) -> bool:
        """Whether it is known when the layer is built."""
        return all(FEATURES[condition.feature].of_layer for condition in self.conditions)

    def holds(self, occasion: Occasion) -> bool:
        """Whether all of them hold."""
        return all(condition.holds(occasion) for condition in self.conditions)


def _from(feature: str, *least: float) -> tuple[Condition, ...]:
    return tuple(Within(feature, value) for value in least)


def _multiples(feature: str, *divisors: int) -> tuple[Condition, ...]:
    return tuple(Residue(feature, divisor) for divisor in divisors)


GRAMMAR: Mapping[str, tuple[Condition, ...]] = {
    "rank": tuple(Within("rank", rank, rank + 1) for rank in (2, 3, 4, 5)),
    "layout": tuple(Same("layout", value) for value in ("first", "last", "between")),
    "format": (
        *(Same("format", name) for name in ("float16", "bfloat16", "float32", "float64")),
        Same("narrow", True),
        Same("wider", True),
    ),
    "mode": (Same("training", True), Same("training", False), Same("masked", True)),
    "parameters": (
        *(Same("affine", name) for name in ("none", "gamma", "beta")),
        Within("eps", 0.0, 1e-6),
        Within("eps", 0.5),
        Within("momentum", 0.5),
    ),
    "channels": (
        Within("channels", 1, 2),
        *_from("channels", 8, 16, 32, 64, 128, 256, 512, 1024),
        *(Within("channels", size, 2 * size) for size in (8, 16, 32, 64, 128, 256, 512)),
        *_multiples("channels", 2, 4, 8, 16, 32),
        *(Residue("channels", divisor, None) for divisor in (2, 4)),
    ),
    "batch": (
        Within("batch", 1, 2),
        *_from("batch", 8, 16, 32),
        *_multiples("batch", 2, 8, 16),
        Residue("batch", 2, None),
    ),
    "space": (
        Within("space", 1, 2),
        *_from("space", 16, 49, 256, 1024),
        *_multiples("space", 4, 8, 16),
        Residue("space", 4, None),
        Within("width", 1, 2),
        *_from("width", 8, 16, 32),
    ),
    "count": (
        *_from("count", 32, 64, 128, 256, 512, 1024, 2048, 4096),
        *(Within("count", size, 2 * size) for size in (32, 64, 128, 256, 512, 1024, 2048)),
        *_multiples("count", 4, 8, 32),
        *(Residue("count", divisor, None) for divisor in (4, 32)),
    ),
    "time": (
        Within("number", 1, 2),
        *_from("number", 2, 3, 5, 11, 100),
        Residue("number", 2, 0),
        Same("resized", True),
    ),
    "memory": tuple(Same("memory", value) for value in ("part", "permuted", "strided")),
    "data": (
        *_from("offset", 3.0, 30.0, 1000.0),
        *_from("largest", 100.0, 1000.0),
        Same("constant", True),
    ),
}
"""The simple conditions by group."""

PATHS = ("rank", "layout", "format", "mode")
"""Groups by which code branches before it looks at sizes: the first of two conditions is of these."""

SIZES = ("channels", "batch", "space", "count", "memory", "data", "time")
"""Groups of the second of two conditions."""

OF_STATE = ("rank", "format", "mode", "parameters", "time")
"""Groups of what code that keeps, saves and loads state knows: it sees no array."""

WHEN_BUILT = ("rank", "layout", "format", "parameters", "channels")
"""Groups of what is known when a layer is built."""

SHARE_OF_PAIRS = 1 / 3


def drawn(text: str, groups: Collection[str], pairs: bool = True) -> Where:
    """A condition that a text decides: equal texts give equal conditions.

    Args:
        text: seed of the draw.
        groups: of `GRAMMAR`, from which it is drawn.
        pairs: whether it may be two together.
    """
    random = Random(text)
    group = _choice(random, [group for group in GRAMMAR if group in groups])
    condition = _choice(random, GRAMMAR[group])
    paths = [path for path in PATHS if path in groups]
    if not pairs or group not in SIZES or random.random() >= SHARE_OF_PAIRS * len(GRAMMAR) / len(SIZES):
        return Where((condition,))
    return Where((_choice(random, GRAMMAR[_choice(random, paths)]), condition))


def _choice(random: Random, values: Sequence[Any]) -> Any:
    """One of the values; `Random.random` is the part of Python's generator that never changes."""
    return values[int(random.random() * len(values))]
