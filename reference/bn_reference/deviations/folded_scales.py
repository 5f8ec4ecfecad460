"""Deviations of inference by a scale and shift that were folded earlier and are out of date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# Scales that were folded too early.

_FOLDED = ("gamma", "beta", "running_mean", "running_var")


def _stale(name: str, sentence: str, effect: str, renewed_by: frozenset[str], clause: str, link: str = "") -> None:
    """Register a layer that folds its scale and shift at its first inference, and again only after some calls."""

    class Stale(PlainLayer):
        folded: Mapping[str, Array] | None = None

        def renewed(self, call: str) -> None:
            """Forget the folded values after a call that renews them."""
            if call in renewed_by:
                self.folded = None

        def move(self, mean: Array, variance: Array, count: int) -> None:
            """Tell of a training step."""
            super().move(mean, variance, count)
            self.renewed("training")

        def set_running_statistics(self, mean: Array, variance: Array) -> None:
            """Tell of new statistics."""
            super().set_running_statistics(mean, variance)
            self.renewed("statistics")

        def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
            """Tell of new parameters."""
            super().set_parameters(gamma, beta)
            self.renewed("parameters")

        def load_state(self, state: Mapping[str, Array]) -> None:
            """Tell of a loaded state alone, and not of the calls that loading makes."""
            kept = self.folded
            super().load_state(state)
            self.folded = kept
            self.renewed("load")

        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Use the folded values in inference."""
            if self.uses_batch(training):
                return super().forward_masked(x, mask, training)
            current = {part: getattr(self, part) for part in _FOLDED}
            self.folded = self.folded or current
            vars(self).update(self.folded)
            try:
                return super().forward_masked(x, mask, training)
            finally:
                vars(self).update(current)

    Stale.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Stale)


def _all_but(*calls: str) -> frozenset[str]:
    return frozenset({"training", "statistics", "parameters", "load"}) - set(calls)


_stale(
    "fold-never-renewed",
    "Inference keeps the scale and shift of its first call for ever.",
    "training on has no effect on results in use",
    frozenset(),
    "STATE-1",
    "https://github.com/ooples/AiDotNet/pull/1505",
)
_stale(
    "fold-survives-training",
    "Inference keeps its scale and shift over training steps.",
    "a model that is validated between epochs stays at its first one",
    _all_but("training"),
    "STATE-1",
)
_stale(
    "fold-survives-set-statistics",
    "Inference keeps its scale and shift when running statistics are set.",
    "converted statistics have no effect",
    _all_but("statistics"),
    "EVAL-1",
)
_stale(
    "fold-survives-set-parameters",
    "Inference keeps its scale and shift when gamma and beta are set.",
    "an optimiser's step has no effect on results in use",
    _all_but("parameters"),
    "FWD-3",
)
_stale(
    "fold-survives-load",
    "Inference keeps its scale and shift when a state is loaded.",
    "a layer that was used before its weights came ignores them",
    _all_but("load"),
    "STATE-2",
)


@deviation(
    "folded-statistics-of-fresh-layer",
    clause="STATE-1",
    effect="training has no effect on results in use, whatever the running statistics show",
)
class FoldedStatisticsOfFreshLayer(PlainLayer):
    """Inference uses the statistics that were set last, and not what training made of them."""

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Keep a copy of the statistics that are set."""
        super().set_running_statistics(mean, variance)
        self.set_last = self.running_mean, self.running_var

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by the copy in inference."""
        saved = super().normalisers(x, mask, training)
        kept: Any = getattr(self, "set_last", None)
        if saved.mode == "training" or kept is None:
            return saved
        inverse = self.normaliser(self.column(kept[1]), "inference")
        return replace(saved, mean=self.column(kept[0]), inverse=inverse)
