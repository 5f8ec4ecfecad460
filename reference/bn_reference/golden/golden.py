"""Goldens: the right results of a layer, as rows in binary128, each with its bounds.

They depend on the data alone: running statistics are passed in, and new ones are returned. Rows have shape (C, n),
vectors (C,).
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import QUAD, Quad, bytes_of, to_quad
from bn_reference.bounds.arithmetic import FLOAT64, SECOND_ORDER, arithmetic_for, nodes_in, rounded
from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.inference import InferenceBounds, RunningBounds
from bn_reference.bounds.projections import Projections, near
from bn_reference.bounds.ranges import BatchRanges, InferenceRanges, RunningRanges
from bn_reference.bounds.second_order import InferenceSecondBounds, TrainingSecondBounds
from bn_reference.definition import graph
from bn_reference.definition.graph import Mask
from bn_reference.definition.running import Weights, batch_variance, bessel, eps_of, update, weights_of
from bn_reference.definition.second_order import Upstream, inference_second_order, second_order
from bn_reference.definition.state import GammaBeta, LayerFormats, Statistics
from bn_reference.golden.answers import Answers
from bn_reference.golden.expected import Expected
from bn_reference.golden.gradients import expected_gradients
from bn_reference.golden.nothing_counted import empty_batch, unchanged_statistics
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import Grade


class Golden:
    """Goldens of one batch through one layer. What several calls need is computed once.

    Args:
        config: the layer.
        convention: the choices that it is judged under.
        x: rows of shape (C, n) in binary128.
        parameters: gamma and beta.
        exact_statistics: mean and variance of x are exact in any order of summation; in inference, x minus the running
            mean is exact.
        mask: boolean, of shape (n,), True where a position counts for the statistics in training; inference ignores it.
            None where every position counts.

    Raises:
        ValueError: the mask is not boolean, or has another shape.
    """

    def __init__(
        self,
        config: LayerConfig,
        convention: Convention,
        x: Quad,
        parameters: GammaBeta,
        exact_statistics: bool = False,
        mask: Mask | None = None,
    ) -> None:
        if mask is not None and (mask.dtype != np.bool_ or mask.shape != x.shape[1:]):
            raise ValueError(f"mask is {mask.dtype} of shape {mask.shape}; give bool of shape {x.shape[1:]}")
        self.config, self.convention, self.x, self.parameters = config, convention, x, parameters
        self.exact_statistics, self.mask = exact_statistics, mask
        self.eps = eps_of(config, convention)
        self.formats = LayerFormats.of(config, convention)
        self._training: tuple[graph.Forward, BatchBounds] | None = None
        self._answers = Answers(x.size)

    def _batch(self) -> tuple[graph.Forward, BatchBounds]:
        """The forward pass in training, and its bounds in the arithmetic that is enough for them."""
        if self._training is None:
            gamma, beta = self.parameters.gamma, self.parameters.beta
            nodes = graph.forward(self.x, gamma, beta, self.eps, self.mask)
            self._training = nodes, self._bounds_in(self._arithmetic, nodes)
        return self._training

    @property
    def nodes(self) -> graph.Forward:
        """Every node of the forward pass in training."""
        return self._batch()[0]

    @property
    def bounds(self) -> BatchBounds:
        """Bounds of the batch in training."""
        return self._batch()[1]

    @property
    def _counts_nothing(self) -> bool:
        """Whether there is a mask, and it hides every position."""
        return self.mask is not None and self._batch()[1].count == 0

    @cached_property
    def _arithmetic(self) -> Any:
        """The arithmetic of the bounds of the batch. Hidden values count too: their y and dx have bounds."""
        return arithmetic_for(self._near_x, self.parameters.gamma, self.parameters.beta, self.eps)

    @cached_property
    def _near_x(self) -> NDArray[np.float64]:
        """x rounded to float64: the tests of its range and the bounds in float64 share it."""
        return rounded(self.x, FLOAT64)

    def _bounds_for(self, *given: Quad | None) -> BatchBounds:
        """Bounds of the batch, in an arithmetic that is also enough for these numbers."""
        bounds = self._batch()[1]
        return bounds if bounds.work == QUAD or arithmetic_for(*given) == FLOAT64 else self._wide_bounds

    @cached_property
    def _wide_bounds(self) -> BatchBounds:
        nodes, bounds = self._batch()
        return bounds if bounds.work == QUAD else self._bounds_in(QUAD, nodes)

    def _bounds_in(self, dtype: Any, nodes: graph.Forward) -> BatchBounds:
        gamma, beta = (None if part is None else rounded(part, dtype) for part in vars(self.parameters).values())
        return BatchBounds(
            x=self._near_x if dtype == FLOAT64 else self.x,
            nodes=nodes_in(nodes, dtype),
            gamma=gamma,
            beta=beta,
            eps=self.eps.astype(dtype),
            compute=self.formats.compute,
            storage=self.formats.storage,
            parameters=self.formats.parameters,
            exact_statistics=self.exact_statistics,
            mask=self.mask,
        )

    def under(self, convention: Convention, config: LayerConfig | None = None) -> Golden:
        """The same batch under another convention with the same eps; both share what was computed of the batch.

        Args:
            convention: the other one.
            config: of a layer that differs in its momentum and the place of its channels alone; None for this one.
        """
        golden = copy(self)
        golden.config = config or self.config
        golden.convention, golden.formats = convention, LayerFormats.of(golden.config, convention)
        return golden

    def training(self, dy: Quad | None) -> dict[str, Expected]:
        """y, and with dy the gradients dx, dgamma and dbeta, of a training step.

        Where a mask hides every value of a batch, all bounds are vacuous and nothing is judged (MASK-5).
        """
        nodes, bounds = self._batch()
        if bounds.count == 0:
            return empty_batch(nodes.y, dy)
        expected = {"y": Expected(nodes.y, bounds.y, range_=BatchRanges(bounds).y)}
        if dy is not None:
            grads, bounds = graph.backward(dy, nodes, self.parameters.gamma, self.mask), self._bounds_for(dy)
            expected |= expected_gradients(bounds, BatchRanges(bounds), dy, grads)
        return expected

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """y, and with dy the gradients, of an inference step with the given running statistics."""
        question = "inference", self.formats, self.convention.eps_in_inference, statistics.key, bytes_of(dy)
        return self._answers.of(question, lambda: self._in_inference(statistics, dy))

    def _in_inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        nodes, bounds = self._inference(statistics, dy)
        ranges = InferenceRanges(bounds)
        expected = {"y": Expected(nodes.y, bounds.y, range_=ranges.y, uncut=bounds.uncut_y)}
        if dy is not None:
            grads = graph.inference_backward(dy, nodes, self.parameters.gamma)
            expected |= expected_gradients(bounds, ranges, dy, grads)
        return expected

    def second_order(
        self,
        dy: Quad,
        v_dx: Quad,
        v_dgamma: Quad | None = None,
        v_dbeta: Quad | None = None,
        statistics: Statistics | None = None,
    ) -> dict[str, Expected]:
        """Gradients of s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta), in training or in inference.

        Args:
            dy: rows (C, n).
            v_dx: rows (C, n).
            v_dgamma: vector (C,); None for 0.
            v_dbeta: vector (C,); None for 0.
            statistics: running statistics, for inference; None for training.

        Returns:
            ds_dx and ds_ddy, rows (C, n), and ds_dgamma, a vector (C,). Of a layer without gamma, ds_dgamma is the
            gradient that a gamma of 1 would have.

        Raises:
            ValueError: the layer has a mask; the second order of masked training is not specified.
        """
        if self.mask is not None and statistics is None:
            raise ValueError("second_order in training takes no mask; build the Golden without one")
        zeros = np.zeros(self.x.shape[0], QUAD)
        upstream = Upstream(v_dx, zeros if v_dgamma is None else v_dgamma, zeros if v_dbeta is None else v_dbeta)
        gamma = self.parameters.gamma
        given = self.x, *vars(self.parameters).values(), self.eps, dy, *vars(upstream).values()
        second: TrainingSecondBounds | InferenceSecondBounds
        if statistics is not None:
            given = *given, statistics.mean, statistics.variance
            nodes, bounds = self._inference(statistics, None, arithmetic_for(*given, within=SECOND_ORDER))
            values = inference_second_order(dy, nodes, gamma, upstream)
            second = InferenceSecondBounds(bounds, rounded(dy, bounds.work), *near(upstream, values, bounds.work))
        else:
            nodes, batch = self._batch()
            if batch.count == 0:
                expected = empty_batch(nodes.y, dy)
                return {"ds_dx": expected["dx"], "ds_dgamma": expected["dgamma"], "ds_ddy": expected["dx"]}
            values = second_order(dy, nodes, gamma, upstream)
            if arithmetic_for(*given, within=SECOND_ORDER) == QUAD:
                batch = self._wide_bounds
            projections = Projections.of(dy, v_dx, nodes, batch.work)
            second = TrainingSecondBounds(batch, projections, *near(upstream, values, batch.work))
        return {
            "ds_dx": Expected(values.ds_dx, second.ds_dx),
            "ds_dgamma": Expected(values.ds_dgamma, second.ds_dgamma),
            "ds_ddy": Expected(values.ds_ddy, second.ds_ddy),
        }

    def _inference(
        self, statistics: Statistics, dy: Quad | None, dtype: Any = FLOAT64
    ) -> tuple[graph.Forward, InferenceBounds]:
        """The forward pass in inference, and its bounds, in binary128 where `dtype` or the numbers ask for it."""
        eps = self.eps if self.convention.eps_in_inference else to_quad(0.0)
        gamma, beta = self.parameters.gamma, self.parameters.beta
        nodes = graph.inference(self.x, statistics.mean, statistics.variance, gamma, beta, eps)
        if dtype == QUAD or self._arithmetic == QUAD:
            dtype = QUAD
        else:
            dtype = arithmetic_for(statistics.mean, statistics.variance, dy)
        gamma, beta = (None if part is None else rounded(part, dtype) for part in (gamma, beta))
        bounds = InferenceBounds(
            x=self._near_x if dtype == FLOAT64 else self.x,
            nodes=nodes_in(nodes, dtype),
            gamma=gamma,
            beta=beta,
            eps=eps.astype(dtype),
            mean_error=statistics.mean_error.astype(dtype),
            variance_error=statistics.variance_error.astype(dtype),
            compute=self.formats.compute,
            storage=self.formats.storage,
            parameters=self.formats.parameters,
            exact_statistics=self.exact_statistics,
        )
        return nodes, bounds

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after this training batch, with the errors that a grade allows.

        Returns:
            The new statistics, whose errors the next steps carry on, and the goldens of running_mean and running_var.
            Where a mask hides every position, the statistics stay as they are.
        """
        expected = self.updated(statistics)
        if self._counts_nothing:
            return statistics, expected
        mean, variance = expected["running_mean"], expected["running_var"]
        errors = mean.bound(grade).allowed, variance.bound(grade).allowed
        return Statistics(mean.values, variance.values, *errors, statistics.updates + 1), expected

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """Goldens of running_mean and running_var after this training batch.

        Where a mask hides every position, the statistics stay as they are.
        """
        if self._counts_nothing:
            return unchanged_statistics(statistics)
        weights = weights_of(self.config, self.convention, statistics.updates)
        question = "updated", self.formats, self.convention, weights, statistics.key
        return self._answers.of(question, lambda: self._updated(statistics, weights))

    def _updated(self, statistics: Statistics, weights: Weights) -> dict[str, Expected]:
        nodes, count = self._batch()[0], self._batch()[1].count
        batch = batch_variance(nodes.variance, count, self.eps, self.convention)
        mean, variance = update(statistics.mean, nodes.mean, weights), update(statistics.variance, batch, weights)
        bounds = self._bounds_for(statistics.mean, statistics.variance)
        running = RunningBounds(
            old_mean=statistics.mean.astype(bounds.work),
            old_variance=statistics.variance.astype(bounds.work),
            batch_mean=nodes.mean.astype(bounds.work),
            batch_variance=batch.astype(bounds.work),
            mean=mean.astype(bounds.work),
            variance=variance.astype(bounds.work),
            weights=weights.cast(bounds.work),
            batch=bounds.statistics,
            bessel=bessel(count)[0] / bessel(count)[1] if self.convention.running_variance == "unbiased" else 1.0,
            old_mean_error=statistics.mean_error.astype(bounds.work),
            old_variance_error=statistics.variance_error.astype(bounds.work),
            compute=self.formats.compute,
            storage=self.formats.statistics,
        )
        ranges = RunningRanges(running, bounds)
        return {
            "running_mean": Expected(mean, running.running_mean),
            "running_var": Expected(variance, running.running_variance, range_=ranges.running_variance),
        }
