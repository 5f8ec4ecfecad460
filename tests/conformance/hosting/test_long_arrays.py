"""A long array crosses to another process in pieces."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from bn_conformance.hosting import lines, wire


@pytest.mark.parametrize("piece", [9, 33, 300, 3000])
def test_a_long_array_crosses_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PIECE", piece)
    message: dict[str, Any] = {
        "op": "forward",
        "x": [np.arange(400, dtype=np.float32).reshape(20, 20), np.arange(7, dtype=np.int8)],
        "none": {"y": np.zeros((0, 3)), "text": '"data":"', 'a"data': "AAAA" * 200},
        "last": np.arange(333, dtype=np.uint8),
    }
    text = wire.encode_line(message)
    line = lines.read_line(io.BytesIO(text + b"another\n"))
    assert (len(line.cut) > 0) == (piece < 3000)
    assert piece == 3000 or len(line.text) < 0.5 * len(text)
    decoded = wire.decode_line(line)
    assert decoded["none"] | {"y": 0} == message["none"] | {"y": 0}
    for received, sent in zip([*decoded["x"], decoded["last"]], [*message["x"], message["last"]], strict=True):
        np.testing.assert_array_equal(received, sent)
        assert received.dtype == sent.dtype
        assert received.flags.writeable


@pytest.mark.parametrize("spoil", [b"!", b"=", b"#0#", b"#9#AAAA", b"\xff"])
def test_a_long_array_that_is_malformed_is_named(spoil: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PIECE", 90)
    text = wire.encode_line({"x": np.arange(400, dtype=np.float32)})
    for place in (text.index(b'"data":"') + 8, len(text) // 2, len(text) - 8):
        line = lines.read_line(io.BytesIO(text[:place] + spoil + text[place + 1 :]))
        with pytest.raises(wire.WireError):
            wire.decode_line(line)
