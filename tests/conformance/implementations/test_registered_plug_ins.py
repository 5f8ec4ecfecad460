"""Whatever a distribution registers, it is broken with the reason, and all others are listed and judged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PLUG_INS = """
from tests.support.good_numpy import GoodNumpy
from bn_conformance.adapter import Capabilities


class Fatal(BaseException):
    pass


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Good(GoodNumpy):
    name = "plugged.good"


class Other(GoodNumpy):
    name = "plugged.good"


class TakesAName(GoodNumpy):
    name = "textbook.numpy"


class NumberAsName(GoodNumpy):
    name = 3


class UndecodableName(GoodNumpy):
    name = "caf\\udce9"


class TwoLines(GoodNumpy):
    name = "two\\nlines"


class UnknownFormat(GoodNumpy):
    name = "plugged.unknown-format"
    capabilities = Capabilities(dtypes=frozenset({"float8"}))


class WordAsFlag(GoodNumpy):
    name = "plugged.word"
    capabilities = Capabilities(freeze="yes")


class NoConvention(GoodNumpy):
    name = "plugged.no-convention"
    convention = {"running_variance": "biased"}


class NumberAsModule(GoodNumpy):
    name = "plugged.number"
    requires = (7,)


class VersionsRaise(GoodNumpy):
    name = "plugged.versions"

    def versions(self):
        raise Fatal("not today")


class VersionsAreNumbers(GoodNumpy):
    name = "plugged.numbers"

    def versions(self):
        return {"numpy": 2.4}


class InitRaises(GoodNumpy):
    name = "plugged.init"

    def __init__(self, device="cpu"):
        raise Unspeakable


class NoClass:
    pass
"""
MODULES = {
    "plug_ins": PLUG_INS,
    "plug_exits": "raise SystemExit(0)",
    "plug_dies": "class Fatal(BaseException): pass\nraise Fatal('caf\\udce9 cannot be opened')",
    "plug_typo": "def broken(:",
}
REASONS = {
    "number-as-name": ("plug_ins:NumberAsName", "declares name as 3; expected a text on one line"),
    "undecodable": ("plug_ins:UndecodableName", r"declares name as 'caf\udce9'; expected a text on one line"),
    "two-lines": ("plug_ins:TwoLines", r"declares name as 'two\nlines'; expected a text on one line"),
    "format": ("plug_ins:UnknownFormat", "'float8' is not among float16, bfloat16, float32, float64"),
    "flag": ("plug_ins:WordAsFlag", "declares capabilities.freeze as 'yes'; expected True or False"),
    "convention": ("plug_ins:NoConvention", "expected a Convention"),
    "requires": ("plug_ins:NumberAsModule", "declares requires as (7,); expected a tuple of texts"),
    "versions": ("plug_ins:VersionsRaise", "cannot be described: Fatal: not today"),
    "numbers": ("plug_ins:VersionsAreNumbers", "versions() of plug_ins:VersionsAreNumbers gives {'numpy': 2.4}"),
    "init": ("plug_ins:InitRaises", "cannot be described: Unspeakable: (its text cannot be read)"),
    "name-of-another": (
        "plug_ins:TakesAName",
        "plug_ins:TakesAName is registered as bad.name-of-another and is named textbook.numpy; give it one name",
    ),
    "none": ("plug_ins:Nothing", "plug_ins has no Nothing"),
    "class": ("plug_ins:NoClass", "plug_ins:NoClass is not an adapter"),
    "exits": ("plug_exits:Adapter", "plug_exits cannot be imported: SystemExit: 0"),
    "dies": ("plug_dies:Adapter", r"plug_dies cannot be imported: Fatal: caf\udce9 cannot be opened"),
    "typo": ("plug_typo:Adapter", "plug_typo has a syntax error in line 1"),
    "missing": ("plug_that_is_not_there:Adapter", "cannot be imported: No module named 'plug_that_is_not_there'"),
}
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution that registers all of them."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    information = folder / "plug_ins-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-ins\nVersion: 1.0\n")
    lines = [f"bad.{name} = {target}" for name, (target, _) in REASONS.items()] + ["plugged.good = plug_ins:Good"]
    wrappers = ["bad-wrapper = plug_exits:WRAPPER", "no-wrapper = plug_ins:NoClass"]
    text = "\n".join(["[bnconform.adapters]", *lines, "[bnconform.wrappers]", *wrappers, ""])
    (information / "entry_points.txt").write_text(text)
    return folder


def bnconform(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "bn_conformance", *arguments],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "400", "PYTHONIOENCODING": "utf-8"},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_each_is_broken_with_its_reason_and_the_others_are_listed(site: Path) -> None:
    done = bnconform(site, "list")
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.split())
    for name, (_, reason) in REASONS.items():
        assert f"bad.{name} broken" in flat
        assert reason in flat, name
    assert "plugged.good ok" in flat
    assert "textbook.numpy ok" in flat


@pytest.fixture(scope="module")
def twice(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside it with a distribution that takes names that are taken."""
    folder = tmp_path_factory.mktemp("twice")
    (folder / "plug_ins.py").write_text(PLUG_INS)
    for name, entries in {
        "first": ["plugged.good = plug_ins:Good", "twice.over = plug_ins:Good"],
        "second": ["plugged.good = plug_ins:Other", "textbook.numpy = plug_ins:TakesAName"],
    }.items():
        information = folder / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wrapper = f"torch-module = plug_ins:{name}" if name == "first" else "keras-layer = plug_ins:Other"
        text = "\n".join(["[bnconform.adapters]", *entries, "[bnconform.wrappers]", wrapper, ""])
        (information / "entry_points.txt").write_text(text)
    return folder


