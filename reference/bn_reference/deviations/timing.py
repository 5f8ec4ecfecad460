"""Deviations of running statistics: when they move."""

from __future__ import annotations

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer


@deviation(
    "never-moves",
    clause="STAT-4",
    effect="inference uses mean 0 and variance 1 for ever",
    link="https://github.com/microsoft/onnxruntime/pull/6349",
)
class NeverMoves(PlainLayer):
    """Running statistics stay as they were."""

    def moves(self, training: bool) -> bool:
        """Never move."""
        return False


@deviation(
    "moves-twice",
    clause="STAT-4",
    effect="running statistics follow too fast, as where a forward is computed again for its backward",
    link="https://github.com/pytorch/pytorch/issues/96136",
)
class MovesTwice(PlainLayer):
    """Running statistics move twice in a step."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move twice."""
        super().move(mean, variance, count)
        super().move(mean, variance, count)


@deviation(
    "moves-again-in-backward",
    clause="STAT-4",
    effect="running statistics follow too fast wherever there is a backward",
    link="https://github.com/Tencent/YOLO-Master/issues/262",
)
class MovesAgainInBackward(PlainLayer):
    """Running statistics move in forward and once more in backward."""

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, then move by the batch that was saved."""
        gradients, saved = super().backward(dy), self.saved
        if saved is not None and saved.mode == "training":
            variance = self.variance_of(saved.rows, saved.mean, saved.counted)
            self.move(saved.mean.mean(axis=1), variance.mean(axis=1), int(saved.counted.sum()))
        return gradients


@deviation("moves-once-only", clause="STAT-4", effect="running statistics are those of the first batch")
class MovesOnceOnly(PlainLayer):
    """Running statistics move in the first training step alone."""

    def moves(self, training: bool) -> bool:
        """Move in the first training step alone."""
        return super().moves(training) and self.updates == 0


@deviation("moves-every-second-step", clause="STAT-4", effect="running statistics follow half as fast")
class MovesEverySecondStep(PlainLayer):
    """Running statistics skip every second training step."""

    steps = 0

    def moves(self, training: bool) -> bool:
        """Move in the first training step, the third, and so on."""
        self.steps += training
        return super().moves(training) and self.steps % 2 == 1


@deviation("moves-by-previous-batch", clause="STAT-4", effect="running statistics are a step behind")
class MovesByPreviousBatch(PlainLayer):
    """Running statistics take in the batch before this one, the first batch twice."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move by the batch before."""
        latest, self.latest = getattr(self, "latest", (mean, variance, count)), (mean, variance, count)
        super().move(*latest)


@deviation("moves-in-inference", clause="STAT-5", effect="evaluating a model changes it")
class MovesInInference(PlainLayer):
    """Running statistics move in inference too."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Move by the batch in inference too."""
        saved = super().normalisers(x, mask, training)
        count = int(saved.counted.sum())
        if not training and not self.frozen and count:
            mean = self.mean_of(saved.rows, saved.counted)
            variance = self.variance_of(saved.rows, mean, saved.counted)
            self.move(mean.mean(axis=1), variance.mean(axis=1), count)
        return saved
