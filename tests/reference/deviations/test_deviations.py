"""The catalogue of deviations: whole, distinct, combinable, and each one really another layer than the right one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from bn_conformance.cases.masks import Mask
from bn_reference.arithmetic.quad import QUAD
from bn_reference.deviations import MODULES, Deviation, catalogue, combined, deviation
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.clauses import clauses
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import Convention

ALL = tuple(catalogue().values())
NUMERIC = tuple(entry for entry in ALL if entry.numeric)
DECLARED = (
    Convention(),
    Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        statistics_move="explicit",
        eps_in_running_variance=True,
        eps_in_inference=False,
        eps_dtype="float32",
        momentum_dtype="float32",
        statistics_dtype="float32",
        default_momentum=0.9,
    ),
    Convention(debiasing="zero-debias", default_momentum=0.01),
)


def dtype_named(name: str) -> np.dtype:
    """bfloat16 of these tests is `ml_dtypes`', as in the suite."""
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def ids(entries: tuple[Deviation, ...]) -> list[str]:
    return [entry.name for entry in entries]


class TestTheCatalogue:
    def test_is_large(self) -> None:
        assert len(ALL) >= 110

    def test_has_something_of_every_module(self) -> None:
        assert {entry.group for entry in ALL} == set(MODULES)

    def test_names_are_kebab_case(self) -> None:
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert [name for name in catalogue() if not set(name) <= allowed] == []

    def test_sentences_are_sentences_and_distinct(self) -> None:
        sentences = [entry.sentence for entry in ALL]
        assert len(set(sentences)) == len(sentences)
        assert [text for text in sentences if not text.endswith(".")] == []

    def test_effects_are_clauses_without_a_full_stop(self) -> None:
        assert [entry.name for entry in ALL if not entry.effect or entry.effect.endswith(".")] == []

    def test_each_breaks_a_clause_of_the_specification_or_changes_a_convention(self) -> None:
        assert [entry.name for entry in ALL if entry.clause and entry.clause not in clauses()] == []
        assert [entry.name for entry in ALL if bool(entry.clause) == bool(entry.convention)] == []

    def test_links_are_https_threads(self) -> None:
        links = [urlsplit(entry.link) for entry in ALL if entry.link]
        assert len(links) >= 30
        assert [link for link in links if link.scheme != "https" or link.path.count("/") != 4] == []

    def test_a_name_is_taken_once(self) -> None:
        with pytest.raises(ValueError, match="no other deviation"):
            deviation(ALL[0].name, clause="FWD-1", effect="none")(PlainLayer)

    def test_a_sentence_is_needed(self) -> None:
        nameless = type("Nameless", (PlainLayer,), {"__doc__": ""})
        with pytest.raises(ValueError, match="docstring"):
            deviation("nameless", clause="FWD-1", effect="none")(nameless)

    @pytest.mark.parametrize("entry", [entry for entry in ALL if entry.convention], ids=lambda entry: entry.name)
    def test_a_convention_is_a_change_where_another_is_declared(self, entry: Deviation) -> None:
        assert any(entry.under(convention) not in (None, convention) for convention in DECLARED)


Outcome = list[np.ndarray]


def configurations() -> Iterator[tuple[LayerConfig, tuple[int, ...]]]:
    """Small layers that differ in what deviations look at: format, sizes, parameters, momentum."""
    common: dict[str, Any] = {"eps": 0.25, "momentum": 0.25}
    yield LayerConfig(num_channels=3, rank=4, **common), (2, 3, 3, 3)
    yield LayerConfig(num_channels=3, rank=4, channel_axis=3, **common), (3, 5, 3, 3)
    yield LayerConfig(num_channels=3, rank=4, channel_axis=3, **common), (2, 3, 5, 3)
    yield LayerConfig(num_channels=6, rank=4, **common), (1, 6, 4, 4)
    yield LayerConfig(num_channels=3, rank=4, dtype="float64", parameter_dtype="float64", eps=1e-3, momentum=0.1), (
        4, 3, 2, 4,
    )  # fmt: skip
    yield LayerConfig(num_channels=3, rank=3, dtype="float16", parameter_dtype="float32", **common), (4, 3, 9)
    yield LayerConfig(num_channels=3, rank=3, dtype="float16", parameter_dtype="float16", **common), (4, 3, 9)
    yield LayerConfig(num_channels=3, rank=3, dtype="bfloat16", parameter_dtype="float32", **common), (4, 3, 9)
    yield LayerConfig(num_channels=301, rank=2, eps=None, momentum=None), (5, 301)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=CUMULATIVE), (1027, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=1e-7, momentum=0.0, beta=False), (257, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=1.0, gamma=False), (8, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25, gamma=False, beta=False), (8, 2)
    yield LayerConfig(num_channels=1, rank=2, eps=0.25, momentum=0.25), (65540, 1)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25), (1, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25), (0, 2)
    yield from crossed_configurations()


