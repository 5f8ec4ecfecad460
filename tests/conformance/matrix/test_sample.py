"""The sample of cases that a check asks: of sweeps, and of the plain cases of what compiles."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain

import pytest
from tests.support.good_numpy import EVERYTHING
from tests.support.judge_layers import supported

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.matrix.sample import (
    ALONE,
    ALONE_OF_PLAIN,
    FEW_PLAIN,
    LONGEST_FAR,
    LONGEST_PLAIN,
    classes_of,
    sampled_plain,
    sampled_sweeps,
)
from bn_conformance.mutation.attack import Hunt
from bn_conformance.mutation.power import judged_cases
from bn_reference.deviations import catalogue
from bn_reference.specification.enough import minimums

ONLY_IN_SWEEPS = """
any-rank-by-last-axis count-in-bfloat16 dbeta-over-n-minus-1-beyond-4096 dx-detached-without-parameters-at-rank-5
eps-in-storage float64-one-value-unchanged float64-statistics-in-float32-beyond-4096 seam-dropped-from-variance
sequential-gradient-sums 16-bit-momentum-0-as-default
"""
"""Some deviations that no plain case catches."""

OF_FEW_PLAIN_CASES = """
momentum-one-as-zero gradient-past-statistics-at-momentum-0 gradient-past-statistics-at-momentum-1
inference-gradient-by-mean-of-now inference-gradient-by-variance-of-now channels-last-read-as-c
reciprocal-root-of-20-bits-in-inference reciprocal-root-of-20-bits-in-backward eps-outside-root
"""
"""Deviations, of which most are caught by few plain cases alone, in float32 as well."""

COMPILES = replace(EVERYTHING, compiles=True)
NARROW = replace(COMPILES, dtypes=frozenset({"float32"}), mixed=frozenset(), layouts=frozenset({"first"}))


@pytest.fixture(scope="module")
def parts() -> tuple[list[Case], list[Case]]:
    plain: list[Case] = []
    sweeps: list[Case] = []
    for case in supported():
        (sweeps if case.sweep else plain).append(case)
    return plain, sweeps


def test_a_sample_holds_every_class_and_is_a_fraction_of_the_work(parts: tuple[list[Case], list[Case]]) -> None:
    plain, sweeps = parts
    sample = sampled_sweeps(sweeps, plain)
    chosen = [case for case in sweeps if case.id in sample]
    every, found = (set(chain.from_iterable(map(classes_of, some))) for some in (sweeps, (*plain, *chosen)))
    assert every <= found
    assert sum(case.effort for case in chosen) < 0.2 * sum(case.effort for case in sweeps)


def test_a_sample_does_not_depend_on_the_order(parts: tuple[list[Case], list[Case]]) -> None:
    plain, sweeps = parts
    assert sampled_sweeps(sweeps[::-1], plain[::-1]) == sampled_sweeps(sweeps, plain)


def test_what_adds_nothing_is_left_out(parts: tuple[list[Case], list[Case]]) -> None:
    _, sweeps = parts
    one = next(case for case in sweeps if case.id not in ALONE)
    assert sampled_sweeps([one], []) == {one.id}
    assert sampled_sweeps([one], [replace(one, sweep=False)]) == frozenset()


def test_a_layer_that_declares_less_has_a_sample_of_its_own(parts: tuple[list[Case], list[Case]]) -> None:
    plain, sweeps = parts
    narrow = [case for case in sweeps if (case.config.rank, case.config.dtype) == (4, "float32")]
    sample = sampled_sweeps(narrow, plain)
    assert sample
    assert sample <= {case.id for case in narrow}
    assert not sample <= sampled_sweeps(sweeps, plain)


def test_what_is_in_every_sample_exists_and_is_a_sweep() -> None:
    assert all(all_cases()[case_id].sweep for case_id in ALONE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONLY_IN_SWEEPS.split())
def test_what_plain_cases_miss_a_sample_catches(name: str) -> None:
    cases = [all_cases()[case_id] for case_id in judged_cases()]
    plain = [case for case in cases if not case.sweep]
    sample = sampled_sweeps((case for case in cases if case.sweep), plain)
    clause = catalogue()[name].clause
    near = [case.id for case in plain if clause in case.clauses]
    assert Hunt(near).first_catch(catalogue()[name]) is None
    assert Hunt(sorted(sample)).first_catch(catalogue()[name]) is not None


def test_what_compiles_is_asked_every_class_of_plain_cases_in_half_of_them_at_most() -> None:
    plain = [case for case in supported(COMPILES) if case.effort <= LONGEST_PLAIN]
    sample = sampled_plain(plain)
    asked = [case for case in plain if case.id in sample]
    every, found = (set(chain.from_iterable(map(classes_of, some))) for some in (plain, asked))
    assert every == found
    assert len(asked) < len(plain) / 2


def test_what_compiles_is_asked_every_class_in_fewer_shapes_and_formats() -> None:
    plain = [case for case in supported(COMPILES) if case.effort <= LONGEST_PLAIN]
    few, any_ = (
        [case for case in plain if case.id in sample] for sample in (sampled_plain(plain, True), sampled_plain(plain))
    )
    assert len({case.signature for case in few}) < len({case.signature for case in any_})
    assert {*chain.from_iterable(map(classes_of, few))} == {*chain.from_iterable(map(classes_of, plain))}
    always = [case.id for case in plain if any(fnmatchcase(case.id, pattern) for pattern in ALONE_OF_PLAIN)]
    assert {*always} <= {case.id for case in few}


@pytest.mark.parametrize("compiles", [True, False])
def test_a_sample_of_plain_cases_is_enough_for_every_claim(compiles: bool) -> None:
    for can in (COMPILES, NARROW):
        plain = supported(can)
        sample = sampled_plain(plain, compiles)
        for minimum in minimums():
            claimed = [case for case in plain if minimum.clause in case.clauses]
            assert sum(case.id in sample for case in claimed) >= min(2 * minimum.cases, len(claimed))


def test_very_long_plain_cases_are_in_no_sample() -> None:
    plain = supported(COMPILES)
    long = {case.id for case in plain if case.effort > LONGEST_PLAIN}
    assert long
    assert not long & sampled_plain(plain)


def test_a_long_far_case_is_asked_for_its_sizes_and_not_for_its_question() -> None:
    long = all_cases()["edge/nchw-2x1024x1x2/float64/far-deep-not-finite"]
    short = next(case for case in all_cases().values() if case.title == long.title and case.effort <= LONGEST_FAR)
    kinds = [{str(one[0]) for one in classes_of(case) if isinstance(one, tuple)} for case in (long, short)]
    assert "question" in kinds[1] - kinds[0]
    assert kinds[1] - {"question"} <= kinds[0]


def test_few_plain_cases_are_all_asked() -> None:
    plain = supported(COMPILES)
    assert len(sampled_plain(plain[:FEW_PLAIN])) == FEW_PLAIN
    assert len(sampled_plain(plain[: FEW_PLAIN + 1])) < FEW_PLAIN


@pytest.mark.parametrize("pattern", ALONE_OF_PLAIN)
def test_a_pattern_of_plain_cases_in_every_sample_fits_some_of_what_compiles(pattern: str) -> None:
    plain = supported(COMPILES)
    fitting = {case.id for case in plain if fnmatchcase(case.id, pattern)}
    assert fitting
    assert fitting <= sampled_plain(plain)
    assert not any(all_cases()[case_id].sweep for case_id in fitting)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_FEW_PLAIN_CASES.split())
def test_what_plain_cases_catch_their_sample_catches(name: str) -> None:
    judged = {*judged_cases()}
    sample = sampled_plain(case for case in supported(NARROW) if case.id in judged)
    assert Hunt(sorted(sample)).first_catch(catalogue()[name]) is not None
