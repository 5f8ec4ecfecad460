"""`bnconform run` as a person meets it: exit codes, one line for a mistake, nothing else lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import CRASHING, GOOD, HEAD, WRONG, assert_usage, bnconform, called, run, write
from tests.support.runs import judgements

from bn_conformance.results.file import read_results


def test_a_conforming_adapter_gives_0(tmp_path: Path) -> None:
    done, results = run(tmp_path, "-i", write(tmp_path, "good.py", GOOD), "--clause", "FWD-1")
    assert done.returncode == 0, done.stderr
    assert results.missing() == ()
    assert {item.verdict for item in results.items} == {"pass"}


def test_what_failed_is_asked_for_and_nobody_remembers_it(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, results = run(tmp_path, "-i", good, "--case", "fwd/nc/float32/random", "--", "--lf")
    assert "--lf: no failure is remembered here, so everything runs. A run is remembered where" in done.stderr
    assert len(results.items) == 1


@pytest.mark.slow
def test_a_wrong_adapter_gives_1_and_others_keep_their_results(tmp_path: Path) -> None:
    good, wrong = write(tmp_path, "good.py", GOOD), write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-i", wrong, "-i", good, "--case", "fwd/nc/float32/*")
    assert done.returncode == 1
    verdicts = {
        name: {item.verdict for item in results.items if item.implementation == name} for name in ("good", "wrong")
    }
    assert verdicts["good"] == {"pass"}
    assert "fail" in verdicts["wrong"]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_crash_costs_its_own_items_alone_in_several_processes(tmp_path: Path) -> None:
    good, crashing = write(tmp_path, "good.py", GOOD), write(tmp_path, "crashing.py", CRASHING)
    done, results = run(tmp_path, "-n", "2", "-i", crashing, "-i", good, "--case", "*/nc/float32/random")
    assert done.returncode == 1, done.stderr
    assert results.missing() == ()
    outcomes = {item.id: item.outcome for item in results.items}
    assert outcomes["crashing::grad/nc/float32/random"] == "crashed"
    assert outcomes["crashing::fwd/nc/float32/random"] in ("exact", "tight")
    assert outcomes["good::grad/nc/float32/random"] in ("exact", "tight")


KILLING = f"""{HEAD}
import os, pathlib, signal

class Layer(GoodLayer):
    def backward(self, dy):
        if not MARK or not pathlib.Path(MARK).exists():
            pathlib.Path(MARK or "killed").touch()
            between = pathlib.Path(f"/proc/{{os.getppid()}}/stat").read_text()
            os.kill(int(between.rpartition(")")[2].split()[1]), signal.SIGKILL)
            os._exit(0)
        return super().backward(dy)

class Killing(GoodNumpy):
    name, layer = "killing", Layer
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_adapter_that_kills_the_judging_process_costs_its_own_items_alone(tmp_path: Path, processes: str) -> None:
    killing, good = write(tmp_path, "killing.py", KILLING.replace("MARK", "''")), write(tmp_path, "good.py", GOOD)
    cases = ("--case", "eval/nc/float32/random", "--case", "grad/nc/float32/*", "--case", "fwd/nc/float32/*")
    done, results = run(tmp_path, "-n", processes, "-i", killing, "-i", good, *cases)
    assert done.returncode in (1, 3), done.stderr
    assert results.missing() == ()
    assert {item.verdict for item in results.items if item.implementation == "good"} == {"pass"}
    killed = [item for item in results.items if item.implementation == "killing" and item.verdict == "fail"]
    assert {item.outcome for item in killed} == {"crashed"}
    ending = [item.case for item in killed if "ended 2 times while it ran" in item.message]
    assert len(ending) >= 3
    assert {case.split("/")[0] for case in ending} == {"grad"}
    assert any("given up after 3 items" in item.message for item in killed)


@pytest.mark.slow
def test_an_item_that_ended_its_process_once_is_judged_in_the_next(tmp_path: Path) -> None:
    killing = write(tmp_path, "killing.py", KILLING.replace("MARK", "'mark'"))
    done, results = run(tmp_path, "-n", "1", "-i", killing, "--case", "grad/nc/float32/r*")
    assert (tmp_path / "mark").exists()
    assert done.returncode == 0, done.stdout
    assert {item.verdict for item in results.items} == {"pass"}


CACHING = (
    GOOD
    + """
    environment = {"KEPT": "{cache}/kept"}

    def build(self, config):
        import os, pathlib
        kept = pathlib.Path(os.environ["KEPT"])
        kept.mkdir(exist_ok=True)
        with open("seen.txt", "a") as seen:
            seen.write(f"{os.getpid()} {kept}\\n")
        return super().build(config)
"""
)


@pytest.mark.slow
def test_the_processes_of_a_run_share_a_cache_that_goes_with_it(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "-i", write(tmp_path, "caching.py", CACHING), "--case", "fwd/*/float32/random", "-n", "2")
    builds = [line.split(" ", 1) for line in (tmp_path / "seen.txt").read_text().splitlines()]
    assert done.returncode == 0
    assert len({process for process, _ in builds}) == 2
    (kept,) = {folder for _, folder in builds}
    assert not Path(kept).parent.exists()


