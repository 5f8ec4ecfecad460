"""Deviations of state: what save and load lose, what freezing does not do, and what layers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

State = Mapping[str, Array]


def _loading(
    name: str, sentence: str, effect: str, change: Callable[[PlainLayer, State], State], link: str = ""
) -> None:
    """Register a layer that loads another state than was saved: change(layer, state)."""

    class Loading(PlainLayer):
        def load_state(self, state: State) -> None:
            """Load the changed state."""
            super().load_state(change(self, state))

    Loading.__doc__ = sentence
    deviation(name, clause="STATE-2", effect=effect, link=link)(Loading)


def _lost(part: str, fresh: Callable[[PlainLayer], Array], effect: str, link: str = "") -> None:
    _loading(
        f"{part.replace('_', '-')}-lost-in-load",
        f"{part} is not loaded, and keeps the value of a fresh layer.",
        effect,
        lambda layer, state: {**state, part: fresh(layer)},
        link,
    )


_lost("gamma", lambda layer: np.ones_like(layer.gamma), "a loaded model is off by a factor in each channel")
_lost("beta", lambda layer: np.zeros_like(layer.beta), "a loaded model is shifted in each channel")
_lost(
    "running_mean",
    lambda layer: np.zeros_like(layer.running_mean),
    "a loaded model does not centre",
    "https://github.com/torch/nn/issues/1165",
)
_lost("running_var", lambda layer: np.ones_like(layer.running_var), "a loaded model does not scale")
_lost(
    "updates",
    lambda layer: np.array(0),
    "a cumulative average starts anew after a load",
    "https://github.com/pytorch/pytorch/issues/110361",
)
_loading(
    "parameters-swapped-in-load",
    "gamma and beta are loaded into each other's place.",
    "a loaded model is far off",
    lambda layer, state: {**state, "gamma": state["beta"], "beta": state["gamma"]},
)
_loading(
    "statistics-swapped-in-load",
    "running_mean and running_var are loaded into each other's place.",
    "a loaded model gives NaN",
    lambda layer, state: {**state, "running_mean": state["running_var"], "running_var": state["running_mean"]},
)
_loading(
    "loaded-through-float16",
    "A state is rounded to float16 when it is loaded.",
    "a loaded model is off slightly",
    lambda layer, state: {key: value.astype(np.float16).astype(value.dtype) for key, value in state.items()},
)
_loading(
    "variance-loaded-as-inverse",
    "The inverse deviation is loaded into running_var.",
    "a loaded model is far off",
    lambda layer, state: {
        **state,
        "running_var": (1 / np.sqrt(state["running_var"])).astype(state["running_var"].dtype),
    },
)


@deviation("saved-a-step-behind", clause="STATE-2", effect="a loaded model is that of a step earlier")
class SavedAStepBehind(PlainLayer):
    """The saved running statistics are those from before the last update."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Keep the statistics from before the update."""
        self.state_before_update = {"running_mean": self.running_mean, "running_var": self.running_var}
        super().move(mean, variance, count)

    def state(self) -> State:
        """Save the statistics that were kept."""
        return {**super().state(), **getattr(self, "state_before_update", {})}


