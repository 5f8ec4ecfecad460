"""Torch classes as people write them: what is found of each kind, and said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.torch_kinds import SOURCE

from bn_conformance.adapter import Adapter, LayerConfig
from bn_conformance.targets.loading import load_adapter, module_of
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.recognition import kinds_of

pytestmark = pytest.mark.framework

BOTH = frozenset({"training", "inference"})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "kinds.py"
    path.write_text(SOURCE)
    return path


def adapter(file: Path, name: str) -> Adapter:
    return load_adapter(f"torch-module={file}:{name}")()


FOUND: Mapping[str, Mapping[str, Any]] = {
    "Odd": {"literals": {"eps", "momentum"}, "ranks": {4}, "affine": {"both"}},
    "Buffers": {"gradients": BOTH, "affine": {"both"}},
    "Wrapped": {"ranks": {2, 3}, "cumulative": True, "literals": frozenset()},
    "Trailing": {"ranks": {2, 3, 4, 5}, "layouts": {"last"}},
    "Spatial": {"ranks": {2, 3, 4, 5}, "layouts": {"first"}},
    "Several": {"gradients": BOTH, "ranks": {2, 3, 4, 5}},
    "Masked": {"masks": True},
    "Batchwise": {"statistics": False, "modes": {"training"}, "affine": {"none"}, "literals": {"momentum"}},
    "Frozen": {"modes": {"inference"}, "gradients": {"inference"}},
    "Kernel": {"modes": BOTH, "gradients": frozenset()},
    "Flagged": {"modes": BOTH, "gradients": BOTH},
    "ByGrad": {"modes": BOTH, "gradients": {"training"}, "freeze": False},
    "Handmade": {"ranks": {2}, "gradients": BOTH, "affine": {"both"}},
    "Doubled": {"dtypes": {"float64"}},
}


@pytest.mark.parametrize("name", FOUND)
def test_what_a_class_can_do_is_found(file: Path, name: str) -> None:
    capabilities = adapter(file, name).capabilities
    assert {key: getattr(capabilities, key) for key in FOUND[name]} == FOUND[name]


SAID = {
    "Odd": ("weight: second, a parameter of shape (C, 1, 1)", "running variance: q, a buffer of shape (C, 1, 1)"),
    "Wrapped": ("running mean: block.0.running_mean, a buffer", "known faults of torch are not charged to it"),
    "Spatial": ("built with channels, ndim (the number of spatial axes), eps=1e-05, momentum=0.1",),
    "Several": ("y: part 1 of what it gives",),
    "Masked": ("mask: padding_mask, truth values without the axis of the channels, false where a position counts",),
    "Batchwise": ("running statistics: none; it normalises by the batch in both modes, and training is judged",),
    "Frozen": ("mode: inference alone",),
    "Kernel": ("gradients: none, so that the forward alone is judged",),
    "Flagged": ("mode: the argument use_global_stats, False in training",),
    "ByGrad": ("mode: torch.is_grad_enabled()",),
    "Handmade": ("mode: the attribute training", "weight: gamma, a plain attribute"),
    "Switchable": ("activation: silu, switched off by act=None",),
    "Activated": ("activation: leaky_relu of slope 0.1, switched off by an Identity in the place of act",),
}


@pytest.mark.parametrize("name", SAID)
def test_each_role_is_said_in_a_line(file: Path, name: str) -> None:
    notes = adapter(file, name).notes  # type: ignore[attr-defined]
    for words in SAID[name]:
        assert any(words in note for note in notes), notes


LITERALS = {"Odd": (2e-3, 0.05), "Outside": (1e-3, 0.1), "Wrapped": (1e-3, 0.1)}


@pytest.mark.parametrize("name", LITERALS)
def test_literals_are_measured(file: Path, name: str) -> None:
    convention = adapter(file, name).convention
    assert (convention.default_eps, convention.default_momentum) == LITERALS[name]


REFUSED = {
    "Grouped": "is layer normalisation",
    "Lazy": "Lazy cannot be read as a torch-module: RuntimeError: ",
    "Stuck": "is batch normalisation and tanh in one, and the activation cannot be switched off",
    "Layered": "is layer normalisation .*; the suite judges batch normalisation alone",
    "Told": "Told needs flavour; .* say the rest: --argument flavour=VALUE",
    "Twins": r"holds weight in 2 places; say which: --name weight=student.weight or --name weight=teacher.weight",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_judged_is_named_in_a_line(file: Path, name: str) -> None:
    with pytest.raises(TargetError, match=REFUSED[name]) as caught:
        adapter(file, name)
    assert "\n" not in str(caught.value)


def test_an_argument_and_a_name_can_be_said(file: Path) -> None:
    assert adapter(file, "Told+argument.flavour=salt").capabilities.ranks == {2, 3, 4, 5}
    with pytest.raises(TargetError, match="has no gama with a value a channel, for --name weight=gama; it has weight"):
        adapter(file, "Plain+name.weight=gama")
    with pytest.raises(TargetError, match="Plain takes no argument width2; it takes width, eps, momentum"):
        adapter(file, "Plain+argument.width2=3")


def test_which_of_two_layers_is_meant_can_be_said(file: Path) -> None:
    roles = ("weight", "bias", "running_mean", "running_var")
    meant = "".join(f"+name.{role}=student.{role}" for role in roles)
    layer = adapter(file, f"Twins{meant}").build(LayerConfig(num_channels=3, eps=None, momentum=None))
    layer.forward(np.ones((2, 3, 4, 4), np.float32), True)
    np.testing.assert_allclose(layer.running_statistics().mean, 0.1)


@pytest.mark.parametrize("name", ["instance", "make"])
def test_an_instance_and_a_factory_stand_for_their_class(file: Path, name: str) -> None:
    plain = adapter(file, "Plain")
    assert kinds_of(getattr(module_of(str(file)), name)) == ("torch-module",)
    assert adapter(file, name).capabilities == plain.capabilities


def test_a_layer_over_the_kernel_of_torch_inherits_its_known_faults(file: Path) -> None:
    inherited = {name: adapter(file, name).inherits for name in ("Wrapped", "Called", "Plain")}  # type: ignore[attr-defined]
    assert inherited == {"Wrapped": ("torch.nn",), "Called": ("torch.functional",), "Plain": ()}


def test_an_attribute_with_an_unusual_name_can_be_said(file: Path) -> None:
    assert adapter(file, "Tiny").capabilities.literals == {"eps"}
    assert adapter(file, "Tiny+name.eps=tiny").capabilities.literals == frozenset()