def test_a_run_that_judged_nothing_gives_3(tmp_path: Path) -> None:
    declared = "    capabilities = Capabilities(dtypes=frozenset({'float64'}))\n"
    target = write(tmp_path, "narrow.py", "from bn_conformance.adapter import Capabilities\n" + GOOD + declared)
    done, results = run(tmp_path, "-i", target, "--case", "fwd/nc/float32/random")
    assert done.returncode == 3, done.stderr
    assert results.end is not None
    assert results.end.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-i", "no.such"), "there is no implementation 'no.such'"),
        (("--case", "nothing*"), "no case matches 'nothing*'"),
        (("--clause", "FWD-99"), "there is no clause 'FWD-99'"),
        (("--clause", "STAT-8", "--case", "err/*"), "no case matches both"),
        (("--in-process", "-n", "2"), "--in-process needs -n 0"),
        (("-n", "-3"), "-n is '-3'"),
        (("--results", "."), "cannot be written (Is a directory)"),
        (("--timeout", "-1"), "timeout"),
        (("--known-faults", "none.toml"), "none.toml: cannot be read"),
        (("--level", "perfect"), "perfect"),
    ],
    ids=lambda value: value.replace("/", "_")[:30] if isinstance(value, str) else "",
)
def test_a_mistake_in_the_options_gives_2_and_a_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write(tmp_path, "good.py", GOOD)
    assert_usage(called(tmp_path, "run", *arguments), words)


def test_two_adapters_of_one_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    good, other = write(tmp_path, "good.py", GOOD), write(tmp_path, "other.py", WRONG.replace('"wrong"', '"good"'))
    done = called(tmp_path, "run", "-i", good, "-i", other)
    assert_usage(done, "other.py and good.py are both named good; give one another name")


def test_an_adapter_does_not_take_the_name_of_a_registered_implementation(tmp_path: Path) -> None:
    taking = write(tmp_path, "mine.py", GOOD.replace('"good"', '"textbook.numpy"'))
    done = called(tmp_path, "check", taking)
    assert_usage(done, "mine.py and bn_adapters.textbook:TextbookNumpy are both named textbook.numpy")


def test_a_known_fault_of_a_clause_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    fault = '[[fault]]\nimplementation = "a"\nclause = "EDGE-99"\nreason = "r"\n'
    done = called(tmp_path, "run", "-i", "textbook.numpy", "--known-faults", write(tmp_path, "f.toml", fault))
    assert_usage(done, "f.toml, line 1: there is no clause 'EDGE-99'")


def entry(case: str) -> str:
    return f'# ours\n[[fault]]\nimplementation = "wrong"\ncase = "{case}"\nreason = "on purpose"\n'


@pytest.mark.slow
def test_a_known_fault_does_not_fail_a_run(tmp_path: Path) -> None:
    write(tmp_path, "faults.toml", entry("fwd/nc/float32/random"))
    target = write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-i", target, "--case", "fwd/nc/float32/random", "--known-faults", "faults.toml")
    assert done.returncode == 0, done.stdout
    assert [item.verdict for item in results.items] == ["known-fault"]


@pytest.mark.slow
def test_an_entry_that_matches_no_failure_fails_the_run_and_names_its_line(tmp_path: Path) -> None:
    write(tmp_path, "faults.toml", entry("err/nc/float32/dy-shape"))
    target = write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-i", target, "--case", "err/nc/float32/dy-shape", "--known-faults", "faults.toml")
    (stale,) = results.stale_faults
    assert stale.line == 2
    assert "faults.toml, line 2" in stale.message
    assert done.returncode == 1


@pytest.mark.slow
def test_of_an_entry_with_several_patterns_the_one_that_matches_no_failure_is_stale(tmp_path: Path) -> None:
    failing, passing = "fwd/nc/float32/random", "err/nc/float32/dy-shape"
    write(tmp_path, "faults.toml", entry(failing).replace(f'"{failing}"', f'["{failing}", "{passing}"]'))
    asked = ("-i", write(tmp_path, "wrong.py", WRONG), "--case", failing, "--case", passing)
    done, results = run(tmp_path, *asked, "--known-faults", "faults.toml")
    (stale,) = results.stale_faults
    assert stale.message.startswith(f"no longer fails: delete '{passing}' from the entry at faults.toml, line 2")
    assert done.returncode == 1
    assert [item.verdict for item in results.items if item.case == failing] == ["known-fault"]
    assert done.stdout.splitlines()[-1].startswith("✕ Nothing new fails, but 1 known-fault entry is stale")


@pytest.mark.slow
def test_three_shards_merge_to_what_one_run_gives(tmp_path: Path) -> None:
    wrong, good = write(tmp_path, "wrong.py", WRONG), write(tmp_path, "good.py", GOOD)
    asked = ("-i", wrong, "-i", good, "--case", "fwd/nc/float32/*", "--case", "fwd/nchw/float32/*")
    _, whole = run(tmp_path, *asked)
    parts = [f"{number}.jsonl" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        shard = ("--shard", f"{number}/3", "--times", "out.jsonl", "--results", part)
        done = bnconform(tmp_path, "run", "-n", "0", *asked, *shard)
        assert done.returncode in (0, 1), done.stderr
    merged = bnconform(tmp_path, "merge", *reversed(parts), "-o", "merged.jsonl")
    assert merged.stdout.splitlines()[-1].startswith("Something does not conform"), merged.stderr
    together = read_results(tmp_path / "merged.jsonl")
    assert judgements(together) == judgements(whole)
    assert together.end is not None
    assert whole.end is not None
    assert merged.returncode == together.end.exit_code == whole.end.exit_code == 1
