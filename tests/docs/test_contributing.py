"""The walks of CONTRIBUTING.md name what exists, and their code is code."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from textwrap import indent
from types import ModuleType

import pytest

from bn_conformance.adapter import Adapter, LayerConfig
from bn_conformance.cases import model
from bn_conformance.catalogue import build, fwd, places
from bn_reference.layer.layer import PlainLayer

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
ADAPTER, TEST, DEVIATION, CASE = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("bn_adapters.onnx_reference")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(ADAPTER, "CONTRIBUTING.md", "exec"), module.__dict__)
    return module


def test_the_adapter_meets_the_contract(adapter: ModuleType) -> None:
    """It can be made and asked without its framework."""
    made = adapter.OnnxReference()
    assert isinstance(made, Adapter)
    assert made.supports(LayerConfig(num_channels=3, rank=4)) is None


def test_what_the_test_of_the_adapter_imports_exists(adapter: ModuleType) -> None:
    for module, names in re.findall(r"^from (\S+) import (.*)$", TEST, re.MULTILINE):
        for name in names.split(", "):
            assert hasattr(import_module(module), name), f"{module}.{name}"


def test_the_deviation_overrides_a_method_of_the_plain_layer() -> None:
    compile(DEVIATION, "CONTRIBUTING.md", "exec")
    overridden = re.findall(r"def (\w+)\(", DEVIATION)
    assert overridden
    assert [name for name in overridden if not hasattr(PlainLayer, name)] == []


def test_the_case_is_a_case() -> None:
    known = {**vars(model), **vars(build), **vars(places), **vars(fwd)}
    exec(compile("def cases():\n" + indent(CASE, "    "), "CONTRIBUTING.md", "exec"), known)
    cases = list(known["cases"]())
    assert [case.id for case in cases if case.clauses != ("FWD-6",)] == []
    assert len(cases) == len(places.FEW)


def test_what_a_case_may_be_built_from_exists() -> None:
    bullets = TEXT.partition("- A *place* is")[2].partition("### 4.")[0]
    named = re.findall(r"`(\w+)(?:\.\w+\(.*?\))?`", bullets)
    unknown = {name for name in named if not any(hasattr(module, name) for module in (build, places, model))}
    assert unknown - {"FAMILY"} == set()