def test_a_name_that_two_distributions_register_is_broken_and_names_both(twice: Path) -> None:
    done = bnconform(twice, "list")
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.split())
    both = "plugged.good is registered by plug_ins:Good (first 1.0) and plug_ins:Other (second 1.0); uninstall one"
    assert both in flat
    assert flat.count("plugged.good broken") == 1
    assert re.search(r"textbook\.numpy is registered by .*bn_adapters\.textbook:TextbookNumpy \(bnconform", flat)
    assert "plug_ins:TakesAName (second 1.0)" in flat
    assert "torch.nn ok" in flat


def test_a_run_of_a_name_that_two_distributions_register_is_no_success(twice: Path) -> None:
    options = ("-n", "0", "--case", "fwd/nc/float32/random", "--results", "o.jsonl")
    done = bnconform(twice, "run", "-i", "plugged.good", *options)
    assert done.returncode in (1, 2, 3), done.stdout + done.stderr
    assert "plug_ins:Other (second 1.0)" in done.stdout + done.stderr


def test_a_wrapper_that_two_distributions_register_is_an_error_that_names_both(twice: Path) -> None:
    (twice / "code.py").write_text("class Layer: pass\n")
    done = bnconform(twice, "check", "--as", "torch-module", "code.py:Layer")
    assert done.returncode == 2
    assert "torch-module is registered by " in done.stderr
    assert "plug_ins:first (first 1.0)" in done.stderr


def test_a_file_cannot_take_the_name_of_a_registered_implementation(site: Path) -> None:
    (site / "mine.py").write_text(PLUG_INS)
    taken = ("-n", "0", "--case", "fwd/nc/float32/random", "--results", "o.jsonl")
    done = bnconform(site, "run", "-i", "mine.py:TakesAName", *taken)
    assert done.returncode == 2
    assert "mine.py:TakesAName and bn_adapters.textbook:TextbookNumpy are both named textbook.numpy" in done.stderr
    python = "import bnconform, mine; bnconform.check(mine.TakesAName, cases='fwd/nc/float32/random')"
    path = os.pathsep.join([str(site), str(ROOT)])
    asked = subprocess.run(
        [sys.executable, "-c", python],
        env=os.environ | {"PYTHONPATH": path},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert asked.returncode != 0
    assert "are both named textbook.numpy; give one another name" in asked.stderr


@pytest.mark.slow
def test_a_run_of_another_is_not_disturbed(site: Path) -> None:
    options = ("-n", "0", "--case", "fwd/nc/float32/random", "--results", "o.jsonl")
    done = bnconform(site, "run", "-i", "plugged.good", *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("wrapper", "words"),
    [("bad-wrapper", "(plug_exits:WRAPPER) cannot be loaded: SystemExit: 0"), ("no-wrapper", "is no Wrapper")],
)
def test_a_wrapper_that_cannot_be_loaded_is_an_error_of_its_targets(site: Path, wrapper: str, words: str) -> None:
    done = bnconform(site, "check", "--as", wrapper, "plug_ins.py:Good")
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
