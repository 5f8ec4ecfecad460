"""Plain readers in JavaScript and C read the core set, agree with it, and disagree when eps is dropped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bn_conformance.vectors.files import core_folder

HERE = Path(__file__).parent
NODE, COMPILER = shutil.which("node"), shutil.which("gcc") or shutil.which("cc")
TRAINED = ["layout.nc.float32.all.json", "layout.nlc.float32.all.json", "fwd.nc.float32.random.json"]
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: the JavaScript reader cannot run")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler: the C reader cannot be built")


def javascript(**environment: str) -> subprocess.CompletedProcess[str]:
    files = [str(path) for path in sorted(core_folder().glob("*.json"))]
    command = [str(NODE), str(HERE / "read.js"), *files]
    environment = {"PATH": os.environ.get("PATH", ""), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


@needs_node
def test_javascript_agrees_with_every_core_vector() -> None:
    done = javascript()
    lines = done.stdout.splitlines()
    assert done.returncode == 0, "\n".join(line for line in lines if " 0 wrong" not in line) + done.stderr
    assert len(lines) == len(list(core_folder().glob("*.json")))
    unjudged = {line.split()[0] for line in lines if " 0 judged" in line}
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in core_folder().glob("*.json")]
    may_be_refused = {document["case"] for document in documents if document["expects"] != "numbers"}
    assert unjudged == may_be_refused


@needs_node
def test_javascript_without_eps_is_found_wrong() -> None:
    done = javascript(BN_DROP_EPS="1")
    wrong = {line.split()[0] for line in done.stdout.splitlines() if " 0 wrong" not in line}
    assert done.returncode == 1
    assert {"fwd/nc/float32/random", "grad/nc/float32/random", "layout/nc/float32/all"} <= wrong
    assert not any(case.startswith("stat/nc/float32/first-step torch") for case in wrong)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("readers")
    for real in ("float", "double"):
        command = [str(COMPILER), "-std=c99", f"-DREAL={real}", "-o", str(folder / real), str(HERE / "read.c"), "-lm"]
        subprocess.run(command, check=True, timeout=60)
    return {real: folder / real for real in ("float", "double")}


@needs_compiler
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("name", [*TRAINED, "grad.nc.float32.random.json", "stat.nc.float32.first-step@biased.json"])
def test_c_agrees(programs: dict[str, Path], real: str, name: str) -> None:
    done = subprocess.run([str(programs[real]), str(core_folder() / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_compiler
@pytest.mark.parametrize("name", TRAINED)
def test_c_without_eps_is_found_wrong(programs: dict[str, Path], name: str) -> None:
    command = [str(programs["double"]), str(core_folder() / name), "drop-eps"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "expected" in done.stdout


def test_the_readers_are_short() -> None:
    assert all(len((HERE / name).read_text().splitlines()) < 60 for name in ("read.js", "read.c"))


@needs_compiler
def test_c_in_single_precision_is_found_out_by_a_float64_vector(programs: dict[str, Path]) -> None:
    path = core_folder() / "stat.nchw.float64.first-step.json"
    codes = {
        real: subprocess.run([str(program), str(path)], check=False).returncode for real, program in programs.items()
    }
    assert codes == {"double": 0, "float": 1}
