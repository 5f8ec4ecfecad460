"""`bnconform check` of an adapter: a target that cannot be used is one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.command_line import GOOD, HEAD, WRONG, assert_usage, bnconform, called, write

UNDECLARABLE = f"{HEAD}class A(GoodNumpy):\n    convention = Convention(running_variance='median')\n"
UNUSABLE = {
    "syntax.py": ("def f(:\n", "syntax.py has a syntax error in line 1"),
    "raises.py": ("raise OSError('no licence')\n", "cannot be imported: OSError: no licence"),
    "exits.py": ("import os\nos._exit(3)\n", "cannot be imported: the process exited with status 3"),
    "missing.py": ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    "empty.py": ("x = 1\n", "defines 0 adapters"),
    "two.py": (GOOD + "class Other(GoodNumpy):\n    name = 'other'\n", "defines 2 adapters (Good, Other); name one as"),
    "abstract.py": (HEAD + "class A(Adapter):\n    name, convention = 'a', Convention()\n", "defines 0 adapters"),
    "undeclarable.py": (UNDECLARABLE, "running_variance is 'median'; declarable are"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_target_that_cannot_be_used_gives_2_and_a_line(tmp_path: Path, name: str) -> None:
    text, words = UNUSABLE[name]
    assert_usage(called(tmp_path, "check", write(tmp_path, name, text)), words)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("none.py", "none.py does not exist"),
        ("good.py:Missing", "good.py has no Missing"),
        ("kernel.rs:batch_norm", "`bnconform vectors export`"),
        ("good.py:GoodLayer", "GoodLayer cannot be built"),
    ],
)
def test_a_target_that_is_not_there_gives_2_and_a_line(tmp_path: Path, target: str, words: str) -> None:
    write(tmp_path, "good.py", GOOD)
    assert_usage(called(tmp_path, "check", target), words)


NARROW = f"""{HEAD}
from bn_conformance.adapter import Capabilities

class Narrow(GoodNumpy):
    name = "narrow"
    capabilities = Capabilities(ranks=frozenset({{5}}), dtypes=frozenset({{"float64"}}))
"""


@pytest.mark.slow
def test_who_declares_next_to_nothing_gets_3_and_reads_why(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "check", write(tmp_path, "narrow.py", NARROW), "-n", "0", "--results", "narrow.jsonl")
    said = " ".join(done.stdout.split())
    assert done.returncode == 3, said
    assert "Note: narrow: too little was judged. NUM: NUM-1 was judged in no case, and must be in 1" in said
    assert re.search(r"\d+ cases: masks are not declared; nothing was judged of MASK-1 to MASK-5", said)
    assert said.endswith("? narrow: too little was judged")


CACHING = (
    WRONG
    + """
    environment = {"KEPT": "{cache}/kept"}

    def build(self, config):
        import os
        with open("seen.txt", "a") as seen:
            seen.write(os.environ["KEPT"] + chr(10))
        return super().build(config)
"""
)


@pytest.mark.slow
def test_all_that_a_check_does_shares_a_cache_that_goes_with_it(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "check", write(tmp_path, "caching.py", CACHING), "--case", "fwd/*/float32/random")
    assert done.returncode == 1, done.stderr
    assert "\nDiagnosis\n" in done.stdout, done.stdout
    assert "wrong, measured" in done.stdout
    (kept,) = {*(tmp_path / "seen.txt").read_text().splitlines()}
    assert not Path(kept).parent.exists()
