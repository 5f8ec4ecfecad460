"""Draws the two pictures of the documentation from real numbers: `python docs/pictures.py FOLDER`.

`levels.svg` shows what a level is: the error of y against the offset of x, for three algorithms, between the bounds of
the grades. `bounds.svg` shows why a fixed tolerance decides nothing: it fails a right layer and passes a wrong one.

Both are computed anew: goldens and bounds by the reference in binary128, results by NumPy in float32.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from chart import Chart, key, svg
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.definition.state import GammaBeta
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import DEGRADED, STABLE, TIGHT, Grade

Rows = NDArray[Any]
Values = NDArray[np.float64]

EPS = 2.0**-10
SEED = 12
CHANNELS, COUNT = 64, 16
"""Channels in the picture of levels, and values in each of them."""
OFFSETS = [10.0 ** (step / 4) for step in range(21)]
"""Means of x, in standard deviations: 1 to 100,000."""
MANY, FAR = 1024, 1000.0
"""Values of the channel, and the mean of x in the second panel, in the picture of bounds."""
RTOL, ATOL = 1e-5, 1e-8
"""What `numpy.allclose` takes by default."""


# --- algorithms, and the reference ------------------------------------------------------------------------------------


def two_pass(x: Rows) -> Rows:
    """The definition: the mean, then the mean of the squared deviations."""
    deviation = x - x.mean(axis=1, keepdims=True)
    variance = (deviation * deviation).mean(axis=1, keepdims=True)
    return np.asarray(deviation / np.sqrt(variance + x.dtype.type(EPS)))


def in_float32(x: Rows) -> Rows:
    """A mistake: a float64 layer that computes in float32 and returns float64."""
    return two_pass(x.astype(np.float32)).astype(np.float64)


def raw_moments(x: Rows) -> Rows:
    """The variance as E[x^2] - E[x]^2."""
    mean = x.mean(axis=1, keepdims=True)
    variance = np.maximum((x * x).mean(axis=1, keepdims=True) - mean * mean, np.float32(0))
    return np.asarray((x - mean) / np.sqrt(variance + np.float32(EPS)))


def unbiased(x: Rows) -> Rows:
    """A mistake: y is normalised by the unbiased variance."""
    deviation = x - x.mean(axis=1, keepdims=True)
    variance = (deviation * deviation).sum(axis=1, keepdims=True) / np.float32(x.shape[1] - 1)
    return np.asarray(deviation / np.sqrt(variance + np.float32(EPS)))


def sample(channels: int, count: int, offset: float, dtype: str = "float32") -> Rows:
    """Normal data with standard deviation 1, of shape (channels, count)."""
    return (np.random.default_rng(SEED).normal(size=(channels, count)) + offset).astype(dtype)


@dataclass(frozen=True)
class Reference:
    """The golden y of some rows, and the error that a grade allows each value."""

    golden: Golden

    @classmethod
    def of(cls, x: Rows) -> Reference:
        """The reference for rows of shape (C, n)."""
        dtype = x.dtype.name
        config = LayerConfig(
            num_channels=len(x), rank=2, dtype=dtype, parameter_dtype=dtype, eps=EPS, gamma=False, beta=False
        )
        return cls(Golden(config, Convention(), to_quad(x), GammaBeta(None, None)))

    @property
    def y(self) -> Values:
        """The golden y, rounded to float64."""
        return np.asarray(to_float64(self.golden.training(None)["y"].values))

    def allowed(self, grade: Grade) -> Values | None:
        """Allowed error of each value; None where the bound is vacuous."""
        bound = self.golden.training(None)["y"].bound(grade)
        return np.asarray(to_float64(bound.allowed)) if bound.meaningful.all() else None

    def error(self, y: Rows) -> Values:
        """Absolute error of each value."""
        return np.asarray(np.abs(to_float64(to_quad(y) - self.golden.training(None)["y"].values)))


# --- the two pictures -------------------------------------------------------------------------------------------------

GREEN, LIME, AMBER, RED, GREY = "#d9efdb", "#eaf2c6", "#ffe2ad", "#ffd2c9", "#e3e6ea"
BLUE, ORANGE, PURPLE, DARK_GREEN = "#0b6aa8", "#a86300", "#8440b8", "#14491d"


def levels() -> str:
    """The error of y against the offset of x: bounds part the plane into levels, algorithms run through it."""
    chart = Chart(left=70, top=70, width=560, height=360, x_decades=(0, 5), y_decades=(-8, 1))
    references = [(offset, sample(CHANNELS, COUNT, offset)) for offset in OFFSETS]
    edges = {"tight": TIGHT, "stable": STABLE, "raw-moments": DEGRADED[0]}
    largest = {name: _bounds([Reference.of(x) for _, x in references], grade) for name, grade in edges.items()}
    judged = [offset for offset, bound in zip(OFFSETS, largest["tight"], strict=True) if bound]
    floor, ceiling = [1e-8] * len(judged), [10.0] * len(judged)
    tight, stable = largest["tight"][: len(judged)], largest["stable"][: len(judged)]
    degraded = [max(pair) for pair in zip(stable, largest["raw-moments"][: len(judged)], strict=True)]
    lines = [floor, tight, stable, degraded, ceiling]
    for low, high, colour in zip(lines[:-1], lines[1:], (GREEN, LIME, AMBER, RED), strict=True):
        chart.band(judged, low, high, colour)
    chart.band([judged[-1], OFFSETS[-1]], [1e-8] * 2, [10.0] * 2, GREY)
    chart.axes(
        "A level is the best grade whose bound holds the error",
        "mean of x, in standard deviations",
        f"largest error of y in {CHANNELS} channels of {COUNT} float32 values",
    )
    for edge in (tight, stable, degraded):
        chart.line(judged, edge, "#1a1d21", "bound")
    for algorithm, colour in ((two_pass, BLUE), (raw_moments, ORANGE), (unbiased, PURPLE)):
        errors = [float(Reference.of(x).error(algorithm(x)).max()) for _, x in references]
        chart.line(OFFSETS, errors, colour)
        chart.dots(OFFSETS, errors, colour, 2.5)
    key(chart, chart.left + chart.width + 18, chart.top + 12, LEVELS_KEY)
    description = (
        "Across: the mean of x. Upwards: the largest error of y. Dashed lines are the bounds of tight, stable and "
        "degraded(raw-moments). The two-pass algorithm stays below tight. E[x^2] - E[x]^2 climbs out of tight into "
        "degraded(raw-moments). Normalising by the unbiased variance is wrong at small means. At large means no bound "
        "means anything, and nothing is judged."
    )
    return svg(900, 490, "Levels", description, [chart])


LEVELS_KEY = [
    ("Algorithms", "", ""),
    ("two-pass", "line", BLUE),
    ("E[x²] − E[x]²", "line", ORANGE),
    ("unbiased variance in y", "line", PURPLE),
    ("", "", ""),
    ("Levels", "", ""),
    ("tight", "area", GREEN),
    ("stable", "area", LIME),
    ("degraded(raw-moments)", "area", AMBER),
    ("wrong", "area", RED),
    ("not judged", "area", GREY),
    ("bounds of the grades", "bound", "#1a1d21"),
]


def _bounds(references: Sequence[Reference], grade: Grade) -> list[float]:
    """The largest error that a grade allows, of each reference; 0 where the bound is vacuous."""
    allowed = (reference.allowed(grade) for reference in references)
    return [0.0 if bound is None else float(bound.max()) for bound in allowed]


@dataclass(frozen=True)
class Panel:
    """An algorithm on the rows x, with a title and what is to be said about both."""

    algorithm: Callable[[Rows], Rows]
    x: Rows
    title: str
    about: str


def bounds() -> str:
    """Errors of single values beside the derived bound and a fixed tolerance, in two panels."""
    far = f"float32, two-pass; mean of x {FAR:,.0f} deviations"
    panels = [
        Panel(
            in_float32, sample(1, MANY, 0.0, "float64"), "A wrong layer passes allclose", "float64, computed in float32"
        ),
        Panel(two_pass, sample(1, MANY, FAR), "A right layer fails allclose", far),
    ]
    charts = []
    for place, panel in enumerate(panels):
        reference = Reference.of(panel.x)
        size, error = np.abs(reference.y)[0], reference.error(panel.algorithm(panel.x))[0]
        allowed = reference.allowed(TIGHT)
        assert allowed is not None
        chart = Chart(left=70 + 440 * place, top=70, width=340, height=300, x_decades=(-2, 1), y_decades=(-18, 0))
        chart.axes(panel.title, "size of y", panel.about, every=2)
        order = [index for index in np.argsort(size) if size[index] >= 0.01]
        chart.dots(size[order].tolist(), error[order].tolist(), BLUE, 1.2)
        chart.line(size[order].tolist(), allowed[0][order].tolist(), DARK_GREEN)
        chart.line([0.01, 10.0], [ATOL + RTOL * 0.01, ATOL + RTOL * 10.0], "#c8250d", "bound")
        charts.append(chart)
    keys = [
        ("error of one value", "line", BLUE),
        ("error that tight allows it", "line", DARK_GREEN),
        ("allclose: rtol 1e-5, atol 1e-8", "bound", "#c8250d"),
    ]
    for place, row in enumerate(keys):
        key(charts[0], 70 + (0, 200, 430)[place], 440, [row])
    description = (
        f"Two panels with a dot for each of {MANY} values of y. Left: a float64 layer that computes in float32. Its "
        "errors lie below the fixed tolerance of allclose and far above the derived bound. Right: a two-pass float32 "
        f"layer on data with a mean of {FAR:,.0f} standard deviations. Its errors lie above the fixed tolerance and "
        "below the derived bound."
    )
    return svg(880, 460, "Bounds", description, charts)


def main(folder: str) -> int:
    """Write both pictures into a folder, which is made where it is not there."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    for name, draw in (("levels", levels), ("bounds", bounds)):
        (path / f"{name}.svg").write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
