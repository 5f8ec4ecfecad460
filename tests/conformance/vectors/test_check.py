"""`bnconform vectors check`: right results pass, wrong ones are explained, and nothing in a file is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.submissions import change, results, write

from bn_conformance.catalogue import all_cases
from bn_conformance.commands.vectors import check_command
from bn_conformance.vectors.check import check_submission as judged
from bn_conformance.vectors.selection import core

ALL = "layout/nc/float32/all"
PAIRS = [(case.id, name) for case, name in core(all_cases().values()) if case.expects == "numbers"]


def run(folder: Path, records: list[Any]) -> tuple[int, str, str]:
    done = CliRunner().invoke(check_command, [write(folder, records)])
    return done.exit_code, done.stdout, done.stderr


def test_the_rounded_goldens_of_the_whole_core_set_conform(tmp_path: Path) -> None:
    records = [record for case, name in PAIRS for record in results(case, name)]
    report = judged(write(tmp_path, records))
    assert [(entry.case.id, entry.item.message) for entry in report.checked if entry.item.verdict != "pass"] == []
    assert [entry.case.id for entry in report.checked if entry.missing or not entry.judged] == []
    assert len(report.checked) == len(PAIRS)
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("step", "quantity", "clause"),
    [(0, "y", "FWD-1"), (0, "dx", "GRAD-1"), (0, "dgamma", "GRAD-2"), (0, "running_var", "STAT-2"), (1, "y", "EVAL-1")],
)
def test_a_wrong_number_is_explained(tmp_path: Path, step: int, quantity: str, clause: str) -> None:
    code, said, _ = run(tmp_path, change(results(ALL), step, quantity, 2, 1.01))
    assert code == 1
    assert f"{quantity}[" in said
    for words in (f"in step {step}: expected", "got", "allowed", clause):
        assert words in said


def test_the_convention_decides(tmp_path: Path) -> None:
    biased = results("stat/nc/float32/first-step", "biased")
    assert run(tmp_path, biased)[0] == 0
    renamed = [record | {"convention": "torch+running_variance=biased"} for record in biased]
    assert run(tmp_path, renamed)[0] == 0
    code, said, _ = run(tmp_path, [record | {"convention": "torch"} for record in biased])
    assert code == 1
    assert "running_var[2] in step 0: expected" in said


def test_what_is_missing_is_named_and_the_rest_is_judged(tmp_path: Path) -> None:
    records = [record for record in results(ALL) if record["quantity"] not in ("dx", "running_var")]
    code, said, _ = run(tmp_path, records)
    assert code == 3
    assert "layout/nc/float32/all: not in the file: step0.dx, step0.running_var" in said
    code, said, _ = run(tmp_path, change(records, 0, "y", 0, 1.01))
    assert code == 1
    assert "y[0, 0] in step 0: expected" in said
    code, said, _ = run(tmp_path, change(records, 1, "y", 0, 1.01))
    assert code == 1, "judged along the trajectory where the statistics before are not given"


def test_nothing_to_judge_is_no_pass(tmp_path: Path) -> None:
    code, said, _ = run(tmp_path, [])
    assert (code, "0 of 0 judged" in said) == (3, True)


def test_a_quantity_that_the_case_does_not_judge_is_no_verdict(tmp_path: Path) -> None:
    record = GOOD | {"case": "stat/nc/float32/first-step"}
    code, said, _ = run(tmp_path, [record])
    assert (code, "0 of 1 judged" in said) == (3, True)


def test_decimals_and_a_list_are_read_too(tmp_path: Path) -> None:
    records = [
        record | {"values": [f"{float.fromhex(text):.9g}" for text in record["values"]]} for record in results(ALL)
    ]
    assert run(tmp_path, records)[0] == 0
    assert run(tmp_path, [json.dumps(records, indent=1)])[0] == 0


def test_refusals(tmp_path: Path) -> None:
    case = "err/nc/float32/channels-training"
    assert run(tmp_path, [{"case": case, "refused": "x has 4 channels"}])[0] == 0
    assert run(tmp_path, [{"case": case, "refused": ""}])[0] == 1
    accepted = {"case": case, "step": 0, "quantity": "y", "values": [0] * 32, "shape": [8, 4]}
    code, said, _ = run(tmp_path, [accepted])
    assert code == 1
    assert "accepted without an error" in said
    assert run(tmp_path, [{"case": ALL, "refused": "not supported"}])[0] == 1


GOOD = {"case": "fwd/nc/float32/random", "step": 0, "quantity": "y", "values": [0.0] * 40, "shape": [8, 5]}
BAD: dict[str, tuple[Any, str]] = {
    "cut-off": (json.dumps(GOOD)[:60], "is not JSON"),
    "no-json": ("{'case': 1}", "is not JSON"),
    "deep": ('{"case": ' + "[" * 100_000, "nested too deeply"),
    "huge-integer": (json.dumps(GOOD | {"values": []})[:-2] + ', "step": ' + "9" * 5000 + "}", "is not JSON"),
    "large-integer": (GOOD | {"values": [10**400] + [0] * 39}, "values[0]: an integer is larger than any number"),
    "no-object": ("3", "is no record"),
    "unknown-case": (GOOD | {"case": "fwd/none"}, "there is no case 'fwd/none'"),
    "unsayable-case": (GOOD | {"case": "pure/nc/float32/concurrent"}, "cannot be judged from a file: it needs"),
    "unknown-convention": (GOOD | {"convention": "median"}, "there is no convention 'median'"),
    "unknown-key": (GOOD | {"convension": "biased"}, "unknown key 'convension'"),
    "unknown-quantity": (GOOD | {"quantity": "z"}, "quantity is 'z'"),
    "step": (GOOD | {"step": 7}, "step is 7"),
    "step-negative": (GOOD | {"step": -1}, "step must be"),
    "step-true": (GOOD | {"step": True}, "step must be"),
    "no-step": ({key: value for key, value in GOOD.items() if key != "step"}, "step must be"),
    "length": (GOOD | {"values": [0.0] * 39}, "has 39 values; the shape [8, 5] needs 40"),
    "length-without-shape": ({**GOOD, "values": [0.0], "shape": None}, "has 1 values; y of"),
    "shape": (GOOD | {"shape": [-8, -5]}, "shape must be"),
    "number": (GOOD | {"values": ["zero"] + [0] * 39}, "values[0]: 'zero' is no number"),
    "truth": (GOOD | {"values": [True] + [0] * 39}, "values[0]: True is no number"),
    "null": (GOOD | {"values": [None] + [0] * 39}, "values[0]: None is no number"),
    "nested": (GOOD | {"values": [[0] * 40]}, "is no number"),
    "no-values": (GOOD | {"values": "0"}, "values must be a flat list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_record_that_cannot_be_used_gives_2_and_a_line_and_costs_no_other(tmp_path: Path, name: str) -> None:
    bad, words = BAD[name]
    code, said, errors = run(tmp_path, [*results("stat/nc/float32/first-step"), bad])
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert f"line 3: {words}" in errors or ("line 3: " in errors and words in errors)
    assert "1 of 1 judged: 1 exact" in said


def test_a_duplicate_is_named_with_the_line_that_counts(tmp_path: Path) -> None:
    records = results("stat/nc/float32/first-step")
    code, _, errors = run(tmp_path, [*records, records[0]])
    assert code == 2
    assert "line 3: is a duplicate of line 1" in errors


def test_a_list_that_is_cut_off_keeps_what_came_before(tmp_path: Path) -> None:
    text = json.dumps(results("stat/nc/float32/first-step"), indent=1)
    code, said, errors = run(tmp_path, [text[: text.rindex("}")]])
    assert code == 2
    assert "the file may be cut off" in errors
    assert "not in the file: step0.running_var" in said


def test_nan_is_a_number_and_wrong_where_another_is_expected(tmp_path: Path) -> None:
    code, said, errors = run(tmp_path, [GOOD | {"values": ["NaN"] * 40}])
    assert (code, errors) == (1, "")
    assert "got NaN" in said


def test_another_shape_is_a_wrong_result_and_no_malformed_one(tmp_path: Path) -> None:
    code, said, _ = run(tmp_path, [GOOD | {"shape": [5, 8]}])
    assert code == 1
    assert "has shape (5, 8); expected (8, 5)" in said


def test_results_that_moved_in_inference_are_wrong(tmp_path: Path) -> None:
    code, said, _ = run(tmp_path, change(results(ALL), 1, "running_mean", 0, 1.5))
    assert code == 1
    assert "running statistics moved and should not" in said
