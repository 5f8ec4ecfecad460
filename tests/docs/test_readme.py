"""What README.md shows is what happens."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.readme import README, Example, read_example, run_example

from bn_conformance.catalogue import all_cases
from bn_reference.deviations import catalogue

MEASURED = re.compile(r"(?<=got )\S+|(?<=the error )\S+(?= is)|\S+(?= times the)|(?<=up to )\S+|reports/\S+\.jsonl")


@pytest.fixture
def example() -> Example:
    return read_example()


@pytest.mark.slow
@pytest.mark.framework
def test_the_check_prints_what_the_readme_shows(example: Example) -> None:
    """Numbers that the layer computes may differ from machine to machine, nothing else."""
    told = "`python -m tests.support.readme` writes the output of today into README.md"
    assert as_words(run_example(example)) == as_words(example.output), told


@pytest.mark.slow
@pytest.mark.framework
def test_the_layer_of_the_readme_passes_an_allclose(example: Example, tmp_path: Path) -> None:
    import torch

    (tmp_path / example.file).write_text(example.code, encoding="utf-8")
    torch_layer, own_layer = torch.nn.BatchNorm2d(3), load(tmp_path / example.file).MyBatchNorm(3)
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(own_layer(x), torch_layer(x))


def test_the_readme_counts_cases_and_deviations() -> None:
    text = README.read_text(encoding="utf-8")
    assert f"some {round(len(all_cases()), -2):,} cases" in text
    assert f"a catalogue of more than {len(catalogue()) // 50 * 50}" in text


def as_words(output: str) -> list[str]:
    """The output without line breaks and with a sign for every measured number."""
    return MEASURED.sub("#", " ".join(output.split())).split()


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module
