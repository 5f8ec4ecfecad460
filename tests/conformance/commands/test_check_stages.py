"""The two stages of `bnconform check`, in this process and in several: the same cases, the same words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.command_line import called, write
from tests.support.inference_layers import PLAIN, SWEEPS
from tests.support.runs import judgements

from bn_conformance.catalogue import all_cases
from bn_conformance.results.file import Results, read_results
from bn_conformance.results.schema import validate_file

FAILING = 37
"""Plain cases that `Wrong` fails."""

LINE = f"{SWEEPS} more cases were not asked: failures were found without them; --thorough asks them."


def checked(folder: Path, layer: str, *options: str) -> tuple[subprocess.CompletedProcess[str], Results]:
    write(folder, "mine.py", f"from tests.support.inference_layers import {layer} as Given\nclass Mine(Given): pass\n")
    done = called(folder, "check", "mine.py:Mine", *options, "--results", "out.jsonl")
    validate_file(str(folder / "out.jsonl"))
    return done, read_results(folder / "out.jsonl")


def counts(results: Results) -> tuple[int, int]:
    """How many cases were asked, and how many were not since failures were found without them."""
    outcomes = [item.outcome for item in results.items]
    return len(outcomes) - outcomes.count("unsupported") - outcomes.count("not-asked"), outcomes.count("not-asked")


@pytest.mark.slow
def test_a_plain_mistake_is_told_without_the_sweeps_by_any_number_of_processes(tmp_path: Path) -> None:
    found = []
    for processes in ("0", "2"):
        done, results = checked(tmp_path, "Wrong", "-n", processes)
        said = " ".join(done.stdout.split())
        assert (done.returncode, counts(results)) == (1, (PLAIN, SWEEPS)), said + done.stderr
        assert f"Note: {LINE}" in said
        assert f"{FAILING} of {PLAIN} cases fail" in said
        assert "eps-outside-root" in said
        assert "never reported" not in said
        assert f"plain cases (1 of 2): 100 % ({PLAIN} of {PLAIN})" in done.stderr
        assert "follow" not in done.stderr
        assert results.missing() == ()
        found.append(judgements(results))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "processes", "code", "said"),
    [
        ("WrongInASweep", "2", 1, f"{PLAIN} plain cases conform after"),
        ("HidesNaN", "0", 1, f"{PLAIN} plain cases judged, 1 failing at usual edges alone, after"),
        ("Right", "0", 0, f"{PLAIN} plain cases conform after"),
    ],
)
def test_the_sweeps_follow_where_plain_cases_allow_it(
    tmp_path: Path, layer: str, processes: str, code: int, said: str
) -> None:
    done, results = checked(tmp_path, layer, "-n", processes)
    told = " ".join(done.stderr.split())
    assert (done.returncode, counts(results)) == (code, (PLAIN + SWEEPS, 0)), done.stdout + told
    assert told.count(f"s; {SWEEPS} more sizes and tours follow") == 1
    assert said in told
    assert f"sizes, tours (2 of 2): 100 % ({SWEEPS} of {SWEEPS})" in told
    assert "not asked" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--thorough", "--clause=STATE"])
def test_what_is_thorough_or_selected_is_asked_in_full(tmp_path: Path, option: str) -> None:
    done, results = checked(tmp_path, "Wrong", "-n", "0", option)
    asked, not_asked = counts(results)
    assert (done.returncode, not_asked) == (1, 0)
    assert asked == PLAIN + SWEEPS or option == "--clause=STATE"
    assert any(all_cases()[item.case].sweep for item in results.items if item.outcome != "unsupported")
    assert "1 of 2" not in done.stderr


@pytest.mark.slow
def test_a_check_that_was_cut_off_in_its_first_stage_goes_on_in_it(tmp_path: Path) -> None:
    _, whole = checked(tmp_path, "Wrong", "-n", "0")
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    last = next(place for place, line in enumerate(lines) if b'"not-asked"' in line)
    (tmp_path / "out.jsonl").write_bytes(b"".join(lines[: last - 5]))
    done = called(tmp_path, "run", "-n", "0", "--resume", "out.jsonl")
    results = read_results(tmp_path / "out.jsonl")
    assert done.returncode == 1, done.stderr
    assert judgements(results) == judgements(whole)
    assert results.diagnoses == whole.diagnoses


@pytest.mark.slow
@pytest.mark.parametrize("command", [("check", "mine.py:Mine"), ("run", "-i", "mine.py:Mine")])
def test_what_asks_a_sample_goes_on_where_it_was_cut_off(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Some of the sample is declined and replaced."""
    given = "from dataclasses import replace\nfrom tests.support.good_numpy import EVERYTHING, GoodNumpy\n"
    few = "replace(EVERYTHING, dtypes=frozenset({'float32'}), mixed=frozenset(), layouts=frozenset({'first'}))"
    odd = "config.num_channels % 2 and config.num_channels > 8"
    declines = f"def supports(self, config):\n        return 'odd' if {odd} else None"
    body = f"    capabilities = {few}\n    {declines}\n"
    write(tmp_path, "mine.py", f"{given}class Mine(GoodNumpy):\n{body}")
    called(tmp_path, *command, "-n", "0", "--results", "out.jsonl")
    whole, lines = read_results(tmp_path / "out.jsonl"), (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    assert counts(whole)[1] > counts(whole)[0]
    for kept in (len(lines) // 2, len(lines) - 20):
        (tmp_path / "out.jsonl").write_bytes(b"".join(lines[:kept]))
        done = called(tmp_path, "run", "-n", "0", "--resume", "out.jsonl")
        assert done.returncode == 0, done.stderr
        assert judgements(read_results(tmp_path / "out.jsonl")) == judgements(whole)


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_compiles_is_asked_a_sample_of_plain_cases_in_one_stage(tmp_path: Path, processes: str) -> None:
    given = "from dataclasses import replace\nfrom tests.support.good_numpy import EVERYTHING, GoodNumpy\n"
    body = "    capabilities = replace(EVERYTHING, compiles=True, dtypes=frozenset({'float32'}), mixed=frozenset())\n"
    write(tmp_path, "mine.py", f"{given}class Mine(GoodNumpy):\n{body}")
    done = called(tmp_path, "check", "mine.py:Mine", "-n", processes, "--results", "out.jsonl")
    results = read_results(tmp_path / "out.jsonl")
    asked, not_asked = counts(results)
    assert (done.returncode, results.missing()) == (0, ()), done.stdout + done.stderr
    assert 0 < asked < not_asked
    assert f"{not_asked:,} more cases were not asked: of each class of them some were" in " ".join(done.stdout.split())
    assert "1 of 2" not in done.stderr
    assert f"100 % ({asked} of {asked})" in done.stderr
