"""The clauses of the specification that stand behind the quantities of a step."""

from __future__ import annotations

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


def clause_of(name: str, training: bool, masked: bool) -> str:
    """The clause behind a quantity of a step."""
    return MASKED_CLAUSES[name] if training and masked and name in MASKED_CLAUSES else BASE_CLAUSES[name, training]


def clauses_of(case: Case, *base: str) -> tuple[str, ...]:
    """The clauses behind a quantity, then those of the case."""
    return (*base, *(clause for clause in case.clauses if clause not in base))
