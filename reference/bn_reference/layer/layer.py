"""A whole layer in plain NumPy, under any convention.

It is the definition as an implementer would write it: state, training and inference, gradients, save and load. All
arithmetic is in one working dtype (float32, float64 or binary128), with one rounding where a result is stored. The
decisions that a deviation may override are in `first_order` and `second_order`.

The layer is not the golden: `golden.golden` computes goldens from the graph, with their bounds. Tests check that both
agree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.graph import RowGradients
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.second_order import DoubleBackward
from bn_reference.layer.shards import Shards


class PlainLayer(Shards, DoubleBackward):
    """One layer, with the calls that an adapter offers; the arguments are those of `FirstOrder`."""

    def forward(self, x: Array, training: bool) -> Array:
        """y, of the shape and dtype of x. In training the running statistics move, at once or at their moment."""
        return self.forward_masked(x, None, training)

    @quietly
    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """As `forward`, with statistics of the positions where the mask is true; its channel axis has size 1."""
        self.check(x)
        self.shape = x.shape
        rows, saved = self.rows_of(x), self.normalisers(x, mask, training)
        self.saved = self.kept(saved)
        return self.output(self.scale_and_shift((rows - saved.mean) * saved.inverse, saved.mode), x.shape, "y")

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Which values count: a row of n booleans."""
        if mask is None:
            return np.ones((1, x.size // max(x.shape[self.axis(x)], 1)), np.bool_)
        return channels_first(mask, self.config.channel_axis).astype(np.bool_)

    def batch_values(self) -> float:
        """Values per channel of the latest x."""
        axis = self.config.channel_axis
        return float(np.prod([size for place, size in enumerate(self.shape) if place != axis], dtype=np.float64))

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """The statistics that normalise x, of the batch or running ones; running statistics move where they should."""
        rows, counted = self.rows_of(x), self.counted(x, mask)
        mode: Mode = "training" if self.uses_batch(training) else "inference"
        self.pending = None
        if mode == "training":
            count = int(counted.sum())
            self.check_count(count)
            mean = self.mean_of(rows, counted)
            variance = self.variance_of(rows, mean, counted)
            if self.moves(training):
                self.pending = mean.mean(axis=1), variance.mean(axis=1), count
                self.settle("forward")
        else:
            mean, variance = self.column(self.running_mean), self.column(self.running_var)
        return Saved(rows, mean, self.normaliser(variance, mode), counted, mode, x.shape, self.column(self.gamma))

    @quietly
    def backward(self, dy: Array) -> RowGradients:
        """dx like x; dgamma and dbeta of shape (C,), each None where the layer has no such parameter.

        Raises:
            RuntimeError: no forward came before.
            ValueError: dy has another shape than y.
        """
        saved = self.taken(self.last_saved())
        if dy.shape != saved.shape:
            raise ValueError(f"dy has shape {dy.shape}; allowed is that of y, {saved.shape}")
        rows = self.rows_of(dy)
        normalised = (saved.rows - saved.mean) * saved.inverse
        dx = self.output(self.dx(rows, normalised, saved), dy.shape, "dx")
        dgamma = self.deliver(self.dgamma(rows, normalised)[:, 0], self.parameters) if self.config.gamma else None
        dbeta = self.deliver(self.dbeta(rows)[:, 0], self.parameters) if self.config.beta else None
        self.settle("backward")
        return RowGradients(dx, dgamma, dbeta)  # type: ignore[arg-type]

    def last_saved(self) -> Saved:
        """What the latest forward kept.

        Raises:
            RuntimeError: no forward came before.
        """
        if self.saved is None:
            raise RuntimeError("backward before forward; call forward first")
        return self.saved

    def saved_statistics(self) -> tuple[Array, Array]:
        """Mean and 1 / sqrt(variance + eps) that the latest forward keeps for its backward, vectors of shape (C,)."""
        saved = self.last_saved()
        mean, inverse = (self.deliver(part.mean(axis=1), self.parameters) for part in (saved.mean, saved.inverse))
        return mean, inverse

    @quietly
    def backward_from(self, dy: Array, mean: Array, variance: Array) -> RowGradients:
        """As `backward`, from this mean and biased variance of the batch, vectors of shape (C,)."""
        own = self.last_saved()
        inverse = 1 / np.sqrt(self.column(variance) + self.eps)
        self.saved = replace(own, mean=self.column(mean), inverse=inverse)
        try:
            return self.backward(dy)
        finally:
            self.saved = own

    def overwritten(self, but: Collection[str] = ()) -> None:
        """Nothing: plain arrays count no writes.

        Args:
            but: arrays that the caller left alone.
        """

    def update_statistics(self) -> None:
        """Move the running statistics, under a convention where an explicit update does."""
        self.settle("explicit")

    def running_statistics(self) -> tuple[Array, Array]:
        """Running mean and variance, copied."""
        return self.running_mean.copy(), self.running_var.copy()

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set both running statistics.

        Raises:
            ValueError: one has not a value for each channel.
        """
        self.check_vector("running_mean", mean)
        self.check_vector("running_var", variance)
        self.running_mean, self.running_var = mean.astype(self.statistics_dtype), variance.astype(self.statistics_dtype)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set gamma and beta; None leaves one as it is.

        Raises:
            ValueError: one has not a value for each channel.
        """
        self.check_vector("gamma", gamma)
        self.check_vector("beta", beta)
        self.gamma = self.gamma if gamma is None else gamma.astype(self.parameters)
        self.beta = self.beta if beta is None else beta.astype(self.parameters)

    def state(self) -> Mapping[str, Array]:
        """The state that a saved model holds: all but whether the layer is frozen."""
        named = {name: getattr(self, name).copy() for name in ("gamma", "beta", "running_mean", "running_var")}
        return {**named, "updates": np.array(self.updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load what `state` gave.

        Raises:
            ValueError: it lacks a vector, has one more, or one that has not a value for each channel.
        """
        self.check_state(state)
        self.set_parameters(state["gamma"], state["beta"])
        self.set_running_statistics(state["running_mean"], state["running_var"])
        self.updates = int(state["updates"])

    def check_vector(self, name: str, vector: Array | None) -> None:
        """Refuse a vector that has not a value for each channel.

        Raises:
            ValueError: it has another shape.
        """
        shape = (self.config.num_channels,)
        if vector is not None and vector.shape != shape:
            raise ValueError(f"{name} has shape {vector.shape}; allowed is {shape}, a value for each channel")

    def check_state(self, state: Mapping[str, Array]) -> None:
        """Refuse a state of another layer.

        Raises:
            ValueError: it has other names than `state` gives.
        """
        names = ("gamma", "beta", "running_mean", "running_var", "updates")
        if set(state) != set(names):
            raise ValueError(f"the state has {', '.join(sorted(state))}; allowed are just {', '.join(names)}")

    def freeze(self) -> None:
        """Use the running statistics from now on, and never move them."""
        self.frozen = True
