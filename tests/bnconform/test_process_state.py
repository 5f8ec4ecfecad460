"""What a check changes in the process that it shares with layers is afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from bnconform.process_state import seldom_searched


def fail_in_a_block(found: list[tuple[int, int, int]]) -> None:
    with seldom_searched():
        found.append(gc.get_threshold())
        raise KeyError


def test_python_searches_old_objects_for_garbage_as_before_once_a_check_ends() -> None:
    before, found = gc.get_threshold(), list[tuple[int, int, int]]()
    with pytest.raises(KeyError):
        fail_in_a_block(found)
    assert [one[:2] for one in found] == [before[:2]]
    assert found[0][2] > 1000 * before[2]
    assert gc.get_threshold() == before
