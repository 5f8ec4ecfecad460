"""Drawn steps: sequences of batches, with steps before them that set, save or freeze."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from hypothesis import strategies as st

from bn_conformance.adapter import Capabilities, LayerConfig
from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import Batch, Freeze, Reload, Second, SetParameters, Step
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.views import VIEWS
from bn_conformance.fuzz.drawn_data import drawn_data, drawn_statistics, drawn_vector
from bn_conformance.fuzz.source import Draw, Source
from bn_conformance.fuzz.tagging import is_special

MOST_BATCHES = 4

AGES = (2, 10, 100)
"""Steps before the others, where a layer is old: counters and what is kept from earlier calls show then."""


@st.composite
def _part(draw: Draw, steps: DrawnSteps, before: tuple[Step, ...]) -> list[Step]:
    """A part of a sequence as a draw of its own, which Hypothesis can leave out as a whole."""
    steps.source.draw = draw
    return steps.part(before)


@dataclass
class DrawnSteps:
    """Draws the steps of one case."""

    source: Source
    can: Capabilities
    config: LayerConfig
    shape: tuple[int, ...]

    def edge(self) -> tuple[Step, ...]:
        """One value a channel, or none: a training step, or one of inference, as in the matrix."""
        x = DataRecipe(seed=self.source.seed())
        if self.can.set_statistics and self.source.one_in(2):
            return drawn_statistics(self.source), Batch(training=False, shape=self.shape, x=x)
        has_values = prod(self.shape) > 0
        dy = DataRecipe(seed=self.source.seed()) if has_values and "training" in self.can.gradients else None
        return (Batch(training=True, shape=self.shape, x=x, dy=dy),)

    def sequence(self) -> tuple[Step, ...]:
        """One to a few steps; the last has data."""
        steps: list[Step] = []
        batches = 0
        while batches < MOST_BATCHES:
            steps += self.source.draw(_part(self, tuple(steps)))
            batches += 1
            if not self.source.one_in(5):
                break
        return (*self._before(), *steps)

    def _before(self) -> list[Step]:
        """Now and then so many training steps before the others that the layer is old; nothing of them is judged."""
        if self.can.compiles or "training" not in self.can.modes or not self.source.one_in(24):
            return []
        step = Batch(training=True, shape=self.shape, x=DataRecipe(seed=self.source.seed()), judge=False)
        return [step] * self.source.pick(*AGES)

    def part(self, before: tuple[Step, ...]) -> list[Step]:
        """A batch, perhaps with a step before it; `before` are the steps so far."""
        between = self._between(before) if self.source.one_in(3) else []
        return [*between, self._batch()]

    def _between(self, before: tuple[Step, ...]) -> list[Step]:
        kinds = [
            *(["statistics"] if self.can.set_statistics else []),
            "parameters",
            *(["reload"] if self.can.state and before else []),
            *(["freeze"] if self.can.freeze else []),
        ]
        kind = self.source.pick(*kinds)
        if kind == "statistics":
            return [drawn_statistics(self.source)]
        if kind == "parameters":
            return [SetParameters(gamma=drawn_vector(self.source), beta=drawn_vector(self.source))]
        return [Reload()] if kind == "reload" else [Freeze()]

    def _batch(self) -> Batch:
        source, config = self.source, self.config
        training = not source.one_in(3)
        mode = "training" if training else "inference"
        batch = Batch(training=training, shape=self._size(), x=drawn_data(source, config.dtype))
        if mode in self.can.gradients and not source.one_in(3):
            batch = replace(batch, dy=drawn_data(source, config.dtype, gradient=True))
        rare = source.number(0, 11)
        if rare == 11:
            view = source.pick(*(view for view in VIEWS if view != "contiguous"))
            return replace(batch, view=view)
        if rare == 10:
            return replace(batch, interrupt=DataRecipe(seed=source.seed(), offset=3.0))
        if rare == 9 and self.can.masks and not is_special([batch]):  # nothing is specified of NaN in dy under a mask
            return replace(batch, mask=self._mask(batch.shape))
        if rare == 8 and batch.dy is not None and mode in self.can.second_order:
            return replace(batch, second=self._second())
        return batch

    def _size(self) -> tuple[int, ...]:
        """The shape of the case, or another batch size where no shape costs a compilation."""
        if self.can.compiles or not self.source.one_in(6):
            return self.shape
        return (self.source.number(2, 5), *self.shape[1:])

    def _mask(self, shape: tuple[int, ...]) -> MaskRecipe | None:
        """A mask that counts two positions at least."""
        kind = self.source.pick("all", "random", "samples", "prefixes")
        hidden = self.source.pick(None, 1e4)
        mask = MaskRecipe(kind=kind, seed=self.source.seed(), hidden=hidden)
        return mask if mask.array(shape, self.config.channel_axis).sum() >= 2 else None

    def _second(self) -> Second:
        source = self.source
        vectors = [None if source.one_in(3) else DataRecipe(kind="centred", seed=source.seed()) for _ in range(2)]
        return Second(v_dx=DataRecipe(kind="centred", seed=source.seed()), v_dgamma=vectors[0], v_dbeta=vectors[1])
