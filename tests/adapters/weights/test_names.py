"""How files name layers: what each framework's files hold is found, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from bn_adapters.weights.flax_files import flax_keys, flax_slots
from bn_adapters.weights.keras_names import keras_keys, keras_slots
from bn_adapters.weights.torch_files import torch_keys, torch_slots
from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, UPDATES, VARIANCE, Slots
from bn_conformance.convert.naming import found_layers
from bn_conformance.user_error import UserError

ONES = np.ones(3, np.float32)
BOTH = {GAMMA, BETA, MEAN, VARIANCE}


def content(*names: str, called: Mapping[str, str] | None = None, **settings: Settings) -> Content:
    keys: dict[Key, Array] = {tuple(name.split("/")): ONES for name in names}
    groups = {tuple(group.split("/")): name for group, name in (called or {}).items()}
    return Content(keys, {}, groups, settings)


def layers(found: list[Slots]) -> list[tuple[str, set[str]]]:
    return [(slots.name, set(slots.keys)) for slots in found]


def under(group: str, count: int) -> list[str]:
    return [f"{group}/vars/{place}" for place in range(count)]


def test_torch_names_modules() -> None:
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = [f"model/bn/{leaf}" for leaf in leaves] + [
        "plain/running_mean",
        "plain/running_var",
        "ln/weight",
        "ln/bias",
    ]
    assert layers(torch_slots(content(*names), "")) == [
        ("model.bn", {*BOTH, UPDATES}),
        ("plain", {MEAN, VARIANCE}),
    ]


def test_linen_keeps_statistics_apart_and_nnx_does_not() -> None:
    linen = ["params/a/scale", "params/a/bias", "batch_stats/a/mean", "batch_stats/a/var", "params/ln/scale"]
    nnx = ["b/scale/value", "b/bias/value", "b/mean/value", "b/var/value"]
    state = ["state/batch_stats/c/mean", "state/batch_stats/c/var", "state/params/c/scale"]
    assert layers(flax_slots(content(*linen, *nnx, *state), "")) == [
        ("a", BOTH),
        ("b", BOTH),
        ("state/c", {GAMMA, MEAN, VARIANCE}),
    ]


def test_keras_numbers_arrays_and_says_what_a_layer_is_called() -> None:
    called = {"layers/batch_normalization/vars": "conv1_bn"}
    names = under("layers/batch_normalization", 4) + under("layers/layer_normalization", 2)
    assert layers(keras_slots(content(*names, called=called), "")) == [("conv1_bn", BOTH)]


def test_layers_of_keras_are_in_the_order_of_their_numbers() -> None:
    names = [name for number in ("_10", "_2", "") for name in under(f"layers/batch_normalization{number}", 4)]
    found = [slots.name for slots in keras_slots(content(*names), "")]
    assert found == ["batch_normalization", "batch_normalization_2", "batch_normalization_10"]


def test_two_layers_of_keras_that_are_called_the_same_keep_their_paths() -> None:
    called = {"a/batch_normalization/vars": "bn", "b/batch_normalization/vars": "bn"}
    names = under("a/batch_normalization", 4) + under("b/batch_normalization", 4)
    found = [slots.name for slots in keras_slots(content(*names, called=called), "")]
    assert found == ["a/batch_normalization", "b/batch_normalization"]


@pytest.mark.parametrize(("lacking", "held"), [("gamma", BETA), ("beta", GAMMA)])
def test_a_layer_of_three_vectors_lacks_what_the_user_says(lacking: str, held: str) -> None:
    found = keras_slots(content(*under("layers/batch_normalization", 3)), lacking)
    assert set(found[0].keys) == {held, MEAN, VARIANCE}


def test_a_layer_of_three_vectors_lacks_what_an_archive_says() -> None:
    given = content(
        *under("layers/batch_normalization", 3),
        called={"layers/batch_normalization/vars": "bn"},
        bn=Settings(gamma=False, beta=True),
    )
    assert set(keras_slots(given, "")[0].keys) == {BETA, MEAN, VARIANCE}


def test_nobody_guesses_what_a_layer_of_three_vectors_lacks() -> None:
    with pytest.raises(UserError, match="give --lacking gamma"):
        keras_slots(content(*under("layers/batch_normalization", 3)), "")


def test_files_before_keras_3_name_arrays() -> None:
    leaves = ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")
    names = [f"model_weights/bn_a/bn_a/{leaf}" for leaf in leaves]
    assert layers(keras_slots(content(*names), "")) == [("bn_a", BOTH)]


@pytest.mark.parametrize(("keys", "naming"), [(torch_keys, "torch"), (keras_keys, "keras"), (flax_keys, "flax")])
@pytest.mark.parametrize("roles", [BOTH, {MEAN, VARIANCE}, {BETA, MEAN, VARIANCE}])
def test_what_a_fresh_file_holds_is_found_again(
    keys: Callable[[Key, set[str]], Mapping[str, Key]], naming: str, roles: set[str]
) -> None:
    places = keys(("net", "bn"), roles)
    found, (slots,) = found_layers(Content(dict.fromkeys(places.values(), ONES)), "")
    assert (found, slots.path, dict(slots.keys)) == (naming, ("net", "bn"), dict(places))


def test_vectors_of_different_sizes_or_of_integers_are_no_layer() -> None:
    odd = Content({("bn", "running_mean"): ONES, ("bn", "running_var"): np.ones(4, np.float32)})
    whole = Content({("bn", "running_mean"): np.ones(3, int), ("bn", "running_var"): np.ones(3, int)})
    assert torch_slots(odd, "") == torch_slots(whole, "") == []
