"""The recipe that converts parameters and running statistics of one convention into those of another.

Inference in B gives what inference in A gave if both divide by the same number: var_B + eps_B [if B adds it] =
var_A + eps_A [if A adds it]. With eps_B set to eps_A that is one addition or subtraction. The estimator of the running
variance changes nothing in it: a running variance is a number, and dividing by the same number gives the same output.
It shows when training goes on, for then B's batches enter n / (n - 1) times larger or smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.diff.parties import Party
from bn_conformance.text import one_line
from bn_reference.arithmetic.quad import Quad


@dataclass(frozen=True)
class Step:
    """One step: what it is about, what to do as a formula, and what holds of it only nearly."""

    title: str
    formula: str
    note: str = ""


def sign_of_eps(source: Convention, target: Convention) -> int:
    """How many eps have to be added to the running variance: -1, 0 or 1."""
    return int(source.eps_in_inference) - int(target.eps_in_inference)


def estimator_factor(source: Convention, target: Convention) -> str:
    """What a batch's variance enters the target's average times as large; empty where both take in the same."""
    if source.running_variance == target.running_variance:
        return ""
    return "(n - 1) / n" if target.running_variance == "biased" else "n / (n - 1)"


def converted_variance(variance: Quad, source: Convention, target: Convention, eps: float) -> Quad:
    """The target's running variance, exactly, for a source's."""
    return np.asarray(variance + sign_of_eps(source, target) * np.float64(eps).astype(variance.dtype))


def steps(source: Party, target: Party) -> list[Step]:
    """The recipe, in order."""
    a, b = source.convention, target.convention
    found = [
        Step("parameters", "gamma_B = gamma_A; beta_B = beta_A", "1 and 0 where A has none"),
        Step("eps", f"build B with eps = {source.eps!r}", _eps_note(source, target)),
        Step("momentum", _momentum(source, target), f"both weigh the new statistic by {source.weight:.6g}"),
        Step("running mean", "running_mean_B = running_mean_A"),
        _variance(a, b),
    ]
    factor = estimator_factor(a, b)
    if factor:
        found.append(
            Step(
                "estimator, only to train on as if B had trained from the start",
                f"running_var_B = running_var_B * {factor}",
                "n is the number of values per channel of the training batches; exact where all batches had the same n "
                "and nothing of the initial variance is left, and it changes outputs of inference by the root of it; "
                "leave it out to keep A's outputs",
            )
        )
    if a.statistics_dtype != b.statistics_dtype:
        note = "matters for 16-bit parameters alone: what B keeps in fewer bits is rounded"
        found.append(
            Step("format of statistics", f"A keeps them as {a.statistics_dtype}, B as {b.statistics_dtype}", note)
        )
    if b.debiasing != "none":
        note = "its counter of updates is at 0: set or load that as well, else statistics are replaced"
        found.append(Step("debiasing", f"B has {b.debiasing}: its first training step forgets what was set", note))
    if a.statistics_move != b.statistics_move:
        found.append(Step("training on", _moment(b), "else B's running statistics stay where they are"))
    return found


def _moment(b: Convention) -> str:
    return {
        "explicit": "run B's update of the statistics after each training forward",
        "backward": "run a backward in every training step",
        "forward": "nothing to run: B's statistics move in each training forward",
    }[b.statistics_move]


def _eps_note(source: Party, target: Party) -> str:
    default = target.convention.default_eps
    if default is None:
        return "B has no default"
    return "B's own default" if target.eps == source.eps else f"B's own default is {default:g}"


def _momentum(source: Party, target: Party) -> str:
    passed = target.momentum(source.weight)
    if source.convention.momentum_weighs == target.convention.momentum_weighs:
        return f"momentum_B = momentum_A = {passed:.6g}"
    return f"momentum_B = 1 - momentum_A = {passed:.6g}"


def _variance(a: Convention, b: Convention) -> Step:
    sign = sign_of_eps(a, b)
    if sign == 0:
        return Step("running variance", "running_var_B = running_var_A")
    if sign < 0:
        note = "A's holds eps and its inference adds none; a negative one (an A that never trained) cannot be converted"
        return Step("running variance", "running_var_B = running_var_A - eps", note)
    note = "B's inference adds no eps: it has to be in the running variance"
    return Step("running variance", "running_var_B = running_var_A + eps", note)


def snippet(source: Party, target: Party) -> str:
    """The recipe as a Python function of NumPy arrays."""
    sign = sign_of_eps(source.convention, target.convention)
    variance = "running_var" + {0: "", 1: " + EPS", -1: " - EPS"}[sign]
    factor = estimator_factor(source.convention, target.convention)
    lines = [
        f"EPS = {source.eps!r}  # build B with it",
        f"MOMENTUM = {target.momentum(source.weight):.6g}  # build B with it: it weighs the "
        f"{target.convention.momentum_weighs} statistic there",
        "",
        "",
        "def convert(gamma, beta, running_mean, running_var):",
        f"    # state of {one_line(source.name)} as that of {one_line(target.name)}",
        "    return {",
        '        "gamma": gamma,',
        '        "beta": beta,',
        '        "running_mean": running_mean,',
        f'        "running_var": {variance},' + (f"  # times {factor} to train on as B" if factor else ""),
        "    }",
    ]
    return "\n".join(lines)
