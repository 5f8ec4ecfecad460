"""Worst inputs: batches on which right algorithms come nearest to their bounds, kept as text.

`tests.measure.worst_inputs` finds them. A file holds those of a format and a grade, for each quantity one batch of one
channel: its numbers as hexadecimal floats where it is short, a recipe where it is long.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.support.judge_samples import INFERENCE, QUANTITIES, expected_of, is_for
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS, Algorithm
from bn_conformance.algorithms.outputs import Outputs, batch_statistics, outputs
from bn_conformance.cases.recipes import DataRecipe, RowsOfData, dtype_of
from bn_conformance.vectors.hexfloat import texts
from bn_reference.arithmetic.formats import FORMATS, compute_format
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.bound import Bound
from bn_reference.definition import graph
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import Grade

FOLDER = Path(__file__).parent / "worst_inputs"
"""The files, `FORMAT-GRADE.json`."""

SLOW = ("compensated sums", "Welford")
"""Algorithms that go through a row in Python, one value at a time."""

STATISTICS = ("mean", "var")
ALL_QUANTITIES = (*STATISTICS, *QUANTITIES, *INFERENCE)

VECTORS = ("gamma", "beta", "running_mean", "running_variance")


@dataclass(frozen=True)
class WorstInput:
    """A batch of one channel on which an algorithm comes near the bound of a quantity.

    Attributes:
        algorithm: name of the algorithm.
        ratio: error / bound that it reached.
        eps: of the layer.
        x, dy: the rows, as hexadecimal floats; or the recipe of a long row.
        vectors: gamma, beta and the running statistics before, as hexadecimal floats.
        count: values in the row.
    """

    algorithm: str
    ratio: float
    eps: str
    x: list[str] | dict[str, Any]
    dy: list[str] | dict[str, Any]
    vectors: dict[str, str]
    count: int

    @classmethod
    def of(
        cls, algorithm: str, ratio: float, sample: Sample, x: DataRecipe | None, dy: DataRecipe | None
    ) -> WorstInput:
        """What is kept of a sample of one channel; its rows as recipes, where they are given."""
        return cls(
            algorithm=algorithm,
            ratio=ratio,
            eps=float(sample.eps).hex(),
            x=texts(sample.x) if x is None else _kept(x),
            dy=texts(sample.dy) if dy is None else _kept(dy),
            vectors={name: texts(getattr(sample, name))[0] for name in VECTORS},
            count=sample.count,
        )

    def sample(self, dtype: str) -> Sample:
        """The sample that was kept."""
        vectors: dict[str, Any] = {name: np.array([float.fromhex(self.vectors[name])]) for name in VECTORS}
        return Sample(
            name=f"worst of {self.algorithm}",
            dtype=dtype,
            parameter_dtype=dtype,
            eps=float.fromhex(self.eps),
            x=_rows(self.x, self.count, dtype),
            dy=_rows(self.dy, self.count, dtype),
            **vectors,
        )


def _kept(recipe: DataRecipe) -> dict[str, Any]:
    return {name: asdict(recipe)[name] for name in ("kind", "seed", "offset", "scale")}


def _rows(kept: list[str] | dict[str, Any], count: int, dtype: str) -> RowsOfData:
    if isinstance(kept, dict):
        return DataRecipe(**kept).rows(1, count).astype(dtype_of(dtype)).astype(np.float64)
    return np.array([[float.fromhex(text) for text in kept]])


@dataclass(frozen=True)
class Attack:
    """What is attacked: the algorithms of a grade, in a format.

    Attributes:
        dtype: of the data and the parameters.
        grade: name of the grade.
        counts: values a channel.
        words: what it is, in a table.
        long: whether the rows are long, and kept as recipes.
    """

    dtype: str
    grade: str
    counts: tuple[int, ...]
    words: str
    long: bool = False

    @property
    def path(self) -> Path:
        """The file of its worst inputs."""
        return FOLDER / f"{self.dtype}-{self.grade}{'-long' if self.long else ''}.json"

    @cached_property
    def algorithms(self) -> dict[str, Algorithm]:
        """The right algorithms that are attacked; in 16 bits those that round paths, as one rounding reaches 1.

        An algorithm that is right on some data alone is held against recipes, which are such data, and not against rows
        that a search changes: the first value becomes an outlier then, and is no shift.
        """
        narrow = self.dtype in ("float16", "bfloat16")
        return {
            name: algorithm
            for name, algorithm in ALGORITHMS.items()
            if algorithm.grade == self.grade and (algorithm.rounds == "paths") == narrow
            if self.long or not algorithm.not_for
            if not (self.long and name in SLOW)
        }

    def read(self) -> dict[str, WorstInput]:
        """The worst inputs that are kept, by quantity."""
        return {name: WorstInput(**kept) for name, kept in json.loads(self.path.read_text()).items()}

    def write(self, found: Mapping[str, WorstInput]) -> None:
        """Keep worst inputs: one line for each field."""
        self.path.parent.mkdir(exist_ok=True)
        blocks = []
        for name, worst in found.items():
            lines = [f"    {json.dumps(field)}: {json.dumps(value)}" for field, value in vars(worst).items()]
            blocks.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }")
        self.path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


_SHORT, _LONG = (2, 3, 7, 16, 26), (4096, 16384, 65536)

ATTACKS = (
    Attack("float32", "tight", _SHORT, "float32, tight"),
    Attack("float32", "stable", _SHORT, "float32, stable: folded"),
    Attack("float64", "tight", _SHORT, "float64, tight"),
    Attack("float64", "stable", _SHORT, "float64, stable: folded"),
    Attack("float16", "stable", _SHORT, "float16, stable: rounded paths"),
    Attack("bfloat16", "stable", _SHORT, "bfloat16, stable: rounded paths"),
    Attack("float32", "tight", _LONG, "float32, tight, n to 65536", long=True),
)
"""All attacks."""


def family_of(quantity: str) -> str:
    """Which calls a quantity comes from: statistics, training, update or inference."""
    if quantity in STATISTICS:
        return "statistics"
    return "inference" if quantity.startswith("inference") else "update" if "running" in quantity else "training"


def golden_of(sample: Sample, quantity: str) -> Expected:
    """The golden of a quantity, the mean and the variance of the batch among them."""
    return _statistics(sample)[quantity] if quantity in STATISTICS else expected_of(sample)[quantity]


def results_of(algorithm: Algorithm, sample: Sample, quantity: str) -> NDArray[Any]:
    """What an algorithm makes of a quantity."""
    made: Outputs = (batch_statistics if quantity in STATISTICS else outputs)(algorithm, sample)
    return made[quantity]


def reached(grade: Grade, algorithm: Algorithm, sample: Sample, quantity: str, expected: Expected) -> RowsOfData:
    """The largest error / bound of each channel; 0 where nothing is judged, as where the bound is vacuous.

    Args:
        grade: whose bound it is.
        algorithm: how it is computed.
        sample: on what.
        quantity: of `ALL_QUANTITIES`.
        expected: its golden.
    """
    if not is_for(algorithm, sample):
        return np.zeros(sample.channels)
    got = results_of(algorithm, sample, quantity)
    allowed, meaningful = expected.bound(grade)
    far = FORMATS[sample.dtype].largest / 2
    with np.errstate(all="ignore"):
        errors = np.abs(to_quad(got) - expected.values)
        ratios = np.where(errors == 0, 0.0, (errors / allowed).astype(np.float64))
        judged = np.isfinite(expected.values) & np.isfinite(allowed) & (np.abs(expected.values) < far)
    ratios = np.where(judged, ratios, 0.0).reshape(sample.channels, -1).max(axis=1)
    return np.where(np.isfinite(ratios) & meaningful, ratios, 0.0)


def _statistics(sample: Sample) -> dict[str, Expected]:
    """The mean and the variance of the batch, with items 1 and 2 of BOUNDS.md."""
    x, gamma, beta, eps = (to_quad(part) for part in (sample.x, sample.gamma, sample.beta, sample.eps))
    storage = FORMATS[sample.dtype]
    nodes = graph.forward(x, gamma, beta, eps, None)
    bounds = BatchBounds(
        x=x,
        nodes=nodes,
        gamma=gamma,
        beta=beta,
        eps=eps,
        compute=compute_format(storage),
        storage=storage,
        parameters=storage,
    )

    def bound(quantity: str, grade: Grade) -> Bound:
        errors = bounds.statistics(grade)
        mean = quantity == "mean"
        return Bound(errors.mean if mean else errors.variance, errors.sums if mean else errors.meaningful)

    values: dict[str, Quad] = {"mean": nodes.mean, "var": nodes.variance}
    return {name: Expected(values[name], partial(bound, name)) for name in STATISTICS}
