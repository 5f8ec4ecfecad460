"""`bnconform fuzz`, and `bnconform run --regressions`, as a user calls them."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.regressions import read_regression, write_regression
from bn_conformance.cli import main
from bn_conformance.results.file import read_results

TEXTBOOK = ("textbook.numpy", "--without", "EDGE-2")

ADAPTER = """
from bn_conformance.mutation.mutant import PlainAdapter
from bn_reference.deviations import catalogue


class Wrong(PlainAdapter):
    name = "wrong"

    def __init__(self, device="cpu"):
        super().__init__([catalogue()["beta-rolled"]])
        self.name = "wrong"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.py").write_text(ADAPTER, encoding="utf-8")
    return tmp_path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_right_implementation_exits_with_0_and_says_how_many() -> None:
    done = called("fuzz", *TEXTBOOK, "--configs", "60", "--in-process")
    assert done.exit_code == 0, done.output
    assert "textbook.numpy: 60 configurations in " in done.stdout
    assert not Path("regressions").exists()


def test_what_was_found_on_another_implementation_is_not_replayed_unless_named(folder: Path) -> None:
    (folder / "regressions").mkdir()
    other, own = (folder / "regressions" / f"{name}-0123456789.json" for name in ("other", "textbook.numpy"))
    other.write_text("{}", encoding="utf-8")
    arguments = ("fuzz", *TEXTBOOK, "--configs", "5", "--in-process")
    assert called(*arguments).exit_code == 0
    assert called(*arguments, "--regressions", str(other)).exit_code == 2
    own.write_text("{}", encoding="utf-8")
    assert called(*arguments).exit_code == 2


@dataclass(frozen=True)
class Fuzzed:
    """What `bnconform fuzz` said of the wrong adapter, and the regression that it left."""

    done: Result
    path: Path


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Fuzzed:
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "wrong.py").write_text(ADAPTER, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = called("fuzz", "wrong.py", "--configs", "200", "--in-process")
    (path,) = (folder / "regressions").glob("wrong-*.json")
    return Fuzzed(done, path)


def test_a_wrong_one_exits_with_1_and_leaves_a_regression(fuzzed: Fuzzed) -> None:
    assert fuzzed.done.exit_code == 1, fuzzed.done.output
    repeated = f"--case '{read_regression(fuzzed.path).id}' --regressions"
    for part in (
        "step0.y",
        "expected",
        "FWD-1 (MUST)",
        repeated,
        "read_regression('regressions/wrong-",
        "np.sqrt",
        "beta-rolled",
    ):
        assert part in fuzzed.done.stdout, part
    assert json.loads(fuzzed.path.read_text())["found"]["explained_by"][0]


@pytest.mark.slow
def test_a_saved_regression_is_judged_first(folder: Path, fuzzed: Fuzzed) -> None:
    (folder / "regressions").mkdir()
    shutil.copy(fuzzed.path, folder / "regressions")
    done = called("fuzz", "wrong.py", "--configs", "1")
    assert done.exit_code == 1
    assert "1 of 1 saved regressions fail" in done.stderr
    assert "configurations in" not in done.stdout


def test_a_regression_is_shown(fuzzed: Fuzzed) -> None:
    shown = called("show", str(fuzzed.path))
    assert shown.exit_code == 0
    assert read_regression(fuzzed.path).id in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("target", "code", "verdict"), [("wrong.py", 1, "fail"), ("textbook.numpy", 0, "pass")])
def test_a_regression_runs_in_the_matrix(fuzzed: Fuzzed, target: str, code: int, verdict: str) -> None:
    options = ("--regressions", str(fuzzed.path), "--case", "regression/*", "-n", "0", "--results", "r.jsonl")
    assert called("run", "-i", target, *options).exit_code == code
    (item,) = read_results("r.jsonl").items
    assert (item.case, item.verdict) == (read_regression(fuzzed.path).id, verdict)
    assert "--regressions" in item.reproduce


@pytest.mark.slow
def test_a_regression_is_an_extra_item(folder: Path) -> None:
    write_regression(folder / "one.json", all_cases()["grad/nc/float32/random"], {})
    options = ("--case", "fwd/nc/float32/random", "--case", "regression/*", "--results", "r.jsonl")
    assert called("run", "-i", "textbook.numpy", "--regressions", "one.json", "-n", "2", *options).exit_code == 0
    assert len(read_results("r.jsonl").items) == 2


@pytest.mark.slow
def test_a_known_fault_covers_a_regression(folder: Path) -> None:
    done = called("fuzz", "wrong.py", "--configs", "200", "--out", "found.json")
    assert done.exit_code == 1
    case = read_regression(folder / "found.json")
    fault = f'[[fault]]\nimplementation = "wrong"\ncase = "{case.id}"\nreason = "it is made so"\n'
    (folder / "known.toml").write_text(fault, encoding="utf-8")
    options = ("--regressions", "found.json", "--case", "regression/*", "-n", "0", "--known-faults", "known.toml")
    assert called("run", "-i", "wrong.py", *options).exit_code == 0


@pytest.mark.slow
def test_a_known_fault_of_the_matrix_is_pointed_out() -> None:
    done = called("fuzz", "textbook.numpy", "--configs", "2000", "--in-process")
    assert done.exit_code == 1, done.output
    assert "To look past it: --without EDGE-2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no-such",), "there is no implementation 'no-such'"),
        (("textbook.numpy", "--seconds", "0"), "--seconds is 0"),
        (("textbook.numpy", "--seconds", "nan"), "--seconds is nan"),
        (("textbook.numpy", "--configs", "-1"), "--configs is -1"),
        (("textbook.numpy", "--without", "NONE-1"), "there is no clause 'NONE-1'"),
        (("textbook.numpy", "--out", "."), "is a folder"),
        (("textbook.numpy", "--regressions", "wrong.py"), "is not JSON"),
        (("torch.nn*",), "implementations (torch.nn, "),
    ],
)
def test_bad_usage_exits_with_2_and_a_line(arguments: tuple[str, ...], says: str) -> None:
    done = called("fuzz", *arguments)
    assert done.exit_code == 2, done.output
    assert says in done.stderr


def test_a_bad_regression_ends_a_run_with_2(folder: Path) -> None:
    (folder / "bad.json").write_text("{}", encoding="utf-8")
    done = called("run", "-i", "textbook.numpy", "--regressions", "bad.json", "-n", "0", "--results", "r.jsonl")
    assert done.exit_code == 2


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    done = called("fuzz", "textbook.numpy")
    assert done.exit_code == 2
    assert "pip install 'bnconform[fuzz]'" in done.stderr