@deviation("loaded-once-used", clause="STATE-2", effect="the first call after a load gives results of a fresh layer")
class LoadedOnceUsed(PlainLayer):
    """A loaded state takes effect behind the next call only."""

    waiting: State | None = None

    def load_state(self, state: State) -> None:
        """Keep the state until the next call."""
        self.waiting = state

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run the forward, then load the state that waits."""
        y = super().forward_masked(x, mask, training)
        if self.waiting is not None:
            super().load_state(self.waiting)
            self.waiting = None
        return y


# Freezing.


@deviation(
    "freeze-does-nothing",
    clause="STATE-3",
    effect="fine-tuning changes what should stay",
    link="https://github.com/keras-team/keras/issues/4762",
)
class FreezeDoesNothing(PlainLayer):
    """A frozen layer trains on."""

    def freeze(self) -> None:
        """Do nothing."""


@deviation(
    "frozen-layer-moves",
    clause="STATE-3",
    effect="running statistics of frozen layers drift",
    link="https://github.com/keras-team/keras/issues/7085",
)
class FrozenLayerMoves(PlainLayer):
    """A frozen layer uses its running statistics in training, and moves them all the same."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Move the statistics of a frozen layer in training."""
        saved = super().normalisers(x, mask, training)
        count = int(saved.counted.sum())
        if self.frozen and training and count:
            mean = self.mean_of(saved.rows, saved.counted)
            variance = self.variance_of(saved.rows, mean, saved.counted)
            self.move(mean.mean(axis=1), variance.mean(axis=1), count)
        return saved


@deviation(
    "frozen-layer-uses-batch",
    clause="STATE-3",
    effect="fine-tuning and use differ",
    link="https://github.com/keras-team/keras/issues/9522",
)
class FrozenLayerUsesBatch(PlainLayer):
    """A frozen layer normalises by the batch in training, and only keeps its running statistics."""

    def uses_batch(self, training: bool) -> bool:
        """Use the batch in training, frozen or not."""
        return training


@deviation("thaws-after-one-step", clause="STATE-3", effect="freezing lasts for one batch")
class ThawsAfterOneStep(PlainLayer):
    """A frozen layer is trained again after its first training step."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run the forward, then thaw the layer."""
        y = super().forward_masked(x, mask, training)
        self.frozen = self.frozen and not training
        return y


@deviation("freeze-resets-statistics", clause="STATE-3", effect="a frozen layer does not normalise")
class FreezeResetsStatistics(PlainLayer):
    """Freezing sets the running statistics back to mean 0 and variance 1."""

    def freeze(self) -> None:
        """Freeze the layer, then reset its statistics."""
        super().freeze()
        self.running_mean = np.zeros_like(self.running_mean)
        self.running_var = np.ones_like(self.running_var)


# What layers share.


def _shared(name: str, sentence: str, effect: str, parts: tuple[str, ...], clause: str) -> None:
    """Register a layer that keeps some attributes on its class, where a later layer finds and overwrites them."""

    class Shared(PlainLayer):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self.home: dict[str, Any] = {}
            super().__init__(*arguments, **named)
            whole = type(self)
            if "common" not in vars(whole):
                whole.common = {}  # type: ignore[attr-defined]
            self.home = whole.common  # type: ignore[attr-defined]
            self.home.update({part: vars(self).pop(part) for part in parts})

        def __getattr__(self, attribute: str) -> Any:
            """Read a shared attribute from the class."""
            home = vars(self).get("home", {})
            if attribute not in home:
                raise AttributeError(attribute)
            return home[attribute]

        def __setattr__(self, attribute: str, value: Any) -> None:
            """Write a shared attribute to the class."""
            home = vars(self).get("home", {})
            if attribute in home:
                home[attribute] = value
            else:
                super().__setattr__(attribute, value)

    Shared.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Shared)


_shared(
    "statistics-shared-by-layers",
    "Running statistics belong to the class, and a new layer resets them.",
    "models of one layer work, and models of two do not",
    ("running_mean", "running_var"),
    "STATE-1",
)
_shared(
    "parameters-shared-by-layers",
    "gamma and beta belong to the class, so that all layers have those set last.",
    "models of one layer work, and models of two do not",
    ("gamma", "beta"),
    "FWD-3",
)
_shared(
    "saved-tensors-shared-by-layers",
    "What backward needs is kept on the class, which the next layer overwrites.",
    "every layer but the last has the gradients of the last",
    ("saved", "shape"),
    "GRAD-1",
)
_shared(
    "updates-shared-by-layers",
    "Updates are counted for all layers together.",
    "cumulative averages of a second layer are off",
    ("updates",),
    "STAT-8",
)