def crossed_configurations() -> Iterator[tuple[LayerConfig, tuple[int, ...]]]:
    """What deviations of one rank, one format or one size look at."""
    defaults: dict[str, Any] = {"eps": None, "momentum": None, "gamma": False, "beta": False}
    for rank, axis, shape in ((3, 1, (4, 3, 9)), (5, 2, (2, 3, 3, 2, 4))):
        place: dict[str, Any] = {"num_channels": 3, "rank": rank, "channel_axis": axis}
        yield LayerConfig(**place, **defaults), shape
        yield LayerConfig(**place, eps=0.25, momentum=CUMULATIVE), shape
    for dtype, wide in (("float16", "float32"), ("float64", "float64")):
        formats: dict[str, Any] = {"num_channels": 2, "rank": 2, "dtype": dtype, "parameter_dtype": wide, "eps": 0.25}
        yield LayerConfig(**formats, gamma=False, beta=False), (9, 2)
        for momentum in (0.0, None, CUMULATIVE):
            yield LayerConfig(**formats, momentum=momentum, beta=False), (9, 2)
        for count in (0, 1, 4099) if dtype == "float64" else (0, 1):
            yield LayerConfig(**formats), (count, 2)
    yield LayerConfig(num_channels=2, rank=2, dtype="float32", parameter_dtype="float64"), (9, 2)
    yield LayerConfig(num_channels=1026, rank=2), (3, 1026)
    yield LayerConfig(num_channels=2, rank=2, eps=0.0), (9, 2)


SCALES = (1.0, 1e-4, 1e6)


def data(shape: tuple[int, ...], seed: int, axis: int, offset: float = 0.5) -> np.ndarray:
    """Normal numbers; outliers in channel 0, and channel 1 is constant for one of the seeds."""
    x = np.random.default_rng(seed).normal(offset, 1.0, shape)
    if x.size > 2 and x.shape[0] > 1:
        x.reshape(-1)[0] = 60.0
        if seed == 2:
            np.moveaxis(x, axis, 0)[1 % shape[axis]] = 3.0
        if seed == 3:
            np.moveaxis(x, axis, 0)[-1].flat[0] = np.nan
    return x


