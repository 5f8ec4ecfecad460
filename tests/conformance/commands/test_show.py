"""`bnconform show` tells what is in each shard of a batch."""

from __future__ import annotations

import re

import pytest

from bn_conformance.catalogue import all_cases
from bn_conformance.commands.show import describe_case


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("sync/nc/float32/empty", ["x[0:0], x[0:8], x[8:8] of 0, 8, 0 positions"]),
        ("sync/nhwc/float32/masked-unequal", ["x[0:1], x[1:1], x[1:4] of 25, 0, 40 positions that count"]),
        (
            "sync/nc/float32/sequence",
            ["x[0:7], x[7:8] of 7, 1 positions", "x[0:1], x[1:8] of 1, 7 positions"],
        ),
        ("fwd/nc/float32/random", []),
    ],
)
def test_each_shard_is_told_with_its_positions(case: str, told: list[str]) -> None:
    assert re.findall(r"^    in shards (.*)$", describe_case(all_cases()[case]), re.MULTILINE) == told
