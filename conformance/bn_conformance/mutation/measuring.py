"""Measures detection power: judges every mutant on every case, in several processes.

Cases are taken family by family. Once a case catches a mutant clearly, the rest of its family is spared for that
mutant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.bench import Bench, under_conventions
from bn_conformance.mutation.catch import Catch, family_of, is_grave
from bn_conformance.mutation.power import Power
from bn_reference.deviations import catalogue

CHUNKS = 4
"""Parts into which the deviations are divided. Each part computes the goldens of a family anew."""

SHARE_OF_SWEEPS = 0.2
"""About which part of the work sweeps are."""


def measure(names: Sequence[str], case_ids: Sequence[str], processes: int = 0) -> Iterator[float | Power]:
    """Judge the cases on every mutant, in several processes.

    Sweeps are judged on those mutants alone that no other case catches clearly.

    Args:
        names: deviations.
        case_ids: cases.
        processes: how many; 0 is one a core.

    Yields:
        The part of the work that is done so far, from 0 to 1, after each piece; at last the result.
    """
    deviations = {name: catalogue()[name] for name in names}
    plain = [case_id for case_id in case_ids if not all_cases()[case_id].sweep]
    sweeps = [case_id for case_id in case_ids if all_cases()[case_id].sweep]
    catches: list[Catch] = []
    count, context = processes or available_cpus(), get_context("spawn")
    with ProcessPoolExecutor(count, context, end_with_parent, (os.getpid(),)) as pool:
        for share, part in _judged_parts(pool, names, plain):
            catches += part
            yield share * (1.0 - SHARE_OF_SWEEPS)
        clear = {catch.deviation for catch in catches if _is_settled_by(catch)}
        for share, part in _judged_parts(pool, [name for name in names if name not in clear], sweeps):
            catches += part
            yield 1.0 - SHARE_OF_SWEEPS + share * SHARE_OF_SWEEPS
    order = {case_id: place for place, case_id in enumerate(case_ids)}
    by_name: dict[str, list[Catch]] = {name: [] for name in names}
    for catch in sorted(catches, key=lambda catch: order[catch.case]):
        by_name[catch.deviation].append(catch)
    yield Power(deviations, {name: tuple(in_order) for name, in_order in by_name.items()}, len(case_ids))


def available_cpus() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _judged_parts(
    pool: ProcessPoolExecutor, names: Sequence[str], case_ids: Sequence[str]
) -> Iterator[tuple[float, list[Catch]]]:
    """The catches of each part as it is done, with the share of the work that is done then."""
    families: dict[str, list[str]] = {}
    for case_id in case_ids:
        families.setdefault(family_of(case_id), []).append(case_id)
    parts = [(names[start::CHUNKS], cases) for cases in families.values() for start in range(CHUNKS)]
    parts = sorted((part for part in parts if part[0]), key=lambda part: -len(part[1]))
    sizes = {pool.submit(_judge_part, tuple(chunk), tuple(cases)): len(cases) for chunk, cases in parts}
    done, whole = 0, sum(sizes.values())
    for future in as_completed(sizes):
        done += sizes[future]
        yield done / whole, future.result()


def _judge_part(names: tuple[str, ...], case_ids: tuple[str, ...]) -> list[Catch]:
    """Judge the cases of one family on some mutants, in a process of the pool."""
    groups = under_conventions(catalogue()[name] for name in names)
    catches: list[Catch] = []
    for case_id in case_ids:
        goldens = Goldens()  # for one case at a time: those of a family would take too much memory
        for convention, group in groups:
            if not group:
                continue
            for catch in Bench(convention, goldens).catches(all_cases()[case_id], tuple(group)):
                catches.append(catch)
                if _is_settled_by(catch):
                    group.remove(catalogue()[catch.deviation])
    return catches


def _is_settled_by(catch: Catch) -> bool:
    """Whether a mutant need not be judged on further cases of the family."""
    return catch.is_clear and is_grave(catalogue()[catch.deviation], catch)
