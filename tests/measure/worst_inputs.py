"""Attacks the bounds: `python -m tests.measure.worst_inputs` searches inputs on which right algorithms come near them.

A search keeps a population of batches of one channel, changes them at random (values, ties, offsets, scales, the order
of summation, dy, parameters) and keeps the better half, by error / bound of the best of the algorithms. It starts from
random data of every kind and from what is kept already, so that it never gets worse. Long rows come from recipes. The
worst inputs are written to `tests/support/worst_inputs/`, and their ratios to the table of BOUNDS.md. `--table` writes
the table alone.

    python -m tests.measure.worst_inputs [--generations N] [--seed S] [--table] [ATTACK ...]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click
import numpy as np
from tests.support.judge_samples import GRADE_OF
from tests.support.samples.random_samples import KINDS, rows_of
from tests.support.samples.sample import Sample
from tests.support.tables_in_documents import write_table
from tests.support.worst_inputs import ALL_QUANTITIES, ATTACKS, Attack, WorstInput, golden_of, reached

from bn_conformance.cases.recipes import DataRecipe, RowsOfData, dtype_of

POPULATION = 32
"""Batches that live at a time; they lie side by side in the channel axis."""

EPS = (1e-5, 2.0**-10, 2.0**-34)

TABLE = "worst inputs"

FIELDS = ("x", "dy", "gamma", "beta", "running_mean", "running_variance")

Random = np.random.Generator


def searched(attack: Attack, quantity: str, generations: int, seed: int, known: WorstInput | None) -> WorstInput:
    """The worst input of a quantity that is found in some generations for each count; at least as bad as the known."""
    best = known
    for place, count in enumerate(attack.counts):
        random = np.random.default_rng([seed, count, *attack.path.stem.encode(), *quantity.encode()])
        eps = EPS[place % len(EPS)] if attack.dtype != "float16" else 2.0**-10
        found = _best_recipe if attack.long else _best_rows
        candidate = found(attack, quantity, count, eps, generations, random, best)
        if best is None or candidate.ratio > best.ratio:
            best = candidate
    assert best is not None
    return best


def _best_rows(
    attack: Attack,
    quantity: str,
    count: int,
    eps: float,
    generations: int,
    random: Random,
    known: WorstInput | None,
) -> WorstInput:
    """The worst of a population that evolves."""
    parents = _random_sample(attack.dtype, count, eps, random)
    if known is not None and known.count == count:
        parents = _with_channel(replace(parents, eps=float.fromhex(known.eps)), known.sample(attack.dtype))
    ratios, names = _judged(attack, quantity, parents)
    for _ in range(generations):
        children = _children(parents, random)
        new_ratios, new_names = _judged(attack, quantity, children)
        ratios, names = np.append(ratios, new_ratios), [*names, *new_names]
        order = np.argsort(-ratios, kind="stable")[:POPULATION]
        parents = _chosen(parents, children, order)
        ratios, names = ratios[order], [names[place] for place in order]
    first = _chosen(parents, parents, np.array([0]))
    return WorstInput.of(names[0], float(ratios[0]), first, None, None)


def _best_recipe(
    attack: Attack,
    quantity: str,
    count: int,
    eps: float,
    generations: int,
    random: Random,
    known: WorstInput | None,
) -> WorstInput:
    """The worst of recipes drawn at random: constants, nearly constant and other rows."""
    best: WorstInput | None = None
    for _ in range(max(1, generations // 8)):
        kinds = random.choice(["constant", "normal", "positive", "integers"], 2)
        offsets = random.choice([0.0, 1.0, 1.0, 100.0], 2) * random.uniform(1.0, 2.0, 2)
        scales = 2.0 ** random.integers(-12, 4, 2)
        x, dy = (
            DataRecipe(kind=str(kind), seed=int(random.integers(1000)), offset=float(offset), scale=float(scale))
            for kind, offset, scale in zip(kinds, offsets, scales, strict=True)
        )
        rows = (recipe.rows(1, count).astype(dtype_of(attack.dtype)).astype(np.float64) for recipe in (x, dy))
        short = _chosen(_random_sample(attack.dtype, 2, eps, random), None, np.array([0]))
        x_rows, dy_rows = rows
        sample = replace(short, x=x_rows, dy=dy_rows)
        ratios, names = _judged(attack, quantity, sample)
        if best is None or ratios[0] > best.ratio:
            best = WorstInput.of(names[0], float(ratios[0]), sample, x, dy)
    assert best is not None
    return best


def _judged(attack: Attack, quantity: str, sample: Sample) -> tuple[RowsOfData, list[str]]:
    """The largest ratio of each channel over the algorithms, and whose it is."""
    expected, names = golden_of(sample, quantity), list(attack.algorithms)
    with np.errstate(all="ignore"):
        table = np.array(
            [reached(GRADE_OF[attack.grade], attack.algorithms[name], sample, quantity, expected) for name in names]
        )
    return table.max(axis=0), [names[place] for place in table.argmax(axis=0)]


def _random_sample(dtype: str, count: int, eps: float, random: Random) -> Sample:
    """A channel for each member of the population."""
    narrow = dtype == "float16"
    x = np.concatenate([rows_of(random, str(kind), 1, count) for kind in random.choice(KINDS, POPULATION)])
    offset = random.choice([0.0, 1.0, -1.0], (POPULATION, 1)) * 10.0 ** random.uniform(
        -1, 1 if narrow else 4, (POPULATION, 1)
    )
    x = (x + offset) * 2.0 ** random.integers(-3, 4, (POPULATION, 1))
    dy = random.normal(size=x.shape) + random.choice([0.0, 1.0], (POPULATION, 1))
    return _kept(
        Sample(
            name="population",
            dtype=dtype,
            parameter_dtype=dtype,
            eps=eps,
            x=x,
            dy=dy,
            gamma=random.choice([-1.0, 1.0], POPULATION) * random.uniform(0.2, 3.0, POPULATION),
            beta=random.choice([0.0, 1.0, 10.0], POPULATION) * random.normal(size=POPULATION),
            running_mean=x[:, 0] * random.uniform(0.5, 1.5, POPULATION),
            running_variance=np.maximum(x.var(axis=1), 2.0**-10) * random.uniform(0.5, 1.5, POPULATION),
        )
    )


def _children(parents: Sample, random: Random) -> Sample:
    """A changed copy of each of some parents, the better ones more often."""
    places = np.minimum(random.geometric(0.15, POPULATION) - 1, POPULATION - 1)
    fields: dict[str, Any] = {name: getattr(parents, name)[places].copy() for name in FIELDS}
    for child in range(POPULATION):
        for _ in range(int(random.integers(1, 4))):
            _change(fields, child, random)
    return _kept(replace(parents, **fields))


def _change(fields: Mapping[str, Any], child: int, random: Random) -> None:
    """One change of one child."""
    name = str(random.choice(["x", "x", "x", "dy", "dy", "gamma", "beta", "running_mean", "running_variance"]))
    row = fields[name][child : child + 1] if fields[name].ndim == 1 else fields[name][child]
    size = 1.0 + random.normal() * 2.0 ** -random.integers(0, 25)
    one, other = random.integers(0, row.size, 2)
    match int(random.integers(0, 7)):
        case 0:
            row[one] *= size
        case 1:
            row[one] = row[other] if name in ("x", "dy") else row[one] * size
        case 2:
            row *= size
        case 3 if name != "running_variance":
            row += random.normal() * np.abs(row).mean()
        case 4:
            row[:] = row[random.permutation(row.size)]
        case 5 if name != "running_variance":
            row[one] = -row[one]
        case _:
            whole = fields[name]
            mate = int(random.integers(0, len(whole)))
            mine = random.random(row.size) < 0.5
            row[:] = np.where(mine, row, whole[mate : mate + 1] if whole.ndim == 1 else whole[mate])


def _kept(sample: Sample) -> Sample:
    """The sample in the numbers of its format, short of overflow and of subnormal numbers."""
    known = dtype_of(sample.dtype)
    largest = 2.0**7 if sample.dtype == "float16" else 2.0**40
    fields: dict[str, Any] = {name: np.clip(getattr(sample, name), -largest, largest) for name in FIELDS}
    fields["running_variance"] = np.maximum(np.abs(fields["running_variance"]), 2.0**-10)
    fields["gamma"] = np.where(np.abs(fields["gamma"]) < 2.0**-10, 1.0, fields["gamma"])
    formatted: dict[str, Any] = {name: field.astype(known).astype(np.float64) for name, field in fields.items()}
    return replace(sample, **formatted)


def _with_channel(sample: Sample, other: Sample) -> Sample:
    """The sample, with another one of one channel as its first."""
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(other, name), getattr(sample, name)[1:]]) for name in FIELDS
    }
    return replace(sample, **fields)


def _chosen(first: Sample, second: Sample | None, places: Any) -> Sample:
    """The channels at some places of one sample after the other."""
    parts = [first] if second is None else [first, second]
    return replace(first, **{name: np.concatenate([getattr(part, name) for part in parts])[places] for name in FIELDS})


def table(attacks: Sequence[Attack] = ATTACKS) -> list[str]:
    """The ratios that are kept, as a Markdown table."""
    words = [name.replace("inference_", "inference ").replace("running_", "running ") for name in ALL_QUANTITIES]
    lines = ["| attacked | " + " | ".join(words) + " |", "|" + "---|" * (len(words) + 1)]
    for attack in attacks:
        kept = attack.read()
        lines.append("| ".join([f"| {attack.words} ", *(f"{kept[name].ratio:.2g} " for name in ALL_QUANTITIES)]) + "|")
    return lines


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.argument("names", nargs=-1, metavar="[ATTACK]...")
@click.option("--generations", default=60, help="Of each search  [default: 60]")
@click.option("--seed", default=1, help="Of the search  [default: 1]")
@click.option("--table", "only_table", is_flag=True, help="Write the table of BOUNDS.md alone")
def main(names: tuple[str, ...], generations: int, seed: int, only_table: bool) -> None:
    """Search, keep what is found, and write the table."""
    for attack in () if only_table else [attack for attack in ATTACKS if not names or attack.path.stem in names]:
        known = attack.read() if attack.path.exists() else {}
        found = {}
        for quantity in ALL_QUANTITIES:
            found[quantity] = searched(attack, quantity, generations, seed, known.get(quantity))
            worst = found[quantity]
            print(f"{attack.words}: {quantity} {worst.ratio:.3g} by {worst.algorithm}, n = {worst.count}", flush=True)
        attack.write(found)
    if all(attack.path.exists() for attack in ATTACKS):
        write_table(TABLE, table())


if __name__ == "__main__":
    sys.exit(main())
