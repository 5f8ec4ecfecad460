"""Coverage: what was asked and judged of each family, why not more, and when that is too little."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy

import bnconform
from bn_conformance.adapter import Array, Capabilities, Gradients, LayerConfig
from bn_conformance.catalogue import all_cases
from bnconform.html import as_html

MATRICES = "x of rank 2 is not taken"


class WithoutMatrices(GoodNumpy):
    """Declares rank 2, and declines every case of it."""

    def supports(self, config: LayerConfig) -> str | None:
        return MATRICES if config.rank == 2 else None


class UndeclaredLiterals(GoodNumpy):
    """Declines every eps and momentum but its own."""

    def supports(self, config: LayerConfig) -> str | None:
        return None if config.eps is None and config.momentum is None else "they are literals in its code"


class WithoutRanks(GoodNumpy):
    """Declares nothing that a case of the core could need."""

    capabilities = Capabilities(affine=frozenset({"none"}), ranks=frozenset({5}), layouts=frozenset({"last"}))


def family(verdict: bnconform.Verdict, name: str) -> bnconform.FamilyCoverage:
    return next(entry for entry in verdict.coverage.families if entry.family == name)


def test_the_counts_add_up() -> None:
    verdict = bnconform.check(GoodNumpy, cases=["edge/nc/float32/*", "err/nc/*", "num/nc/float32/*"])
    coverage = verdict.coverage
    assert coverage.exist == len(all_cases())
    for entry in coverage.families:
        assert entry.selected == entry.asked + entry.unsupported
        assert entry.asked == entry.judged + entry.refused + entry.not_judged + entry.failed
    assert family(verdict, "ERR").refused > 0
    assert family(verdict, "STAT").selected == 0
    assert coverage.lacking == ()


def test_what_an_implementation_declines_is_no_pass() -> None:
    verdict = bnconform.check(WithoutMatrices, cases=["stat/nc/float32/*", "fwd/nc/float32/*"])
    assert family(verdict, "FWD").reason.endswith(MATRICES)
    assert family(verdict, "FWD").asked == 0
    assert "FWD" in verdict.coverage.lacking
    assert not verdict.conforms
    assert verdict.failures == ()
    assert "was judged" in verdict.headline


def test_literals_that_only_supports_tells_are_judged_with_their_own_values() -> None:
    verdict = bnconform.check(UndeclaredLiterals, cases=["stat/nc/float32/*", "fwd/nc/float32/*"])
    assert family(verdict, "FWD").judged > 8
    assert verdict.notes[0].startswith("eps and momentum: supports() declines every value but its own")
    assert verdict.failures == ()


def test_a_family_of_the_core_must_be_judged_even_where_nothing_of_it_is_declared() -> None:
    verdict = bnconform.check(WithoutRanks, cases=["fwd/ndhwc/float32/*", "num/nchw/float32/offset-*", "fwd/nc/*"])
    assert family(verdict, "NUM").claimed
    assert "NUM" in verdict.coverage.lacking
    assert not verdict.conforms


def test_a_family_that_was_not_selected_need_not_be_judged() -> None:
    verdict = bnconform.check(GoodNumpy, cases="grad/nc/float32/*")
    assert verdict.conforms
    assert [entry.family for entry in verdict.coverage.families if entry.claimed] == ["GRAD"]


def test_the_text_has_a_row_for_each_selected_family() -> None:
    verdict = bnconform.check(WithoutMatrices, cases=["stat/nc/float32/*", "fwd/nc/float32/*"])
    text, declined = str(verdict), str(sum(entry.selected for entry in verdict.coverage.families))
    rows = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and MATRICES in line]
    assert rows == ["FWD", "STAT", declined]
    assert f"{declined} cases: declined: {MATRICES}" in text


class Shy(GoodNumpy):
    """Declares everything, and declines all but the cases that it likes."""

    def supports(self, config: LayerConfig) -> str | None:
        likes = config.rank == 2 and config.eps is None and config.momentum is not None
        return None if likes else "made for the defaults at rank 2"


class OneFormatAtOneRank(GoodNumpy):
    """Declares so little that the suite has no case of large means for it."""

    capabilities = Capabilities(ranks=frozenset({5}), dtypes=frozenset({"float64"}))


class HalfPrecisionAlone(GoodNumpy):
    """Takes float16 at rank 3, of which few cases are about inference."""

    capabilities = Capabilities(ranks=frozenset({3}), dtypes=frozenset({"float16"}))


class ZeroGradient(GoodLayer):
    """Gives no gradient."""

    def backward(self, dy: Array) -> Gradients:
        return Gradients(np.zeros_like(dy), None, None)


class ForwardOnly(GoodNumpy):
    """Declares no gradient, so that nobody sees that it is wrong."""

    capabilities = Capabilities(gradients=frozenset(), dtypes=frozenset({"float64"}), ranks=frozenset({4}))
    layer = ZeroGradient


@pytest.mark.parametrize(
    ("adapter", "lacking"),
    [
        (Shy, "FWD: 0 of {covered} cases that its declaration covers were judged, and {half} must be"),
        (OneFormatAtOneRank, "NUM-1 was judged in no case, and must be in 1"),
        (HalfPrecisionAlone, "FWD-1 was judged in 4 cases, and must be in 8"),
    ],
)
def test_who_shows_little_has_no_verdict(adapter: type[GoodNumpy], lacking: str) -> None:
    verdict = bnconform.check(adapter)
    assert not verdict.conforms
    assert verdict.failures == ()
    assert verdict.results.end is not None
    assert verdict.results.end.exit_code == 3
    assert "too little was judged" in verdict.headline
    covered = family(verdict, "FWD").covered - family(verdict, "FWD").not_asked
    lacking = lacking.format(covered=covered, half=(covered + 1) // 2)
    assert lacking in verdict.coverage.too_little
    assert "Too little was judged. " in str(verdict)
    assert lacking in as_html(verdict)
    with pytest.raises(AssertionError, match="too little was judged"):
        bnconform.assert_conforms(adapter)


def test_who_declares_less_conforms_as_declared_and_the_verdict_says_what_nobody_asked() -> None:
    verdict = bnconform.check(ForwardOnly, cases=["fwd/nchw/*", "grad/nchw/*"])
    assert verdict.headline == "✓ good.numpy conforms as declared"
    told = [part for part in verdict.coverage.left_out if part.reason == "gradients in training are not declared"]
    assert {"GRAD-1", "GRAD-2", "GRAD-3"} <= {clause for part in told for clause in part.clauses}
    assert "nothing was judged of GRAD-1" in " ".join(str(verdict).split())


class Compiles(GoodNumpy):
    """Compiles for each shape."""

    capabilities = Capabilities(compiles=True, ranks=frozenset({5}))


def test_what_compiles_is_judged_in_full_where_that_is_asked_for() -> None:
    usual, thorough = bnconform.check(Compiles), bnconform.check(Compiles, thorough=True)
    assert "NUM" in usual.coverage.lacking
    assert "(compiles for each shape) is not declared, which thorough=True runs" in " ".join(str(usual).split())
    assert thorough.conforms
    assert thorough.coverage.asked > 2 * usual.coverage.asked