def run(layer_type: type[PlainLayer], config: LayerConfig, sizes: tuple[int, ...], convention: Convention,
        scale: float = 1.0, work: np.dtype | None = None, equal: bool = False) -> Outcome:  # fmt: skip
    """Everything that a sequence of steps gives; where the layer raises, what it gave before that."""
    found: Outcome = []

    def record(layer: PlainLayer, *arrays: np.ndarray | None) -> None:
        found.extend(np.array(part, np.float64) for part in (*arrays, *layer.running_statistics()) if part is not None)

    def step(layer: PlainLayer, seed: int, training: bool, dy_scale: float = 1.0, more: int = 0) -> None:
        axis, storage, shape = config.channel_axis, layer.storage, (sizes[0] + more, *sizes[1:])
        with np.errstate(all="ignore"):
            x = (data(shape, seed, axis) * scale).astype(storage)
            dy = (data(shape, seed + 10, axis, 0.25) * dy_scale).astype(storage)
            dy = np.full_like(dy, 0.5) if seed == 5 else np.zeros_like(dy) if seed == 6 else dy
            y = layer.forward(x, training)
            record(layer, y)
            layer.update_statistics()
            record(layer, *layer.backward(dy))
            if seed in (1, 2):
                vectors = np.linspace(0.5, 1.5, config.num_channels), np.linspace(1.0, -2.0, config.num_channels)
                weights = (
                    data(shape, seed + 20, axis, 0.25).astype(storage),
                    *(v.astype(layer.parameters) for v in vectors),
                )
                second = layer.double_backward(dy, *weights)
                record(layer, second.ds_dx, second.ds_dgamma, second.ds_ddy)

    def masked(layer: PlainLayer, training: bool, hidden: float, kind: str) -> None:
        axis, storage = config.channel_axis, layer.storage
        x = (data(sizes, 1, axis) * scale).astype(storage)
        mask = Mask(kind=kind, seed=3, hidden=hidden).array(sizes, axis)
        x = np.where(mask, x, hidden).astype(storage)
        record(layer, layer.forward_masked(x, mask, training))
        layer.update_statistics()
        record(layer, *layer.backward(data(sizes, 11, axis, 0.25).astype(storage)))

    def between(layer: PlainLayer) -> None:
        """Changes behind a forward and its gradients again, then a frozen layer that is set, masked and saved."""
        axis, storage, channels = config.channel_axis, layer.storage, config.num_channels
        x, dy = ((data(sizes, seed, axis) * scale).astype(storage) for seed in (1, 11))
        one, other = (np.linspace(*ends, channels).astype(layer.parameters) for ends in ((0.7, 1.9), (-1.3, 2.1)))
        some, more = (np.full(channels, value).astype(layer.kept) for value in (2.0, 5.0))
        mask = Mask(seed=3).array(sizes, axis)
        for training in (True, False):
            for loads in (False, True):
                layer.set_running_statistics(some, some)
                layer.set_parameters(one, other)
                layer.forward(x, training)
                layer.update_statistics()
                layer.set_parameters(other, one)
                if loads:
                    layer.load_state(layer.state())
                else:
                    layer.set_running_statistics(more, more)
                record(layer, *layer.backward(dy))
                record(layer, *layer.double_backward(dy, x, one, other))
                record(layer, *layer.backward(dy))
        fresh = layer_type(config, convention, dtype_named, work)
        fresh.load_state(layer.state())
        record(fresh, fresh.forward(x, False))
        layer.forward_masked(x, mask, True)
        record(layer, *layer.backward(dy), *layer.backward(dy))
        broken = x.copy()
        broken.reshape(-1)[:1] = np.nan
        record(fresh, fresh.forward_masked(broken, mask, True))
        layer.forward(x, True)
        layer.freeze()
        record(layer, *layer.backward(dy))
        layer.set_running_statistics(more, some)
        record(layer, layer.forward(x, True), layer.forward_masked(x, mask, True))
        fresh.load_state(layer.state())
        record(fresh, fresh.forward(x, True))

    with np.errstate(all="ignore"):
        channels = config.num_channels
        layer = layer_type(config, convention, dtype_named, work)
        record(layer)
        try:
            step(layer, 0, False)
            step(layer, 1, True)
            gamma, beta = np.linspace(-1.5, 2.0, channels), np.linspace(0.7, -0.3, channels)
            gamma[-1:] = 0.0
            layer.set_parameters(gamma.astype(layer.parameters), beta.astype(layer.parameters))
            step(layer, 1, False)
            step(layer, 2, True)
            if sizes[0] > 1:
                for training, hidden, kind in ((True, 7.0, "random"), (False, 7.0, "random"), (True, 7.0, "samples"),
                                               (True, np.nan, "random")):  # fmt: skip
                    masked(layer, training, hidden, kind)
            ones, twos = np.ones(channels, layer.parameters), np.full(channels, 2.0, layer.parameters)
            layer.set_parameters(*((twos, twos) if equal else (ones, twos)))
            step(layer, 4, True, 1e-9)
            step(layer, 2, True, 1e6)
            step(layer, 5, False)
            step(layer, 8, True, more=3)
            mean, variance = np.full(channels, 2.001), np.full(channels, 2.0)
            layer.set_running_statistics(mean.astype(layer.kept), variance.astype(layer.kept))
            layer.set_parameters(*((twos, twos) if equal else (twos, ones * 0)))
            step(layer, 1, False)
            mean[:], variance[:] = 2.0, 1e-6
            layer.set_running_statistics(mean.astype(layer.kept), variance.astype(layer.kept))
            step(layer, 1, False)
            variance[:] = 1e5
            layer.set_running_statistics(mean.astype(layer.kept), variance.astype(layer.kept))
            step(layer, 1, False)
            step(layer, 6, True)
            other = layer_type(config, convention, dtype_named, work)
            step(other, 7, True)
            step(other, 7, False)
            other.set_parameters(twos, ones)
            layer.forward((data(sizes, 1, config.channel_axis)).astype(layer.storage), True)
            other.forward((data(sizes, 8, config.channel_axis)).astype(layer.storage), True)
            record(layer, *layer.backward(data(sizes, 9, config.channel_axis).astype(layer.storage)))
            step(layer, 1, False)
            layer.set_parameters(twos, ones)
            step(layer, 1, False)
            step(other, 1, False)
            other.load_state(layer.state())
            step(other, 1, False)
            step(other, 2, True)
            other.freeze()
            step(other, 1, True)
            step(other, 2, True)
            step(other, 3, False)
            layer.frozen = False
            step(layer, 3, True)
            if sizes[0] > 1:
                between(layer_type(config, convention, dtype_named, work))
            masked(layer, True, 7.0, "none")
        except (ValueError, TypeError, RuntimeError):
            pass
    return found


