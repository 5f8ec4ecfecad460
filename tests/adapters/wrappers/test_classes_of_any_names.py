"""Keras and Flax classes under any names of variables and arguments, with literals, read by name and by behaviour."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.own_process import process_with
from tests.support.wrapped_code import code_in, outcome_of

from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.keras_layers import ENVIRONMENTS

pytestmark = [pytest.mark.framework, pytest.mark.slow]

FEW = (*(f"{family}/nhwc/float32/random" for family in ("fwd", "eval", "grad")), "stat/nhwc/float32/first-step")
KERAS = """
import keras
from keras import ops

class Odd(keras.layers.Layer):
    def __init__(self, width, **more):
        super().__init__(**more)
        tall = (1, 1, 1, width)
        self.p1, self.p2 = self.add_weight(shape=tall, initializer="ones"), self.add_weight(shape=tall)
        self.p2.assign(0 * self.p2)
        self.s1 = self.add_weight(shape=(width,), initializer="zeros", trainable=False)
        self.s2 = self.add_weight(shape=(width,), initializer="ones", trainable=False)

    def call(self, x, is_test=False):
        mean, var = (self.s1, self.s2) if is_test else (ops.mean(x, (0, 1, 2)), ops.var(x, (0, 1, 2)))
        if not is_test:
            self.s1.assign(0.95 * self.s1 + 0.05 * mean)
            self.s2.assign(0.95 * self.s2 + 0.05 * var)
        return (x - mean) / ops.sqrt(var + 2e-4) * self.p1 + self.p2

class Inside(keras.layers.Layer):
    def __init__(self, e=1e-3, decay=0.9):
        super().__init__()
        self.bn = keras.layers.BatchNormalization(epsilon=e, momentum=decay)

    def call(self, x, train=False):
        return self.bn(x, training=train)
"""
FLAX = """
import flax.linen
import jax.numpy as jnp
from flax import nnx

class Held(nnx.Module):
    def __init__(self, width, decay=0.9):
        self.a, self.b = nnx.Param(jnp.ones(width)), nnx.Param(jnp.zeros((1, width)))
        self.p, self.q = nnx.BatchStat(jnp.zeros(width)), nnx.BatchStat(jnp.ones(width))
        self.decay, self.deterministic = decay, False

    def __call__(self, x):
        axes = tuple(range(x.ndim - 1))
        mean, var = (self.p.value, self.q.value) if self.deterministic else (x.mean(axes), x.var(axes))
        if not self.deterministic:
            self.p.value = self.decay * self.p.value + (1 - self.decay) * mean
            self.q.value = self.decay * self.q.value + (1 - self.decay) * var
        return (x - mean) / jnp.sqrt(var + 2e-4) * self.a.value + self.b.value[0]

class Inner(flax.linen.Module):
    is_training: bool = True

    @flax.linen.compact
    def __call__(self, x):
        norm = flax.linen.BatchNorm(not self.is_training, momentum=0.8, epsilon=1e-3, name="bn")
        return norm(x)
"""


def test_keras_classes_are_read_and_judged(tmp_path: Path) -> None:
    target = f"keras-layer[torch]={code_in(tmp_path, KERAS)}"
    with process_with(ENVIRONMENTS["torch"]) as call:
        odd, count, failing = call(outcome_of, f"{target}:Odd", *FEW)
        assert (count, failing) == (4, "")
        for line in (
            "gamma: p1, by what it does",
            "beta: p2, by what it does",
            "running mean: s1, by what it does",
            "running variance: s2, by what it does",
            "eps: a literal in the code, 0.0002",
            "momentum: a literal in the code, 0.95",
            "mode: the argument is_test, False in training",
        ):
            assert line in odd.splitlines()
        inside, count, failing = call(outcome_of, f"{target}:Inside", *FEW)
        assert (count, failing) == (4, "")
        assert "gamma: bn/gamma, by its name" in inside
        assert "eps: the argument e, by default 0.001" in inside
        said, _, failing = call(outcome_of, f"{target}:Odd+name.weight=p1", *FEW)
        assert failing == ""
        assert "gamma: p1, as you say" in said


def test_flax_classes_are_read_and_judged(tmp_path: Path) -> None:
    target = f"flax-module={code_in(tmp_path, FLAX)}"
    with process_with(JAX_ENVIRONMENT) as call:
        held, count, failing = call(outcome_of, f"{target}:Held", *FEW)
        assert (count, failing) == (4, "")
        for line in ("gamma: a, by what it does", "running mean: p, by what it does", "mode: train() and eval()"):
            assert line in held.splitlines()
        inner, count, failing = call(outcome_of, f"{target}:Inner", *FEW)
        assert (count, failing) == (4, "")
        assert "beta: params/bn/bias, by its name" in inner
        assert "mode: the field is_training, True in training" in inner
