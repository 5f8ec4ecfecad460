"""Masks and gradients of gradients between a case and a layer: data, declarations, hosts, and what no number says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.good_numpy import EVERYTHING, GoodLayer
from tests.support.judge_layers import adapter_of, judge_all

from bn_conformance.adapter import Array, Capabilities, Gradients, Layer, LayerConfig, SecondOrder
from bn_conformance.cases.masks import MASK_KINDS, MaskRecipe
from bn_conformance.cases.model import SECOND_ORDER, Second
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.build import evaluate, normal
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, Place
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.messages import request_for
from bn_conformance.hosting.operations import BuildCall, DoubleBackwardCall, ForwardCall, LoadCall
from bn_conformance.hosting.server import Server
from bn_conformance.hosting.wire import decode_line, encode_line

MASKED, TWICE = "mask/nchw/float32/random", "second/nchw/float32/random"
CONFIG = LayerConfig(num_channels=2, rank=3)
SHAPE = (4, 2, 6)


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_a_mask_has_the_shape_of_x_without_channels(kind: str) -> None:
    mask = MaskRecipe(kind=kind).array(SHAPE, 1)
    assert (mask.shape, mask.dtype.name) == ((4, 1, 6), "bool")
    counts = {"all": 24, "none": 0, "one": 1, "two": 2, "samples": 12, "first-half": 12, "prefixes": 1 + 2 + 3 + 4}
    assert mask.sum() == counts.get(kind, mask.sum())
    assert kind in counts or 0 < mask.sum() < 24


def test_an_unknown_kind_of_mask_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="kind is 'odd'; allowed are random, all"):
        MaskRecipe(kind="odd").array(SHAPE, 1)


def test_hidden_values_lie_where_nothing_counts_and_nowhere_else() -> None:
    data = data_of(all_cases()["mask/nchw/float32/hidden-100"]).batches[0]
    assert data.mask is not None
    hidden = np.broadcast_to(~data.mask, data.x.shape)
    assert np.all(data.x[hidden] == 100.0)
    assert not np.any(data.x[~hidden] == 100.0)


def test_what_is_not_declared_is_unsupported_and_says_so() -> None:
    plain = Capabilities(affine=EVERYTHING.affine)
    assert unsupported_reason(all_cases()[MASKED], plain) == "masks are not declared"
    assert unsupported_reason(all_cases()[TWICE], plain) == "gradients of gradients in training are not declared"


def test_an_adapter_without_them_says_what_to_declare() -> None:
    class Bare(GoodLayer):
        forward_masked = Layer.forward_masked
        double_backward = Layer.double_backward

    x = np.zeros(SHAPE, np.float32)
    with pytest.raises(NotImplementedError, match=r"masks=False"):
        Bare(CONFIG).forward_masked(x, x > 0, True)
    with pytest.raises(NotImplementedError, match=r"second_order=frozenset"):
        Bare(CONFIG).double_backward(x, x, None, None)


class WritesIntoDy(GoodLayer):
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        found = super().double_backward(dy, v_dx, v_dgamma, v_dbeta)
        dy[...] = 0
        return found


class WritesIntoTheMask(GoodLayer):
    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        y = super().forward_masked(x, mask, training)
        self.kept = mask
        return y

    def backward(self, dy: Array) -> Gradients:
        self.kept[...] = False
        return super().backward(dy)


class ForgetsGamma(GoodLayer):
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        return super().double_backward(dy, v_dx, v_dgamma, v_dbeta)._replace(ds_dgamma=None)


@pytest.mark.parametrize(
    ("layer", "case", "clause"),
    [(WritesIntoDy, TWICE, "PURE-1"), (WritesIntoTheMask, MASKED, "PURE-4"), (ForgetsGamma, TWICE, "DTYPE-1")],
)
def test_what_is_no_number_is_found(layer: type[GoodLayer], case: str, clause: str) -> None:
    (item,) = judge_all(adapter_of(layer), [all_cases()[case]])
    assert item.verdict == "fail"
    assert clause in {
        found for quantity in item.quantities if quantity.outcome == "wrong" for found in quantity.clauses
    }


def test_something_else_than_three_gradients_is_an_error_of_the_layer() -> None:
    class GivesNothing(GoodLayer):
        def double_backward(self, *arguments: object) -> SecondOrder:
            return None  # type: ignore[return-value]

    host = LocalHost(adapter_of(GivesNothing))
    layer, x = host.reserve(), np.ones(SHAPE, np.float32)
    host.run([BuildCall(CONFIG, layer), ForwardCall(layer, x, "contiguous", True)])
    with pytest.raises(LayerError, match="double_backward returned None; expected SecondOrder"):
        host.ask(DoubleBackwardCall(layer, x, x, None, None))


def test_the_worker_answers_both_operations_as_a_local_host_does() -> None:
    server = Server()
    assert "ok" in decode_line(
        server.answer(encode_line(request_for(LoadCall("tests.support.good_numpy:GoodNumpy", "cpu"))))
    )

    def ask(**request: object) -> Any:
        answer = decode_line(server.answer(encode_line(request)))
        assert "error" not in answer, answer
        return answer["ok"]

    generator = np.random.default_rng(5)
    x, dy, v_dx = (generator.normal(size=SHAPE).astype(np.float32) for _ in range(3))
    vector, mask = np.ones(2, np.float32), MaskRecipe().array(SHAPE, 1)
    layer = 1
    ask(op="build", config=CONFIG.to_json(), layer=layer)
    far = ask(op="forward", layer=layer, x=x, view="contiguous", training=True, mask=mask)
    np.testing.assert_array_equal(far["y"], GoodLayer(CONFIG).forward_masked(x, mask, True))
    ask(op="forward", layer=layer, x=x, view="contiguous", training=True)
    second = ask(op="double_backward", layer=layer, dy=dy, v_dx=v_dx, v_dgamma=vector, v_dbeta=None)
    own = GoodLayer(CONFIG)
    own.forward(x, True)
    for name, expected in own.double_backward(dy, v_dx, vector, None)._asdict().items():
        np.testing.assert_array_equal(second[name], expected)


def test_long_sums_of_one_sign_are_judged_in_sixteen_bits_too() -> None:
    long = Place("nc", (4096, 3), 1, BF16)
    positive = DataRecipe(kind="positive", seed=1)
    step = evaluate(long, normal("x"), positive, second=Second(v_dx=DataRecipe(kind="positive", seed=2)))
    case = Family().case(long, "long", "long sums", "SECOND-4", step, judges=SECOND_ORDER)
    (item,) = judge_all(adapter_of(GoodLayer), [case])
    (sums,) = (quantity for quantity in item.quantities if quantity.name.endswith("ds_dgamma"))
    assert (sums.outcome, sums.judged) == ("exact", 3)
