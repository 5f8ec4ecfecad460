"""`bnconform.convert`: weights in memory or in files, carried from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bnconform

STATE = {
    "net.bn.weight": np.array([1.5, 2], np.float32),
    "net.bn.bias": np.array([0, 1], np.float32),
    "net.bn.running_mean": np.array([3, 4], np.float32),
    "net.bn.running_var": np.array([0.5, 2], np.float32),
    "net.conv.weight": np.ones((2, 2), np.float32),
}


@pytest.mark.slow
@pytest.mark.framework
def test_a_state_dict_in_memory_becomes_variables_of_flax() -> None:
    import torch

    state = {name: torch.from_numpy(array) for name, array in STATE.items()}
    made = bnconform.convert(state, to="flax", eps=0.25, rename={"net.*": "Net/*"})
    assert made.verification.verified
    assert made.exit_code == 0
    assert made.tree["params"]["Net"]["bn"]["scale"].tolist() == [1.5, 2]
    assert made.tree["batch_stats"]["Net"]["bn"]["var"].tolist() == [0.5, 2]
    assert made.layers[0].eps == 0.25


def test_weights_in_memory_are_not_written_over_a_file(tmp_path: Path) -> None:
    with pytest.raises(bnconform.UserError, match="the weights to keep are in memory"):
        bnconform.convert(STATE, tmp_path / "out.npz", into=STATE)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_model_are_one_line() -> None:
    with pytest.raises(bnconform.UserError, match="no layer of batch normalisation"):
        bnconform.convert({"kernel": np.ones((2, 2))}, to="torch")
    endless: dict[str, object] = {}
    endless["a"] = endless
    with pytest.raises(bnconform.UserError, match="nested too deeply"):
        bnconform.convert(endless, to="torch")