@cache
def right(config: LayerConfig, shape: tuple[int, ...], convention: Convention, scale: float, equal: bool) -> Outcome:
    return run(PlainLayer, config, shape, convention, scale, equal=equal)


def alike(one: Outcome, other: Outcome) -> bool:
    return len(one) == len(other) and all(map(lambda a, b: np.array_equal(a, b, equal_nan=True), one, other))


def changes(entry: Deviation) -> bool:
    """Whether a number differs somewhere, under a convention that the deviation is none of."""
    layer = combined([entry])
    for convention in DECLARED:
        actual = entry.under(convention)
        if actual is None:
            continue
        for config, shape in configurations():
            for scale in SCALES if shape[0] < 10 else SCALES[:1]:
                for equal in (False, True):
                    found = run(layer, config, shape, actual, scale, equal=equal)
                    if not alike(found, right(config, shape, convention, scale, equal)):
                        return True
    return False


class TestEachDeviation:
    @pytest.mark.parametrize("entry", NUMERIC, ids=ids(NUMERIC))
    def test_that_is_numeric_changes_a_number(self, entry: Deviation) -> None:
        assert changes(entry)

    def test_the_right_layer_changes_none(self) -> None:
        unchanged = Deviation(name="right", group="", sentence="", clause="FWD-1", effect="")
        assert not changes(unchanged)

    @pytest.mark.parametrize("entry", NUMERIC, ids=ids(NUMERIC))
    def test_that_is_numeric_computes_in_binary128_too(self, entry: Deviation) -> None:
        config, shape = next(configurations())
        count = len(run(PlainLayer, config, shape, Convention(), work=QUAD))
        found = run(combined([entry]), config, shape, entry.under(Convention()) or Convention(), work=QUAD)
        assert len(found) >= count, "more where an empty mask is not refused"


class TestCombined:
    @pytest.mark.parametrize("pair", list(pairwise(ALL)), ids=lambda pair: "+".join(ids(pair)))
    def test_neighbours_run_together(self, pair: tuple[Deviation, Deviation]) -> None:
        config, shape = next(configurations())
        assert run(combined(pair), config, shape, Convention())

    def test_any_two_make_a_class(self) -> None:
        assert all(issubclass(combined([one, other]), PlainLayer) for one in ALL for other in ALL)

    def test_two_of_another_kind_both_show(self) -> None:
        chosen = catalogue()
        config, shape = next(configurations())
        both = run(combined([chosen["y-unbiased"], chosen["dbeta-is-a-mean"]]), config, shape, Convention())
        one = run(combined([chosen["y-unbiased"]]), config, shape, Convention())
        assert not alike(both, run(PlainLayer, config, shape, Convention()))
        assert not alike(both, one)

    def test_nothing_is_shared_with_another_class(self) -> None:
        entry = catalogue()["statistics-shared-by-layers"]
        assert combined([entry]) is not combined([entry])
