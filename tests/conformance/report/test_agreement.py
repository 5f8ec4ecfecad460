"""Which implementations agree, and the matrix by other columns than families."""

from __future__ import annotations

from tests.support.sample_declarations import TEXTBOOK, TORCH
from tests.support.sample_results import case, item, results

from bn_conformance.report.agreement import Agreement, agreement_of
from bn_conformance.report.breakdown import breakdowns
from bn_conformance.report.summary import summarise
from bn_conformance.results.records import Environment


def of(verdicts: dict[str, str]) -> Agreement:
    """The agreement of implementations that pass (.), fail (x), know a fault (k) of a case, or do not run it (-)."""
    outcomes = {
        ".": ("tight", "pass"),
        "x": ("wrong", "fail"),
        "k": ("wrong", "known-fault"),
        "-": ("unsupported", "unsupported"),
    }
    return agreement_of(
        summarise(
            results(
                item(name, f"c{n}", *outcomes[letter])
                for name, letters in verdicts.items()
                for n, letter in enumerate(letters)
            )
        )
    )


def test_those_that_fail_in_the_same_cases_are_one_group_whether_the_fault_is_known_or_not() -> None:
    assert of({"a": "..x.", "b": "..k.", "c": "....", "d": "...."}).groups == (("a", "b"), ("c", "d"))


def test_cases_that_one_alone_ran_tell_nothing_apart_but_half_of_them_must_be_shared() -> None:
    assert of({"a": "x...", "b": "-...", "c": "---."}).groups == (("a", "b"),)


def test_a_pair_counts_what_both_ran_and_where_one_alone_fails() -> None:
    pair = of({"a": "x.x-", "b": "..x."}).pairs["b", "a"]
    assert (pair.both, pair.apart, pair.choices) == (3, 1, 0)


def test_what_ran_nothing_is_set_beside_nothing() -> None:
    assert of({"a": "--", "b": ".."}).names == ("b",)


def test_choices_that_differ_are_counted() -> None:
    environments = [
        Environment(implementation=name, status="ok", convention=convention)
        for name, convention in (("a", TORCH), ("b", TEXTBOOK))
    ]
    written = results([item("a", "c"), item("b", "c")], environments=environments)
    differing = sum(TORCH[name] != TEXTBOOK[name] for name in TORCH)
    assert agreement_of(summarise(written)).pairs["a", "b"].choices == differing > 0


def test_the_matrix_has_columns_of_families_formats_and_layouts_without_shapes() -> None:
    axes = [("float64", "nchw"), ("float32", "nchw-3x3x3x3"), ("int7", "nhwc")]
    cases = [case(f"c{n}", "FWD-1", dtype=dtype, layout=layout) for n, (dtype, layout) in enumerate(axes)]
    items = [item("i", "c0"), item("i", "c1", "wrong", "fail"), item("i", "c2")]
    shown = breakdowns(summarise(results(items, cases=cases)))
    assert [(one.name, one.columns) for one in shown] == [
        ("family", ("FWD",)),
        ("format", ("float32", "float64", "int7")),
        ("layout", ("nchw", "nhwc")),
    ]
    assert {column: tally.sign.symbol for column, tally in shown[2].cells["i"].items()} == {"nchw": "✕", "nhwc": "✓"}


def test_axes_of_any_kind_make_no_columns() -> None:
    cases = [case("c", "FWD-1", dtype=3, layout=None)]
    assert [one.name for one in breakdowns(summarise(results([item("i", "c")], cases=cases)))] == ["family"]
