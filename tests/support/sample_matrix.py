"""Synthetic results of a whole matrix, with everything that can go wrong in one.

The numbers are drawn from a seeded generator, so that two calls give the same results.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

from tests.support.sample_declarations import (
    CLAUSES,
    IMPLEMENTATIONS,
    NONSTANDARD,
    TEXTBOOK,
)
from tests.support.sample_results import HOSTILE, HOSTILE_NAME, HOSTILE_TEXT, quantity, results

from bn_conformance.results.file import Results
from bn_conformance.results.records import (
    CaseInfo,
    Diagnosis,
    Environment,
    Item,
    Quantity,
    StaleFault,
)

_TEXTS = {name: text for name, _, text in CLAUSES}

_SHAPES = {"nchw": (4, 3, 5, 5), "nhwc": (4, 5, 5, 3), "nc": (32, 8), "ncl": (4, 6, 9), "ncdhw": (2, 3, 4, 4, 4)}

_DTYPES = ("float32", "float64", "float16", "bfloat16")

_OFFSETS = (0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)


def realistic(count: int = 400, hostile: bool = True) -> Results:
    """A matrix like that of a run: all implementations, about `count` cases, all outcomes; cut off before its end."""
    generator = random.Random(20251123)
    cases = tuple(_cases())[:count] if count < 400 else tuple(_cases(count))
    environments = [
        Environment(
            implementation=name,
            status="ok",
            versions=versions,
            settings={"threads": "1"},
            convention=convention,
            nonstandard={key: text for key, text in NONSTANDARD.items() if convention[key] == TEXTBOOK[key]},
            capabilities={"dtypes": ["float32", "float64"], "mixed": [["float16", "float32"]], "ranks": [2, 3, 4, 5]},
        )
        for name, (convention, versions) in IMPLEMENTATIONS.items()
    ]
    environments[6] = Environment(
        implementation="keras[torch]",
        status="not-installed",
        message="keras is not installed; install it with: pip install 'bnconform[keras,torch]'",
    )
    environments[9] = replace(
        environments[9],
        status="broken",
        message="importing tf_keras raised ImportError: cannot import name 'src'; try: pip install tf-keras",
    )
    if hostile:
        environments.append(
            replace(
                environments[1],
                implementation=HOSTILE_NAME,
                versions={HOSTILE: HOSTILE_TEXT},
                settings={"flags": HOSTILE_TEXT},
                nonstandard={"initial_running_variance": HOSTILE_TEXT},
            )
        )
        first = cases[0]
        cases = (
            replace(first, id=f"{first.id}/{HOSTILE}", title=HOSTILE_TEXT, axes={HOSTILE: HOSTILE_TEXT}),
            *cases[1:],
        )
    judged = [environment.implementation for environment in environments if environment.status == "ok"]
    items = [_item(generator, name, case) for name in judged for case in cases]
    planned = [item.id for item in items]
    dropped = {generator.randrange(len(items)) for _ in range(3)}
    return replace(
        results(
            [item for index, item in enumerate(items) if index not in dropped],
            cases=cases,
            environments=environments,
            planned=planned,
            diagnoses=[
                Diagnosis(
                    implementation=next(item.implementation for item in items if item.verdict == "fail"),
                    deviations=("running-var-unbiased",),
                    message=HOSTILE_TEXT if hostile else "running-var-unbiased explains it",
                    confident=True,
                    examined=3,
                )
            ],
            stale_faults=[
                StaleFault(
                    entry="torch.functional ERR-1 rank-*",
                    file="known_faults.toml",
                    line=42,
                    message="no item that it matches fails any more; delete lines 42 to 47",
                    reason="raises for rank 6",
                )
            ],
            cut_off=True,
        ),
        path=f"results/{HOSTILE}.jsonl" if hostile else "results/matrix.jsonl",
    )


def _cases(count: int = 400) -> Iterator[CaseInfo]:
    clauses = {name.partition("-")[0]: (name, requirement) for name, requirement, _ in reversed(CLAUSES)}
    for dtype in _DTYPES:
        for offset in _OFFSETS:
            for layout in ("nchw", "nhwc"):
                axes = {
                    "layout": layout,
                    "shape": list(_SHAPES[layout]),
                    "dtype": dtype,
                    "offset": offset,
                    "scale": 1.0,
                }
                name = f"offset/{layout}/{dtype}/offset-{offset:g}"
                yield CaseInfo(
                    id=name,
                    family="NUM",
                    title=f"training forward and backward at mean {offset:g}, standard deviation 1",
                    clauses=("NUM-1", "FWD-1", "GRAD-1"),
                    requirement="SHOULD",
                    axes=axes | {"n": 100},
                )
    families = [name for name in clauses if name != "NUM"]
    for number in range(count - len(_DTYPES) * len(_OFFSETS) * 2):
        family = families[number % len(families)]
        layout = list(_SHAPES)[number // 11 % 5]
        dtype = _DTYPES[number // 7 % 4]
        clause, requirement = clauses[family]
        yield CaseInfo(
            id=f"{family.lower()}/{layout}/{dtype}/variant-{number}",
            family=family,
            title=f"{_TEXTS[clause][:60].rstrip()} (variant {number})",
            clauses=(clause, *(("FWD-1",) if family != "FWD" else ())),
            requirement=requirement,
            axes={"layout": layout, "shape": list(_SHAPES[layout]), "dtype": dtype, "variant": number},
        )


def _item(generator: random.Random, name: str, case: CaseInfo) -> Item:
    dtype, offset, hostile = case.axes.get("dtype", "float32"), case.axes.get("offset", 0.0), name == HOSTILE_NAME
    fields: dict[str, Any] = {
        "seconds": generator.random() * 1e-3,
        "harness_seconds": 1e-3,
        "reproduce": f"bnconform run --implementation '{name}' --case '{case.id}'",
    }
    if dtype == "bfloat16" and name.startswith(("textbook", "tf.nn.fused")):
        message = f"{dtype}/float32 is not declared"
        return Item(implementation=name, case=case.id, outcome="unsupported", verdict="unsupported", message=message)
    if case.family == "ERR":
        return Item(
            implementation=name, case=case.id, outcome="refused", verdict="refused", message="ValueError", **fields
        )
    draw = generator.random()
    if case.family == "EDGE" and draw < 0.2 and name in ("keras[jax]", "torch.nn[channels_last]", HOSTILE_NAME):
        outcome = ("errored", "crashed", "timed-out")[generator.randrange(3)]
        message = HOSTILE_TEXT if hostile else "RuntimeError: expected more than 1 value per channel when training"
        return Item(implementation=name, case=case.id, outcome=outcome, verdict="fail", message=message, **fields)
    raw = name.startswith("flax") and offset >= 100
    base = 10 ** generator.gauss(-1.3, 0.5) * (1e-4 * offset**2 if raw else 1.0)
    quantities = tuple(_quantity(generator, part, case, base) for part in ("y", "dx", "dgamma", "dbeta", "running_var"))
    if name == "tf.nn.moments" and case.family == "STAT" and draw < 0.3:
        wrong = replace(
            quantity("step0.running_var", "wrong", 0.03125 / 4e-7, clauses=case.clauses, index=(2,)),
            error=0.03125,
            bound=4e-7,
            expected=1.0,
            got=1.03125,
        )
        quantities = (*quantities[:4], wrong)
    if case.family == "EDGE" and name == "tf.nn.fused":
        broken = replace(quantities[0], outcome="wrong", error=nan, ratio=inf, ulp=None, got=nan, message="got is NaN")
        quantities = (broken, *quantities[1:])
    worst = max(quantities, key=lambda one: (_RANK[one.outcome.partition("(")[0]], one.ratio or 0.0))
    verdict = _VERDICTS.get(worst.outcome.partition("(")[0], "pass")
    if verdict == "fail" and name == "tf.nn.fused":
        verdict, fields["known_fault"] = "known-fault", "empty batch gives NaN statistics, https://example.invalid/1"
    if hostile:
        fields["message"] = HOSTILE_TEXT
        quantities = (replace(quantities[0], name=HOSTILE, message=HOSTILE_TEXT), *quantities[1:])
    return Item(
        implementation=name, case=case.id, outcome=worst.outcome, verdict=verdict, quantities=quantities, **fields
    )


_VERDICTS = {"wrong": "fail", "degraded": "warn", "not-judged": "not-judged"}
_RANK = {"exact": 0, "tight": 1, "stable": 2, "not-judged": 3, "degraded": 4, "wrong": 5}


def _quantity(generator: random.Random, part: str, case: CaseInfo, base: float) -> Quantity:
    offset = case.axes.get("offset", 0.0)
    if offset >= 1e5 and case.axes["dtype"] in ("float16", "bfloat16"):
        return Quantity(name=f"step0.{part}", outcome="not-judged", clauses=case.clauses, judged=0, total=300)
    ratio = 0.0 if generator.random() < 0.1 else base * 10 ** generator.gauss(0, 0.3)
    levels = ((0.0, "exact"), (1.0, "tight"), (4.0, "stable"), (3e3, "degraded(raw-moments)"), (inf, "wrong"))
    expected = generator.gauss(0, 1)
    return Quantity(
        name=f"step0.{part}",
        outcome=next(level for limit, level in levels if ratio <= limit),
        clauses=case.clauses,
        error=ratio * 4e-7,
        bound=4e-7,
        ratio=ratio,
        ulp=ratio * 3,
        index=(generator.randrange(4), generator.randrange(3)),
        expected=expected,
        got=expected + ratio * 4e-7,
        judged=300,
        total=300,
    )
