"""A folder in which the commands of the documents run: with the files that the documents speak of, and small.

A command runs as it stands, but on less: what it selects must be there, and a few cases take its place. An
implementation that takes long to start, or that is only an example of a name, has another in its place.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.command_line import GOOD, ROOT, called, write
from tests.support.recorded_steps import save, step

from bn_conformance.catalogue.selection import select_cases

TEXTBOOK = "textbook.numpy"
STANDS_FOR = dict.fromkeys(("mylib.*", "mylib.batchnorm", "torch.*", "torch.nn", "keras[jax]"), TEXTBOOK) | {
    "keras[tensorflow]": "running_variance=biased",
    "mylib.batchnorm::edge/nc-0x5/float32/empty-batch": f"{TEXTBOOK}::edge/nc-0x5/float32/empty-batch",
}
"""Implementations of the documents; what runs instead."""

FEW = ("--case", "stat/nc/float32/start-*", "--case", "stat/nchw/float32/start-*")
LAYERS = """
import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[1], x.dtype))
    running_var = bn_param.get("running_var", np.zeros(x.shape[1], x.dtype))
    cache = None
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=0), x.var(axis=0) + eps
        xhat = (x - mean) / np.sqrt(var)
        cache = xhat, gamma, np.sqrt(var)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        xhat = (x - running_mean) / np.sqrt(running_var)
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return gamma * xhat + beta, cache


def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    return gamma / std / len(dout) * (len(dout) * dout - dbeta - xhat * dgamma), dgamma, dbeta
"""
"""The pair of functions of the textbook, as a person has them."""

FAULT = """
[[fault]]
implementation = "textbook.numpy"
case = "edge/*/empty-batch"
reason = "an empty batch makes the running statistics NaN"
link = "https://example.invalid/1"
"""
SUBMISSION = '{"case": "fwd/nc/float32/eps-default", "step": 0, "quantity": "y", "values": [0.0], "shape": [1]}\n'


def make_stage(folder: Path) -> None:
    """Write the files that the documents name: layers, adapters, results of runs, known faults, numbers to check."""
    shutil.copy(ROOT / "adapters" / "examples" / "my_layers.py", folder)
    shutil.copytree(ROOT / "reference" / "bn_reference" / "vectors" / "core", folder / "core")
    write(folder, "my_adapter.py", GOOD)
    write(folder, "layers.py", LAYERS)
    write(folder, "known_faults.toml", FAULT)
    write(folder, "results.jsonl", SUBMISSION)
    save(folder / "step.npz", step())
    done = in_process(folder, ["run", "--results", "new.jsonl"])
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("old.jsonl", "accepted.jsonl", "reports/matrix.jsonl"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / "new.jsonl", folder / name)
    (folder / "accepted.jsonl.gz").write_bytes(gzip.compress((folder / "new.jsonl").read_bytes()))


def run_line(folder: Path, words: list[str]) -> None:
    """Run one line of a block of shell code, and see that it did what it is there for."""
    if words[0] == "bnconform":
        done = in_process(folder, words[1:])
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stdout or "Written: " in done.stderr
    elif words[:2] == ["pip", "install"]:
        assert set(re.findall(r"\[(.*?)\]", words[2])) - extras() == set()
    elif words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, check=True)
    else:
        (folder / f"{words[-1]}.gz").unlink(missing_ok=True)  # gzip asks before it writes over a file
        program = sys.executable if words[0] == "python" else words[0]
        subprocess.run([program, *words[1:]], cwd=folder, capture_output=True, check=True)


def in_process(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `bnconform` on less than the words ask for."""
    if "--resume" in words:
        cut_off(folder / words[words.index("--resume") + 1])
    return called(folder, *narrowed([STANDS_FOR.get(word, word) for word in words]))


def narrowed(words: list[str]) -> list[str]:
    """The same command on a few cases, in this process unless a framework is needed."""
    command, *rest = words
    if command == "fuzz":
        return [command, *rest, "--seconds", "5"]
    if command not in ("run", "check") and words[:2] != ["vectors", "export"]:
        return words
    rest = without_selection(rest)
    if command == "vectors":
        return [*words[:2], *FEW, *rest[1:]]
    more = ["-i", TEXTBOOK] if command == "run" and "-i" not in rest else []
    more += ["-n", "0"] if "torch-module" in rest else ["-n", "0", "--in-process"]
    return [command, *FEW, *more, *rest]


def without_selection(words: list[str]) -> list[str]:
    """The words without `--case` and `--clause`, whose values must select cases that exist."""
    places = [place for place, word in enumerate(words) if word in ("--case", "--clause")]
    clauses = [words[place + 1] for place in places if words[place] == "--clause"]
    assert select_cases(clauses, [words[place + 1] for place in places if words[place] == "--case"])
    return [word for place, word in enumerate(words) if not {place, place - 1} & {*places}]


def cut_off(results: Path) -> None:
    """Cut a results file off in the middle, as a killed run leaves it."""
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
    results.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")


def extras() -> set[str]:
    """The extras of the distribution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])
