"""Adapters made of a user's own torch modules and NumPy functions: what is read from a class, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bn_conformance.adapter import Adapter, LayerConfig
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError

EXAMPLE = Path(__file__).parents[3] / "adapters" / "examples" / "my_layers.py"
MODULES = """

class Own(MyBatchNorm):
    def __init__(self, channels, eps=1e-3, momentum=0.2):
        super().__init__(channels, eps, momentum)

class Fixed(Own):
    def __init__(self, num_features):
        super().__init__(num_features)

class Constant(Fixed):
    eps = property(lambda self: 1e-3, lambda self, value: None)

class Keywords(torch.nn.BatchNorm2d):
    def __init__(self, num_features, **kwargs):
        super().__init__(num_features, **kwargs)

class Other: ...

class Raises(torch.nn.Module):
    def __init__(self, channels):
        raise RuntimeError("no licence")

class Greedy(Own):
    def __init__(self, channels, dimensions):
        super().__init__(channels)

class Heated(Own):
    def __init__(self, channels):
        super().__init__(channels)
        self.temperature = torch.nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return super().forward(x) * self.temperature[:, None, None]

class Halved(Own):
    def __init__(self, channels):
        super().__init__(channels)
        del self.running_var

class Misspelt(torch.nn.BatchNorm2d):
    def forward(self, x):
        self._check_input_dim(x)
        return super().forward(x) * self.wieght

class Unsized(torch.nn.Module):
    def __init__(self): ...
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "modules.py"
    path.write_text(EXAMPLE.read_text(encoding="utf-8") + MODULES)
    return path


def adapter(file: Path, name: str, changes: str = "") -> Adapter:
    return load_adapter(f"torch-module={file}:{name}{changes}")()


def config(**changes: object) -> LayerConfig:
    return LayerConfig(num_channels=3, **changes)  # type: ignore[arg-type]


def trained(made: Adapter, **changes: object) -> np.ndarray:
    layer = made.build(config(**changes))
    layer.forward(np.ones((2, 3, 4, 4), np.float32), True)
    return np.asarray(layer.running_statistics().mean)


def test_defaults_and_ranks_are_those_of_the_class(file: Path) -> None:
    made = adapter(file, "Own")
    assert (made.convention.default_eps, made.convention.default_momentum) == (1e-3, 0.2)
    assert made.capabilities.ranks == {4}
    assert made.capabilities.affine == {"both"}
    assert made.name == "modules.Own"


def test_momentum_is_given_in_the_direction_that_is_declared(file: Path) -> None:
    np.testing.assert_allclose(trained(adapter(file, "Own"), momentum=0.25), 0.25)
    np.testing.assert_allclose(trained(adapter(file, "Own", "+momentum_weighs=old"), momentum=0.25), 0.75)


def test_what_the_constructor_does_not_take_is_set_where_the_module_obeys(file: Path) -> None:
    made = adapter(file, "Fixed")
    assert made.supports(config(eps=0.5, momentum=0.5)) is None
    np.testing.assert_allclose(trained(made, momentum=0.5), 0.5)
    assert made.convention.default_eps == 1e-3


def test_what_a_module_does_not_obey_is_a_literal_of_its_value(file: Path) -> None:
    made = adapter(file, "Constant")
    assert made.capabilities.literals == {"eps"}
    assert made.supports(config(eps=None)) is None
    assert made.convention.default_eps == 1e-3


def test_keyword_arguments_are_those_of_the_base_class(file: Path) -> None:
    made = adapter(file, "Keywords")
    assert made.capabilities.affine == {"both", "none"}
    assert made.capabilities.cumulative
    assert (made.convention.default_eps, made.convention.default_momentum) == (1e-5, 0.1)


REFUSED = {
    "Missing": "has no Missing; it defines",
    "Other": "Other in .* is a class, and not a torch.nn.Module class",
    "Unsized": "Unsized takes no number of channels; a torch-module is built from",
    "Raises": r"Raises\(3\) raised RuntimeError: no licence; a torch-module is built from the number of channels",
    "Greedy": "Greedy needs dimensions; .* say the rest: --argument dimensions=VALUE",
    "Heated": "a parameter temperature that changes y, beside its weight and bias; .* --name weight=temperature",
    "Halved": r"modules.Halved: it raises AttributeError: .*'running_var' \(.*, line \d+\); mend it first",
    "Misspelt": r"Misspelt: at rank 4 it raises AttributeError: .*'wieght' \(modules.py, line \d+\); mend it first$",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_module_is_refused_in_a_line(file: Path, name: str) -> None:
    with pytest.raises(TargetError, match=REFUSED[name]) as caught:
        adapter(file, name)
    assert "\n" not in str(caught.value)


def test_a_file_with_several_modules_asks_for_one(file: Path) -> None:
    with pytest.raises(TargetError, match=r"defines \d+ classes that are a torch.nn.Module class"):
        load_adapter(f"torch-module={file}")
