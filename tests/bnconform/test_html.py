"""A verdict in a notebook: everything that the code under test can say is escaped."""

from __future__ import annotations

from tests.support.good_numpy import GoodLayer, GoodNumpy

import bnconform
from bn_conformance.adapter import Array, LayerConfig

EVIL = "<script>alert('x')</script>"


class Evil(GoodNumpy):
    name = EVIL

    def supports(self, config: LayerConfig) -> str | None:
        return EVIL if config.rank > 2 else None

    def build(self, config: LayerConfig) -> GoodLayer:
        return Shouts(config)


class Shouts(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        raise ValueError(EVIL + "\x1b[31m")


def test_no_text_of_the_code_becomes_markup() -> None:
    verdict = bnconform.check(Evil, cases=["fwd/nc/float32/random", "fwd/nchw/float32/random"])
    html = verdict._repr_html_()
    assert "<script" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html


def test_a_verdict_is_a_headline_sections_and_a_table() -> None:
    html = bnconform.check(GoodNumpy, cases="fwd/nc/float32/*")._repr_html_()
    assert "<strong>✓ good.numpy conforms</strong>" in html
    assert '<th title="training forward">FWD</th>' in html
    assert html.count("<table>") == html.count("</table>") == 1
