"""Every command of the README's table, in each of its formats, with and without something that fails."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from tests.support.command_line import GOOD, ROOT, WRONG, called, write
from tests.support.recorded_steps import eps_outside_root, save
from tests.support.recorded_steps import step as recorded_step
from tests.support.sample_matrix import realistic
from tests.support.sample_results import item, records, results

from bn_conformance.cli import COMMANDS, main
from bn_conformance.results.writer import write_results

FEW = ("-n", "0", "--in-process", "--case", "fwd/nc/float32/eps-*")
RIGHT, ANSWERS, WRONG_ANSWERS = "right.jsonl", "answers.jsonl", "wrong_answers.jsonl"
PART_ANSWERS = "part_answers.jsonl"
MATRIX, WEIGHTS = "matrix.jsonl", "weights.npz"
STEP, WRONG_STEP, EMPTY_STEP = "step.npz", "wrong_step.npz", "empty_step.npz"
VECTORS = ROOT / "reference" / "bn_reference" / "vectors" / "core"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = f"node {ROOT / 'adapters' / 'examples' / 'batch_norm.js'}"


@dataclass(frozen=True)
class Walk:
    """A command line, the exit code that the documents promise for it, and words that a person must find.

    Attributes:
        words: the command with its arguments, without a format.
        code: the exit code.
        said: words of standard output or standard error, in the format for people.
        slow: whether it judges, and so takes seconds.
        framework: whether it needs frameworks.
    """

    words: tuple[str, ...]
    code: int
    said: str
    slow: bool = False
    framework: bool = False

    @property
    def name(self) -> str:
        """The command, with the command inside it."""
        return " ".join(self.words[: 2 if self.words[0] in ("vectors", "known-faults") else 1])

    def formats(self) -> tuple[str, ...]:
        """The formats that its command has; the empty one where it has none."""
        command: click.Command | None = main
        for word in self.name.split():
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
        choices = [
            parameter.type.choices
            for parameter in command.params
            if isinstance(parameter.type, click.Choice) and "--format" in parameter.opts
        ]
        return tuple(str(choice) for choice in choices[0]) if choices else ("",)


WALKS = (
    Walk(("run", "-i", "good.py", *FEW), 0, "good conforms", slow=True),
    Walk(("run", "-i", "wrong.py", *FEW), 1, "wrong does not conform", slow=True),
    Walk(("run", "-i", "good.py", "--case", "fwd/nc/float32/nothing"), 2, "no case matches"),
    Walk(("check", "good.py", *FEW), 0, "good conforms", slow=True),
    Walk(("check", "wrong.py", *FEW), 1, "wrong does not conform", slow=True),
    Walk(("report", MATRIX), 0, "keras[jax]"),
    Walk(("report", RIGHT), 0, "mine"),
    Walk(("report", "nowhere.jsonl"), 2, "nowhere.jsonl"),
    Walk(("compare", RIGHT, RIGHT), 0, "Nothing changed"),
    Walk(("compare", RIGHT, MATRIX), 1, "worse"),
    Walk(("publish", MATRIX, "published"), 2, "the run did not end"),
    Walk(("publish", RIGHT, "published"), 0, "Published: 1 file "),
    Walk(("known-faults", "draft", MATRIX), 0, "[[fault]]"),
    Walk(("known-faults", "draft", RIGHT), 0, "nothing fails"),
    Walk(("merge", RIGHT, "-o", "merged.jsonl"), 0, "Results:"),
    Walk(("merge", MATRIX, "nowhere.jsonl", "-o", "merged.jsonl"), 2, "nowhere.jsonl"),
    Walk(("list",), 0, "textbook.numpy"),
    Walk(("list", "--cases"), 0, "fwd/nc/float32/eps-default"),
    Walk(("list", "--clauses"), 0, "STAT-3"),
    Walk(("show", "fwd/nc/float32/eps-default"), 0, "FWD-"),
    Walk(("show", "fwd/nc/float32/eps-defualt"), 2, "did you mean fwd/nc/float32/eps-default"),
    Walk(("repro", "textbook.numpy::edge/nc-0x5/float32/empty-batch"), 0, "FAULT", slow=True),
    Walk(("repro", "textbook.numpy::fwd/nc/float32/random"), 2, "nothing to show"),
    Walk(("repro", "textbook.numpy"), 2, "textbook.numpy"),
    Walk(("repro", RIGHT), 2, "nothing fails"),
    Walk(("probe", "good.py"), 0, "agrees", slow=True),
    Walk(("probe", "wrong.py"), 1, "wrong", slow=True),
    Walk(("diff", "running_variance=biased", "good.py"), 0, "verified", slow=True),
    Walk(("diff", "running_variance=biased", "wrong.py"), 1, "not", slow=True),
    Walk(("convert", WEIGHTS, "out.npz", "--to", "flax"), 0, "verified by running both", slow=True, framework=True),
    Walk(("convert", "nowhere.npz", "out.npz", "--to", "flax"), 2, "nowhere.npz does not exist"),
    Walk(("explain", STEP), 0, "within the bounds: y"),
    Walk(("explain", WRONG_STEP, "--eps", "1e-3"), 1, "eps-outside-root", slow=True),
    Walk(("explain", "nowhere.npz"), 2, "nowhere.npz does not exist"),
    Walk(("explain", EMPTY_STEP), 3, "nothing could be judged"),
    Walk(("power", "eps-outside-root", "--case", "fwd/nc/float32/eps-*", "-n", "1"), 0, "eps-outside-root", slow=True),
    Walk(("power", "eps-outside-root", "--case", "fwd/nc/float32/eps-0", "-n", "1"), 1, "SURVIVES", slow=True),
    Walk(("new-adapter", "mine_too"), 0, "mine_too.py"),
    Walk(("new-adapter", "good"), 2, "good.py exists"),
    Walk(("fuzz", "good.py", "--configs", "20", "--in-process"), 0, "20", slow=True),
    Walk(("fuzz", "wrong.py", "--configs", "20", "--in-process"), 1, "regression", slow=True),
    Walk(("vectors", "export", "-o", "vectors", "--case", "fwd/nc/float32/eps-*"), 0, "vectors, "),
    Walk(("vectors", "check", ANSWERS), 0, "answers.jsonl conforms"),
    Walk(
        ("vectors", "check", PART_ANSWERS), 3, "too little was judged: 1 case has quantities that are not in the file"
    ),
    Walk(("vectors", "check", WRONG_ANSWERS), 1, "wrong_answers.jsonl does not conform: 1 of 1 case fail"),
    Walk(("protocol-test", PROGRAM), 0, "keeps to the protocol", slow=True),
    Walk(("protocol-test", "cat"), 1, "does not keep to the protocol", slow=True),
)


def looks_like_json(text: str) -> Any:
    """It is JSON, and says something."""
    parsed = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert parsed
    return parsed


def looks_like_html(text: str) -> None:
    """It is one page that needs no other."""
    assert text.startswith("<!DOCTYPE html>") or text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", text)


def looks_like_markdown(text: str) -> None:
    """It begins with a heading, a bold line or a table, and its tables are whole."""
    assert text.startswith(("#", "**", "|"))
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def looks_like_ctrf(text: str) -> None:
    """It counts as many tests as it has."""
    found = looks_like_json(text)["results"]
    assert found["summary"]["tests"] == len(found["tests"])


def looks_like_a_badge(text: str) -> None:
    assert looks_like_json(text)["schemaVersion"] == 1


def looks_like_svg(text: str) -> None:
    assert ElementTree.fromstring(text).tag.endswith("svg")


def looks_like_annotations(text: str) -> None:
    assert all(line.startswith("::error ") for line in text.splitlines())


def looks_like_lines(text: str) -> None:
    """It has no escape sequence where nothing shows colours."""
    assert "\x1b" not in text


LOOKS: dict[str, Callable[[str], Any]] = {
    "": looks_like_lines,
    "terminal": looks_like_lines,
    "json": looks_like_json,
    "html": looks_like_html,
    "markdown": looks_like_markdown,
    "ctrf": looks_like_ctrf,
    "badge-json": looks_like_a_badge,
    "badge-svg": looks_like_svg,
    "annotations": looks_like_annotations,
}


def walked() -> Iterator[Any]:
    """Every walk in each of its formats, as parameters of a test."""
    for walk in WALKS:
        for format_ in walk.formats():
            name = " ".join(word for word in (*walk.words, format_) if word and word not in FEW)
            marks = [pytest.mark.slow] if walk.slow or walk.name == "protocol-test" else []
            marks += [pytest.mark.framework] if walk.framework else []
            yield pytest.param(walk, format_, id=name.replace(str(ROOT), ""), marks=marks)


def answers(scale: float, vector: str = "fwd.nc.float32.random") -> Iterator[str]:
    """The goldens of a vector, times a scale, as somebody's results."""
    told = json.loads((VECTORS / f"{vector}.json").read_text(encoding="utf-8"))
    for number, step in enumerate(told["steps"]):
        for quantity, golden in step.get("expected", {}).items():
            values = [scale * float.fromhex(value) for value in golden["values"]]
            answer = {"case": told["case"], "step": number, "quantity": quantity, "values": values}
            yield json.dumps(answer) + "\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters, results with everything that can go wrong, results that conform, and answers that are wrong."""
    folder = tmp_path_factory.mktemp("walk")
    write(folder, "good.py", GOOD)
    write(folder, "wrong.py", WRONG)
    write_results(folder / MATRIX, records(realistic(hostile=False)))
    write_results(folder / RIGHT, records(results([item("mine", "fwd/a"), item("mine", "fwd/b")])))
    layer = {"weight": 2.0, "bias": 0.5, "running_mean": 1.0, "running_var": 4.0}
    weights: dict[str, Any] = {f"bn.{name}": np.full(3, value, np.float32) for name, value in layer.items()}
    np.savez(folder / WEIGHTS, **weights)
    right = recorded_step(backward=False)
    save(folder / STEP, right)
    save(folder / WRONG_STEP, eps_outside_root(right))
    save(folder / EMPTY_STEP, {"x": right["x"]})
    write(folder, ANSWERS, "".join(answers(scale=1.0)))
    write(folder, WRONG_ANSWERS, "".join(answers(scale=1.5)))
    write(folder, PART_ANSWERS, next(answers(scale=1.0, vector="grad.nc.float32.random")))
    return folder


@pytest.mark.parametrize(("walk", "format_"), list(walked()))
def test_a_command_says_what_it_promises(walk: Walk, format_: str, prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prepared, tmp_path / "folder")
    done = called(folder, *walk.words, *(("--format", format_, "-o", "-") if format_ else ()))
    assert done.returncode == walk.code, done.stdout + done.stderr
    if walk.code == 2:
        assert done.stdout == ""
        assert walk.said in done.stderr
        return
    LOOKS[format_](done.stdout)
    if format_ in ("", "terminal"):
        assert walk.said in done.stdout + done.stderr


def test_every_command_of_the_readme_is_walked() -> None:
    cells = re.findall(r"^\| (`bnconform .*?) \|", README, re.MULTILINE)
    lines = [line for cell in cells for line in re.findall(r"`(?:bnconform )?(.*?)`", cell)]
    assert {re.findall(r"^[a-z-]+(?: [a-z]+)?", line)[0] for line in lines} == {walk.name for walk in WALKS}


def test_every_command_has_a_row_in_the_readme() -> None:
    rows = re.findall(r"^\| `bnconform ([a-z-]+)", README, re.MULTILINE)
    assert sorted({*rows}) == sorted(COMMANDS)
