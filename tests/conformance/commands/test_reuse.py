"""`bnconform run --reuse FILE`: what cannot have changed is taken over, all else is judged again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.command_line import CRASHING, GOOD, ROOT, WRONG, assert_usage, bnconform, run, write
from tests.support.fake_distribution import install
from tests.support.runs import assert_same_run

from bn_conformance.results.file import Results, read_results

ASKED = ("-i", "other.py", "-i", "good.py", "--case", "fwd/nc/float32/r*")
OTHER = GOOD.replace("class Good", "class Other").replace('"good"', '"other"')
HELPED = """
import helper
from fakelib import x
""" + GOOD.replace("class Good", "class Helped").replace('"good"', '"helped"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "good.py", GOOD)
    write(tmp_path, "other.py", OTHER)
    write(tmp_path, "wrong.py", WRONG)
    write(tmp_path, "helped.py", HELPED)
    write(tmp_path, "helper.py", "import deeper\n")
    write(tmp_path, "deeper.py", "x = 1\n")
    install(tmp_path / "site-packages")
    return tmp_path


def reusing(
    folder: Path, *arguments: str, reuse: str = "out.jsonl", **environment: str
) -> tuple[subprocess.CompletedProcess[str], Results]:
    """A run that reuses results, and its own."""
    command = ("run", "-n", "0", "--reuse", reuse, "--results", "again.jsonl")
    done = bnconform(folder, *command, *arguments, **environment)
    assert done.returncode in (0, 1), done.stderr
    return done, read_results(folder / "again.jsonl")


def judged_again(results: Results) -> set[str]:
    """The implementations of which some item was judged."""
    return {item.implementation for item in results.items if item.reused is None and item.verdict != "unsupported"}


def test_what_is_unchanged_is_taken_over_and_marked(folder: Path) -> None:
    _, whole = run(folder, *ASKED)
    done, again = reusing(folder, *ASKED)
    assert_same_run(again, whole)
    assert judged_again(again) == set()
    assert {item.reused for item in again.items if item.reused} == {whole.header.created}
    count = len([item for item in again.items if item.reused])
    assert f"Reused from out.jsonl: {count} of {count} items" in done.stderr
    assert f"{count} items of an earlier run still hold and were not judged again" in done.stdout
    (folder / "again.jsonl").rename(folder / "second.jsonl")
    _, third = reusing(folder, *ASKED, reuse="second.jsonl")
    assert {item.reused for item in third.items if item.reused} == {whole.header.created}


@pytest.mark.slow
def test_after_a_change_of_one_adapter_only_that_one_runs(folder: Path) -> None:
    run(folder, *ASKED)
    write(folder, "good.py", GOOD + "\n# changed\n")
    done, again = reusing(folder, *ASKED)
    assert judged_again(again) == {"good"}
    assert "Judged again: good (its own files changed)" in done.stderr


@pytest.mark.slow
def test_a_module_that_an_adapter_imports_and_a_framework_count(folder: Path) -> None:
    path = {"PYTHONPATH": f"{ROOT}:{folder / 'site-packages'}"}
    asked = ("-i", "helped.py", "-i", "good.py", "--case", "fwd/nc/float32/random")
    assert bnconform(folder, "run", "-n", "0", *asked, "--results", "out.jsonl", **path).returncode == 0

    def changed(reason: str) -> None:
        done, again = reusing(folder, *asked, **path)
        assert judged_again(again) == ({"helped"} if reason else set())
        assert reason in done.stderr

    changed("")
    write(folder, "deeper.py", "x = 2\n")
    changed("Judged again: helped (its own files changed)")
    write(folder, "deeper.py", "x = 1\n")
    install(folder / "site-packages", version="2.0")
    changed("Judged again: helped (an installed package changed)")
    install(folder / "site-packages")
    changed("")
    (folder / "site-packages" / "fakelib" / "__init__.py").write_text("x = 7\n", encoding="utf-8")
    changed("Judged again: helped (an installed package changed)")


@pytest.mark.slow
def test_other_environment_variables_of_libraries_are_another_machine(folder: Path) -> None:
    run(folder, *ASKED)
    done, again = reusing(folder, *ASKED, MKL_CBWR="COMPATIBLE")
    assert judged_again(again) == {"good", "other"}
    assert "Judged again: other, good (the machine, Python or an environment variable changed)" in done.stderr


@pytest.mark.slow
def test_level_and_known_faults_are_those_of_this_run(folder: Path) -> None:
    asked = ("-i", "wrong.py", "--case", "fwd/nc/float32/random")
    run(folder, *asked)
    fault = '[[fault]]\nimplementation = "wrong"\ncase = "fwd/*"\nreason = "on purpose"\n'
    done, known = reusing(folder, *asked, "--known-faults", write(folder, "faults.toml", fault))
    assert done.returncode == 0
    assert [item.verdict for item in known.items] == ["known-fault"]
    assert judged_again(known) == set()
    (folder / "again.jsonl").rename(folder / "known.jsonl")
    done, failing = reusing(folder, *asked, reuse="known.jsonl")
    assert done.returncode == 1
    assert judged_again(failing) == set()
    assert [diagnosis.implementation for diagnosis in failing.diagnoses] == ["wrong"]


@pytest.mark.slow
def test_crashes_and_errors_that_fail_are_judged_again(folder: Path) -> None:
    write(folder, "crashing.py", CRASHING)
    write(folder, "raising.py", CRASHING.replace("os.abort()", "raise ValueError('no')").replace("rashing", "rashed"))
    asked = ("-i", "crashing.py", "-i", "raising.py", "--case", "*/nc/float32/random", "--case", "state/nc/float32/*")
    _, first = run(folder, *asked)
    _, again = reusing(folder, *asked)
    anew = {item.id for item in again.items if item.reused is None and item.verdict != "unsupported"}
    assert anew == {item.id for item in first.items if item.outcome in ("crashed", "errored")}
    assert {item.outcome for item in first.items} >= {"crashed", "errored"}
    assert any(item.reused for item in again.items)


@pytest.mark.slow
def test_what_another_selection_needs_is_taken_and_the_rest_judged(folder: Path) -> None:
    run(folder, *ASKED)
    _, more = reusing(folder, "-i", "good.py", "--case", "fwd/nc*/float32/random")
    anew = {item.case for item in more.items if item.reused is None}
    assert "fwd/nchw/float32/random" in anew
    assert "fwd/nc/float32/random" not in anew


@pytest.mark.slow
def test_results_of_another_version_reuse_nothing_and_say_so(folder: Path) -> None:
    run(folder, *ASKED)
    text = (folder / "out.jsonl").read_text()
    for old, new in (('"suite":"', '"suite":"0.'), ('"format":1', '"format":2')):
        write(folder, "older.jsonl", text.replace(old, new, 1))
        done, again = reusing(folder, *ASKED, reuse="older.jsonl")
        assert judged_again(again) == {"good", "other"}
        assert sum("Nothing is reused from older.jsonl: " in line for line in done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_what_cannot_be_reused_is_one_line(folder: Path) -> None:
    run(folder, *ASKED)
    write(folder, "no.jsonl", "nonsense\n")
    for arguments, words in (
        (("--reuse", "no.jsonl"), "no.jsonl, line 1"),
        (("--reuse", "none.jsonl"), "none.jsonl: cannot be read"),
        (("--reuse", "out.jsonl", "--results", "./out.jsonl"), "write the results to another file"),
    ):
        assert_usage(bnconform(folder, "run", "-n", "0", *ASKED, *arguments), words)
