"""Coverage: what was asked and judged of each family, why not more, and when that is too little."""

from __future__ import annotations

from tests.support.good_numpy import GoodNumpy

import bnconform
from bn_conformance.adapter import Capabilities, LayerConfig
from bn_conformance.catalogue import all_cases

LITERALS = "eps and momentum are literals in its code"


class Literal(GoodNumpy):
    """Declines every case that chooses eps or momentum."""

    def supports(self, config: LayerConfig) -> str | None:
        return None if config.eps is None and config.momentum is None else LITERALS


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
    verdict = bnconform.check(Literal, cases=["stat/nc/float32/*", "fwd/nc/float32/*"])
    assert family(verdict, "FWD").reason.endswith(LITERALS)
    assert family(verdict, "FWD").asked == 0
    assert "FWD" in verdict.coverage.lacking
    assert not verdict.conforms
    assert verdict.failures == ()
    assert "was judged" in verdict.headline


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
    text = str(bnconform.check(Literal, cases=["stat/nc/float32/*", "fwd/nc/float32/*"]))
    rows = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and LITERALS in line]
    assert rows == ["FWD", "STAT"]
