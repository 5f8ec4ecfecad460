"""What code is, found out without `--as`: kinds, and one line for what is of none or of several."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from tests.support.command_line import GOOD, ROOT

from bn_conformance.implementations.registry import from_target
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target
from bn_conformance.targets.recognition import candidates, kinds_of

FUNCTIONS = "def up(x, gamma, beta, bn_param): ...\ndef down(dout, cache): ...\n"
LINEN = """
import flax.linen as nn
class Own(nn.BatchNorm):
    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average)
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


@pytest.mark.framework
def test_a_torch_class_is_recognised_as_class_and_as_instance() -> None:
    torch = import_module("torch")
    assert kinds_of(torch.nn.BatchNorm2d) == ("torch-module",)
    assert kinds_of(torch.nn.BatchNorm2d(3)) == ("torch-module",)


def test_a_pair_of_functions_is_recognised() -> None:
    assert kinds_of((write, write)) == ("numpy-functions",)
    assert kinds_of((write, write, write)) == ()


@pytest.mark.parametrize("thing", [3, "text", None, int, write])
def test_what_is_of_no_kind_is_recognised_as_nothing(thing: object) -> None:
    assert kinds_of(thing) == ()


def test_an_adapter_needs_no_kind(tmp_path: Path) -> None:
    adapter = load_adapter(f"{write(tmp_path, GOOD)}:Good")
    assert kinds_of(adapter) == ()
    with pytest.raises(TargetError, match="an adapter declares its convention itself"):
        load_adapter(f"{tmp_path / 'mine.py'}:Good+running_variance=biased")


@pytest.mark.framework
def test_a_torch_class_needs_no_kind_and_takes_choices(tmp_path: Path) -> None:
    path = write(tmp_path, "import torch\nclass Own(torch.nn.BatchNorm2d): ...\n")
    adapter = load_adapter(f"{path}:Own+running_variance=biased")
    assert (adapter.name, adapter.convention.running_variance) == ("mine.Own", "biased")
    assert load_adapter(str(path)).name == "mine.Own"


@pytest.mark.framework
def test_a_framework_that_is_set_up_by_its_environment_gets_it(tmp_path: Path) -> None:
    implementation = from_target(f"{write(tmp_path, LINEN)}:Own")
    assert implementation.target.startswith("flax-module=")


NOTING = """
import os
with open({notes!r}, "a") as notes:
    notes.write(f"{{os.getpid()}} {{os.environ.get('JAX_ENABLE_X64')}}\\n")
"""


@pytest.mark.framework
def test_a_framework_that_is_set_up_by_its_environment_is_imported_in_one_process(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    from_target(f"{write(tmp_path, NOTING.format(notes=str(notes)) + LINEN)}:Own")
    (noted,) = {*notes.read_text().splitlines()}
    assert noted.endswith(" 1")


@pytest.mark.framework
def test_what_needs_no_environment_is_described_without_that_of_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notes = tmp_path / "notes"
    implementation = from_target(f"{write(tmp_path, NOTING.format(notes=str(notes)) + 'import jax' + GOOD)}:Good")
    assert implementation.environment == {}
    assert notes.read_text().splitlines()[-1].endswith(" None")


@pytest.mark.framework
def test_a_guess_of_the_environment_costs_nothing_where_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    refusing = "import jax, os\nassert 'JAX_ENABLE_X64' not in os.environ\n"
    assert from_target(f"{write(tmp_path, refusing + GOOD)}:Good").name == "good"


def test_looking_imports_no_framework(tmp_path: Path) -> None:
    before = {name for name in ("torch", "flax", "keras") if name in sys.modules}
    with pytest.raises(TargetError):
        load_adapter(f"{write(tmp_path, FUNCTIONS)}:up")
    assert {name for name in ("torch", "flax", "keras") if name in sys.modules} == before


def test_what_is_of_no_kind_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="It is no code of a known kind"):
        load_adapter(f"{write(tmp_path, FUNCTIONS)}:down")


def test_what_gives_no_result_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="up gives nothing of the shape of x") as caught:
        load_adapter(f"{write(tmp_path, FUNCTIONS)}:up")
    assert "\n" not in str(caught.value)


@pytest.mark.framework
def test_several_things_of_a_file_are_named_with_lines_to_paste(tmp_path: Path) -> None:
    path = write(tmp_path, "import torch\nclass A(torch.nn.BatchNorm2d): ...\nclass B(A): ...\n")
    with pytest.raises(TargetError, match=r"2 things that can be judged \(A, B\).*bnconform check .*:B"):
        load_adapter(str(path))


@pytest.mark.parametrize("name", ["a.py:F+G", "a.py:B+running_variance=biased", "package.module:Class+eps=1"])
def test_targets_with_pairs_and_choices_are_targets(name: str) -> None:
    assert is_target(name)


def test_of_a_kernel_benchmark_file_the_new_model_is_judged() -> None:
    def convolve(x: object, weight: object, bias: object) -> object:
        return x, weight, bias

    module = ModuleType("kernel")
    made = {
        "Model": type("Model", (Plain,), {"__module__": "kernel"}),
        "ModelNew": type("ModelNew", (Plain,), {"__module__": "kernel"}),
        "get_inputs": FunctionType(convolve.__code__, {"__name__": "kernel"}, "get_inputs"),
        "get_init_inputs": FunctionType(convolve.__code__, {"__name__": "kernel"}, "get_init_inputs"),
    }
    vars(module).update(made)
    assert list(candidates(module)) == ["ModelNew"]
    del module.ModelNew
    assert list(candidates(module)) == ["Model"]


class Plain:
    def forward(self, x: object) -> object:
        return x
