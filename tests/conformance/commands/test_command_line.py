"""`bnconform run` and `check` as a person meets them: exit codes, one line for a mistake, nothing else lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command_line import HEAD, bnconform, write

from bn_conformance.commands.inspect import list_
from bn_conformance.implementations import registry as implementations
from bn_conformance.implementations.registry import NOT_INSTALLED
from bn_conformance.results.file import Results, read

ROOT = Path(__file__).parents[3]
FRAMEWORKS = ("torch", "tensorflow", "jax", "keras", "flax", "tf_keras")
GOOD = HEAD + "class Good(GoodNumpy):\n    name = 'good'\n"
WRONG = (
    HEAD
    + """
class Layer(GoodLayer):
    def inverse(self, variance):
        return super().inverse(variance * 1.01)
class Wrong(GoodNumpy):
    name, layer = 'wrong', Layer
"""
)
CRASHING = (
    HEAD
    + """
import os
class Layer(GoodLayer):
    def backward(self, dy):
        os.abort()
class Crashing(GoodNumpy):
    name, layer = 'crashing', Layer
"""
)


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Results]:
    done = bnconform(folder, "run", "-n", "0", "--results", "out.jsonl", *arguments)
    return done, read(folder / "out.jsonl")


def test_a_conforming_adapter_gives_0(tmp_path: Path) -> None:
    done, results = run(tmp_path, "-i", write(tmp_path, "good.py", GOOD), "--clause", "FWD-1")
    assert done.returncode == 0, done.stderr
    assert results.missing() == ()
    assert {item.verdict for item in results.items} == {"pass"}


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
    arguments = (
        "run",
        "-n",
        "2",
        "--results",
        "out.jsonl",
        "-i",
        crashing,
        "-i",
        good,
        "--case",
        "*/nc/float32/random",
    )
    done = bnconform(tmp_path, *arguments)
    results = read(tmp_path / "out.jsonl")
    assert done.returncode == 1, done.stderr
    assert results.missing() == ()
    outcomes = {item.id: item.outcome for item in results.items}
    assert outcomes["crashing::grad/nc/float32/random"] == "crashed"
    assert outcomes["crashing::fwd/nc/float32/random"] in ("exact", "tight")
    assert outcomes["good::grad/nc/float32/random"] in ("exact", "tight")


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
    seen = [line.split(" ", 1) for line in (tmp_path / "seen.txt").read_text().splitlines()]
    assert done.returncode == 0
    assert len({process for process, _ in seen}) == 2
    (kept,) = {folder for _, folder in seen}
    assert not Path(kept).parent.exists()


def test_a_run_that_judged_nothing_gives_3(tmp_path: Path) -> None:
    target = write(tmp_path, "narrow.py", GOOD + "    from bn_conformance.adapter import Capabilities\n"
                   "    capabilities = Capabilities(dtypes=frozenset({'float64'}))\n")  # fmt: skip
    done, results = run(tmp_path, "-i", target, "--case", "fwd/nc/float32/random")
    assert done.returncode == 3, done.stderr
    assert results.end is not None
    assert results.end.message


TARGETS = {
    "syntax.py": ("def f(:\n", "syntax.py has a syntax error in line 1"),
    "raises.py": ("raise OSError('no licence')\n", "cannot be imported: OSError: no licence"),
    "exits.py": ("import os\nos._exit(3)\n", "cannot be imported: the process exited with status 3"),
    "missing.py": ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    "empty.py": ("x = 1\n", "defines 0 adapters"),
    "two.py": (GOOD + "class Other(GoodNumpy):\n    name = 'other'\n", "defines 2 adapters (Good, Other); name one as"),
    "abstract.py": (HEAD + "class A(Adapter):\n    name, convention = 'a', Convention()\n", "defines 0 adapters"),
    "undeclarable.py": (HEAD + "class A(GoodNumpy):\n    convention = Convention(running_variance='median')\n",
                        "running_variance is 'median'; declarable are"),
}  # fmt: skip


def assert_usage(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("Usage:", "Try "))]
    assert len(said) == 1, said


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_that_cannot_be_used_gives_2_and_a_line(tmp_path: Path, name: str) -> None:
    text, words = TARGETS[name]
    assert_usage(bnconform(tmp_path, "check", write(tmp_path, name, text)), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "none.py"), "none.py does not exist"),
        (("check", "good.py:Missing"), "good.py has no Missing"),
        (("check", "good.py:GoodLayer"), "is not an adapter"),
        (("run", "-i", "no.such"), "there is no implementation 'no.such'"),
        (("run", "--case", "nothing*"), "no case matches 'nothing*'"),
        (("run", "--clause", "FWD-99"), "there is no clause 'FWD-99'"),
        (("run", "--clause", "STAT-8", "--case", "err/*"), "no case matches both"),
        (("run", "--in-process", "-n", "2"), "--in-process needs -n 0"),
        (("run", "-n", "-3"), "-n is '-3'"),
        (("run", "--results", "."), "is a folder"),
        (("run", "--timeout", "-1"), "timeout"),
        (("run", "--known-faults", "none.toml"), "none.toml: cannot be read"),
        (("run", "--level", "perfect"), "perfect"),
    ],
    ids=lambda value: value.replace("/", "_")[:30] if isinstance(value, str) else "",
)
def test_a_mistake_in_the_options_gives_2_and_a_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write(tmp_path, "good.py", GOOD)
    assert_usage(bnconform(tmp_path, *arguments), words)


def entry(case: str) -> str:
    return f'# ours\n[[fault]]\nimplementation = "wrong"\ncase = "{case}"\nreason = "on purpose"\n'


def test_a_known_fault_does_not_fail_a_run(tmp_path: Path) -> None:
    write(tmp_path, "faults.toml", entry("fwd/nc/float32/random"))
    target = write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-i", target, "--case", "fwd/nc/float32/random", "--known-faults", "faults.toml")
    assert done.returncode == 0, done.stdout
    assert [item.verdict for item in results.items] == ["known-fault"]


def test_an_entry_that_matches_no_failure_fails_the_run_and_names_its_line(tmp_path: Path) -> None:
    write(tmp_path, "faults.toml", entry("err/nc/float32/dy-shape"))
    target = write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-i", target, "--case", "err/nc/float32/dy-shape", "--known-faults", "faults.toml")
    (stale,) = results.stale_faults
    assert stale.line == 2
    assert "faults.toml, line 2" in stale.message
    assert done.returncode == 1


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_list_cuts_no_name_short_on_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {
        name: replace(entry, status=NOT_INSTALLED, versions={}, message="words " * 30)
        for name, entry in implementations.registered().items()
    }
    monkeypatch.setattr(implementations, "registered", lambda: entries)
    monkeypatch.setenv("COLUMNS", columns)
    list_(cases=False, clauses=False, clause=())
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    for name, described in entries.items():
        assert [name, NOT_INSTALLED, described.group] in rows


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_help_imports_neither_numpy_nor_frameworks() -> None:
    code = "from bn_conformance.cli import main\nmain(['--help'], standalone_mode=False)"
    assert not modules_after(code) & {"numpy", "numpy_quaddtype", "ml_dtypes", "pytest", "rich", *FRAMEWORKS}


def test_the_plugin_imports_nothing_of_the_suite() -> None:
    assert "numpy" not in modules_after("import bn_conformance.plugin")


@pytest.mark.slow
def test_collecting_the_matrix_imports_no_framework() -> None:
    code = (
        "import pytest\n"
        "status = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', '--pyargs', 'bn_conformance'])\n"
        "assert status == 0, status"
    )
    assert not modules_after(code) & set(FRAMEWORKS)
