"""Numbers that other projects publish lie within the bounds, and those that are known to be wrong lie outside.

Nobody here computed them. `published_numbers.toml` has each with its source. What a number is printed with is allowed
besides the bound: half a unit of its last digit, and what half a unit of the last digit of an input does to it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE, TIGHT

TEXT = (Path(__file__).parent / "published_numbers.toml").read_text(encoding="utf-8")
BATCHES: dict[str, dict[str, Any]] = {batch["name"]: batch for batch in tomllib.loads(TEXT)["batch"]}
QUANTITIES = [(name, quantity) for name, batch in BATCHES.items() for quantity in batch["expected"]]
ROWS = ("x", "y", "dx", "dy")
DEFAULTS = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "variance": 1.0}


class Published:
    """A batch as published, in rows (C, n) and vectors (C,)."""

    def __init__(self, batch: dict[str, Any]) -> None:
        self.batch, self.axis = batch, batch.get("axis", 1)
        self.channels, self.dtype = batch["shape"][self.axis], batch.get("dtype", "float32")

    def printed(self, name: str) -> Any:
        """The numbers as printed, those of an input or of a result."""
        values = self.batch.get(name, self.batch["expected"].get(name))
        numbers = np.full(self.channels, DEFAULTS[name]) if values is None else np.asarray(values, np.float64)
        return channels_first(numbers.reshape(self.batch["shape"]), self.axis) if name in ROWS else numbers

    def given(self, name: str) -> Any:
        """An input in the format of the layer, in float64."""
        return self.printed(name).astype(dtype_of(self.dtype)).astype(np.float64)

    def half_unit(self, name: str) -> Any:
        """Half a unit of the last digit that is printed, 0 where numbers are exact."""
        numbers = np.abs(self.printed(name))
        if name in self.batch.get("decimals", {}):
            return np.full_like(numbers, 0.5 * 10.0 ** -self.batch["decimals"][name])
        if name not in self.batch.get("digits", {}):
            return np.zeros_like(numbers)
        first = np.floor(np.log10(np.where(numbers > 0, numbers, 1.0)))
        return np.where(numbers > 0, 0.5 * 10.0 ** (first - self.batch["digits"][name] + 1), 0.0)

    def expected(self) -> dict[str, Expected]:
        """The goldens."""
        batch = self.batch
        config = LayerConfig(
            num_channels=self.channels,
            rank=2,
            dtype=self.dtype,
            parameter_dtype=self.dtype,
            eps=batch["eps"],
            momentum=batch.get("momentum", 1.0),
        )
        convention = Convention(running_variance=batch.get("estimator", "biased"))
        counted = np.array(batch["counted"], np.bool_) if "counted" in batch else None
        parameters = GammaBeta(to_quad(self.given("gamma")), to_quad(self.given("beta")))
        golden = Golden(config, convention, to_quad(self.given("x")), parameters, mask=counted)
        dy = to_quad(self.given("dy")) if "dy" in batch else None
        statistics = Statistics.known(self.given("mean"), self.given("variance"))
        if batch["mode"] == "inference":
            return dict(golden.inference(statistics, dy))
        return dict(golden.training(dy)) | dict(golden.update(statistics, STABLE)[1])

    def from_inputs(self, quantity: str) -> Any:
        """How far y, or a running statistic, moves at most where inputs move by half a unit (to first order).

        In training, moving x by d moves the mean and the deviation by d at most.
        """
        x, d_x, momentum = self.given("x"), self.half_unit("x"), self.batch.get("momentum", 1.0)
        if quantity in ("running_mean", "running_var"):
            return momentum * d_x.max() * (1.0 if quantity == "running_mean" else 2.0 * x.std(axis=1))
        if quantity != "y":
            return 0.0
        if self.batch["mode"] == "training":
            inverse = 1.0 / np.sqrt(x.var(axis=1) + self.batch["eps"])[:, None]
            normalised = np.abs(x - x.mean(axis=1)[:, None]) * inverse
            return np.abs(self.given("gamma"))[:, None] * inverse * d_x.max() * (2.0 + normalised)
        size = (self.given("variance") + self.batch["eps"])[:, None]
        scale = np.abs(self.given("gamma"))[:, None] / np.sqrt(size)
        centred = np.abs(x - self.given("mean")[:, None])
        moved = d_x + self.half_unit("mean")[:, None] + centred * self.half_unit("variance")[:, None] / (2.0 * size)
        return scale * moved

    def excess(self, quantity: str) -> float:
        """The largest error over what is allowed."""
        expected = self.expected()[quantity]
        error = to_float64(np.abs(to_quad(self.printed(quantity)) - expected.values))
        bound = to_float64(expected.bound(TIGHT).allowed)
        allowed = bound + self.half_unit(quantity) + self.from_inputs(quantity)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.max(np.where(error > 0, error / allowed, 0.0)))


@pytest.mark.parametrize(("name", "quantity"), QUANTITIES)
def test_a_published_number_lies_within_the_bounds_unless_it_is_a_known_fault(name: str, quantity: str) -> None:
    batch = BATCHES[name]
    excess = Published(batch).excess(quantity)
    if quantity in batch.get("fault", {}):
        assert excess > 1, f"no fault any more: {batch['fault'][quantity]}"
    else:
        assert excess <= 1, f"{batch['source']}: {excess:.3g} times what is allowed"


def test_there_are_many_sources_with_a_date() -> None:
    assert len(QUANTITIES) >= 50
    assert len({batch["source"].partition(",")[0] for batch in BATCHES.values()}) >= 8
    assert all(batch["source"] and batch["read"] for batch in BATCHES.values())


@pytest.mark.parametrize(
    ("name", "quantity", "change"),
    [("webnn-nchw", "y", {"eps": 1e-3}), ("ngraph-training", "running_var", {"estimator": "unbiased"})],
)
def test_another_definition_is_seen(name: str, quantity: str, change: dict[str, Any]) -> None:
    assert Published(BATCHES[name] | change).excess(quantity) > 1


def test_the_unbiased_variance_explains_what_tiny_dnn_publishes() -> None:
    published = Published(BATCHES["tiny-dnn"])
    x = published.given("x")
    y = (x - x.mean(axis=1)[:, None]) / np.sqrt(x.var(axis=1, ddof=1)[:, None] + 1e-5)
    assert np.abs(y - published.printed("y")).max() <= 0.001


def test_the_missing_eps_explains_what_tfjs_publishes() -> None:
    published = Published(BATCHES["tfjs-gradient"])
    dx = published.given("dy") * (published.given("gamma") / np.sqrt(published.given("variance")))[:, None]
    assert np.abs(dx - published.printed("dx")).max() <= 0.0005
