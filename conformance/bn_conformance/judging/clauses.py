"""Tables of the clauses that each quantity is judged under."""

from __future__ import annotations

from collections.abc import Mapping

from bn_conformance.cases.model import Case

BASE_CLAUSES = {
    ("y", True): "FWD-1",
    ("y", False): "EVAL-1",
    ("dx", True): "GRAD-1",
    ("dgamma", True): "GRAD-2",
    ("dbeta", True): "GRAD-3",
    ("dx", False): "GRAD-4",
    ("dgamma", False): "GRAD-4",
    ("dbeta", False): "GRAD-4",
    ("running_mean", True): "STAT-1",
    ("running_var", True): "STAT-2",
    ("saved_mean", True): "SAVED-1",
    ("saved_invstd", True): "SAVED-2",
    ("dx_given", True): "SAVED-3",
    ("dgamma_given", True): "SAVED-3",
    ("dbeta_given", True): "SAVED-3",
    ("ds_dx", True): "SECOND-1",
    ("ds_dgamma", True): "SECOND-2",
    ("ds_ddy", True): "SECOND-3",
    ("ds_dx", False): "SECOND-4",
    ("ds_dgamma", False): "SECOND-4",
    ("ds_ddy", False): "SECOND-4",
}
"""The clause behind each quantity, in training (True) and in inference."""

MASKED_CLAUSES = {
    "y": "MASK-7",
    "dx": "MASK-3",
    "dgamma": "MASK-3",
    "dbeta": "MASK-3",
    "running_mean": "MASK-2",
    "running_var": "MASK-2",
}
"""The clause behind each quantity of a training step with a mask."""

SHARDED_CLAUSES = {
    "y": "SYNC-1",
    "running_mean": "SYNC-2",
    "running_var": "SYNC-2",
    "dx": "SYNC-3",
    "dgamma": "SYNC-3",
    "dbeta": "SYNC-3",
}
"""The clause behind each quantity of a training step on shards."""

MASKED_SHARDED_CLAUSES = dict.fromkeys(SHARDED_CLAUSES, "SYNC-7")
"""The clause behind each quantity of a training step on shards with masks."""

OF_REPLICAS = "SYNC-4"
"""The clause behind the running statistics of the replicas of shards."""

_SPECIAL: Mapping[tuple[bool, bool], Mapping[str, str]] = {
    (False, False): {},
    (True, False): MASKED_CLAUSES,
    (False, True): SHARDED_CLAUSES,
    (True, True): MASKED_SHARDED_CLAUSES,
}

INITIAL, TRAJECTORY, TIMING, RELOADED, SET, TYPE = "STAT-3", "STATE-1", "STAT-4", "STATE-2", "DTYPE-4", "DTYPE-1"
"""Clauses behind the statistics of a fresh layer; behind sums of steps; behind when statistics move; behind save and
load; behind statistics that are set; and behind the type, shape and format of what a layer gives."""

INPUT_KEPT, OTHER_LAYER, KEPT_LATER, IN_THREADS = "PURE-1", "PURE-3", "PURE-4", "PURE-6"
"""Clauses of purity: inputs stay as they are, layers share nothing, results stay as they are, and threads do not
disturb one another."""


def clause_of(name: str, training: bool, masked: bool, sharded: bool = False) -> str:
    """The clause behind a quantity of a step; `training` says whether batch statistics are used."""
    special = _SPECIAL[masked, sharded]
    return special[name] if training and name in special else BASE_CLAUSES[name, training]


def clause_of_rest(frozen: bool, training: bool, empty: bool) -> str:
    """The clause under which running statistics stay where they are in a step.

    Args:
        frozen: whether the layer is frozen.
        training: whether the step is in training.
        empty: whether its batch has no values.
    """
    if frozen:
        return "STATE-3"
    if not training:
        return "STAT-5"
    return "EDGE-2" if empty else "MASK-5"


def judged_clauses(case: Case, *base: str) -> tuple[str, ...]:
    """The clauses behind a quantity, then those of the case."""
    return (*base, *(clause for clause in case.clauses if clause not in base))
