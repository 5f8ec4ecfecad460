"""Adapters made of a user's own Keras layers and Flax modules: what is read from a class, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bn_conformance.implementations.registry import from_target
from bn_conformance.targets.naming import TargetError

KERAS = """
import keras

class Derived(keras.layers.BatchNormalization): ...

class Scale(keras.layers.Layer):
    def __init__(self, epsilon=1e-2, momentum=0.9):
        super().__init__()
        self.epsilon, self.momentum = epsilon, momentum

    def build(self, shape):
        self.gamma, self.beta = self.add_weight(shape=shape[-1:], initializer="ones"), None
        self.moving_mean = self.add_weight(shape=shape[-1:], initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(shape=shape[-1:], initializer="ones", trainable=False)

    def call(self, x, training=False):
        if len(x.shape) == 5:
            raise ValueError("no volumes")
        return x * self.gamma

class Misspelt(Scale):
    def call(self, x, training=False):
        return super().call(x) * self.gama

class Shrinks(Scale):
    def call(self, x, training=False):
        return x[:1]
"""
FLAX = """
import flax.linen
import jax.numpy as jnp
from flax import nnx

class Derived(nnx.BatchNorm): ...

class Linen(flax.linen.BatchNorm): ...

class Needs(nnx.Module):
    def __init__(self, channels, depth): ...

    def __call__(self, x, train):
        return x

class Product(nnx.Module):
    def __init__(self, channels):
        self.one, self.other = nnx.Param(jnp.ones(channels)), nnx.Param(jnp.ones(channels))

    def __call__(self, x, train):
        axes = tuple(range(x.ndim - 1))
        return (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + 1e-3) * self.one.value * self.other.value

class Twice(nnx.Module):
    def __init__(self, channels):
        self.first, self.second = nnx.Param(jnp.ones(channels)), nnx.Param(jnp.ones(channels))
        self.beta = nnx.Param(jnp.zeros(channels))
        self.mean, self.var = nnx.BatchStat(jnp.zeros(channels)), nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x, train):
        axes = tuple(range(x.ndim - 1))
        mean, var = (x.mean(axes), x.var(axes)) if train else (self.mean.value, self.var.value)
        return (x - mean) / jnp.sqrt(var + 1e-5) * self.first.value * self.second.value + self.beta.value
"""


@pytest.fixture
def keras(tmp_path: Path) -> str:
    (tmp_path / "own_layers.py").write_text(KERAS)
    return f"keras-layer[tensorflow]={tmp_path / 'own_layers.py'}"


@pytest.fixture
def flax(tmp_path: Path) -> str:
    (tmp_path / "own_modules.py").write_text(FLAX)
    return f"flax-module={tmp_path / 'own_modules.py'}"


def test_a_layer_that_derives_from_keras_can_what_that_can(keras: str) -> None:
    found = from_target(f"{keras}:Derived")
    can = found.capabilities
    assert found.name == "own_layers.Derived"
    assert can.ranks == {2, 3, 4, 5}
    assert can.layouts == {"first", "last", "between"}
    assert can.affine == {"both", "none", "gamma", "beta"}
    assert can.freeze
    assert (found.convention.default_eps, found.convention.default_momentum) == (1e-3, 0.99)


def test_a_layer_of_ones_own_is_tried_at_each_rank(keras: str) -> None:
    found = from_target(f"{keras}:Scale+running_variance=unbiased")
    can = found.capabilities
    assert can.ranks == {2, 3, 4}
    assert can.layouts == {"last"}
    assert can.affine == {"gamma"}
    assert can.dtypes == {"float32"}
    assert (found.convention.default_eps, found.convention.running_variance) == (1e-2, "unbiased")
    assert "x of rank 2, 3, 4; not 5 (ValueError: " in found.notes[-1]


def test_a_layer_that_gives_another_shape_is_refused(keras: str) -> None:
    with pytest.raises(TargetError, match=r"takes no x of shape \(N, ..., 3\): rank 2 y has shape \(1, 3\) for x of"):
        from_target(f"{keras}:Shrinks")


def test_a_misspelt_name_is_said_alone_with_its_place(keras: str) -> None:
    words = r"Misspelt: at rank 2 it raises AttributeError: .*'gama' .* \(own_layers.py, line \d+\); mend it first$"
    with pytest.raises(TargetError, match=words):
        from_target(f"{keras}:Misspelt")


@pytest.mark.parametrize(("name", "how"), [("Derived", "nnx"), ("Linen", "linen")])
def test_a_module_that_derives_from_flax_can_what_that_can(flax: str, name: str, how: str) -> None:
    found = from_target(f"{flax}:{name}")
    can = found.capabilities
    assert found.name == f"own_modules.{name}"
    assert can.ranks == {2, 3, 4, 5}
    assert can.layouts == {"first", "last", "between"}
    assert found.notes[0].startswith(f"{how}, called with use_running_average; built with ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Needs", "needs depth; .*say others: --argument NAME=VALUE"),
        ("Product", r"can be read in two ways; say which: --name weight=(one|other) or --name weight=(one|other)$"),
        ("Twice", r"can be read in two ways; say which: --name .*weight=first.* or --name .*weight=second"),
    ],
)
def test_a_module_that_cannot_be_read_is_refused_in_a_line(flax: str, name: str, words: str) -> None:
    with pytest.raises(TargetError, match=words) as caught:
        from_target(f"{flax}:{name}")
    assert "\n" not in str(caught.value)
