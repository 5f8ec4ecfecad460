"""How to convert parameters and running statistics of one convention (A) into those of another (B).

Inference in B gives what inference in A gave if both divide by the same number:

    var_B + eps_B [if B adds eps] = var_A + eps_A [if A adds eps]

With eps_B set to eps_A, that is one addition or subtraction at most. The estimator of the running variance does not
matter here: dividing by the same number gives the same output. It matters when training goes on, because each batch
then enters B's running variance n / (n - 1) times larger or smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.diff.sides import Side
from bn_conformance.text import one_line
from bn_reference.arithmetic.formats import FORMATS, nearest
from bn_reference.arithmetic.quad import Quad


@dataclass(frozen=True)
class ConversionStep:
    """One step of a conversion.

    Attributes:
        title: what it is about.
        formula: what to do.
        note: when it matters, or what it does not keep.
    """

    title: str
    formula: str
    note: str = ""


def sign_of_eps(source: Convention, target: Convention) -> int:
    """How many times eps is added to the running variance: -1, 0 or 1."""
    return int(source.eps_in_inference) - int(target.eps_in_inference)


def estimator_factor(source: Convention, target: Convention) -> str:
    """The factor by which a batch's variance in the target's average differs from the source's; empty where it is 1."""
    if source.running_variance == target.running_variance:
        return ""
    return "(n - 1) / n" if target.running_variance == "biased" else "n / (n - 1)"


def converted_variance(variance: Quad, source: Convention, target: Convention, eps: float) -> Quad:
    """The target's running variance, exactly, for a source's."""
    return np.asarray(variance + sign_of_eps(source, target) * np.float64(eps).astype(variance.dtype))


def conversion_steps(source: Side, target: Side) -> list[ConversionStep]:
    """What to do, in order; A is the source and B the target."""
    a, b = source.convention, target.convention
    steps = [
        ConversionStep("parameters", "gamma_B = gamma_A; beta_B = beta_A", "where A has none: 1 and 0"),
        ConversionStep("eps", f"build B with eps = {source.eps!r}", _eps_note(source, target)),
        ConversionStep("momentum", _momentum(source, target), f"the new statistic weighs {source.weight:.6g} in both"),
        ConversionStep("running mean", "running_mean_B = running_mean_A"),
        _variance(a, b),
    ]
    optional = (_estimator(a, b), _format(a, b), _debiasing(b), _moment(a, b))
    return [*steps, *(step for step in optional if step is not None)]


def _estimator(a: Convention, b: Convention) -> ConversionStep | None:
    factor = estimator_factor(a, b)
    if not factor:
        return None
    return ConversionStep(
        "optional: the estimator of the running variance",
        f"running_var_B = running_var_B * {factor}",
        "only to train on as if B had trained from the start; leave it out to keep the outputs of A. n is the number "
        "of values per channel in a training batch. It changes outputs at inference by the square root of the factor. "
        "It is exact where every batch had the same n and nothing is left of the initial variance",
    )


def _format(a: Convention, b: Convention) -> ConversionStep | None:
    if a.statistics_dtype == b.statistics_dtype:
        return None
    wide = "float64" in (a.statistics_dtype, b.statistics_dtype)
    note = f"{'' if wide else 'matters for 16-bit parameters alone: '}what B keeps in fewer bits is rounded"
    return ConversionStep(
        "format of statistics", f"A keeps them as {a.statistics_dtype}, B as {b.statistics_dtype}", note
    )


def _debiasing(b: Convention) -> ConversionStep | None:
    if b.debiasing == "none":
        return None
    note = "B's counter of updates starts at 0: set or load it too, or the first step replaces the statistics"
    return ConversionStep("debiasing", f"B has {b.debiasing}: its first training step forgets what was set", note)


def _moment(a: Convention, b: Convention) -> ConversionStep | None:
    if a.statistics_move == b.statistics_move:
        return None
    formula = {
        "explicit": "run B's update of the statistics after each training forward",
        "backward": "run a backward in every training step",
        "forward": "nothing to run: B's statistics move in each training forward",
    }[b.statistics_move]
    note = "" if b.statistics_move == "forward" else "otherwise B's running statistics stay where they are"
    return ConversionStep("training on", formula, note)


def _eps_note(source: Side, target: Side) -> str:
    default = target.convention.default_eps
    if default is None:
        own = "B has no default"
    else:
        own = "B's own default" if target.eps == source.eps else f"B's own default is {default:g}"
    return own + _rounded(source, target)


def _rounded(source: Side, target: Side) -> str:
    """What of eps depends on the format of x, where one of the two rounds it to that."""
    rounding = [name for name, side in (("A", source), ("B", target)) if side.convention.eps_dtype == "x"]
    if len(rounding) != 1:
        return ""
    half, brain = (nearest(source.eps, FORMATS[name]) for name in ("float16", "bfloat16"))
    return f"; {rounding[0]} rounds it to the format of x: {half:g} for float16, {brain:g} for bfloat16"


def _momentum(source: Side, target: Side) -> str:
    passed = target.momentum(source.weight)
    if source.convention.momentum_weighs == target.convention.momentum_weighs:
        return f"momentum_B = momentum_A = {passed:.6g}"
    return f"momentum_B = 1 - momentum_A = {passed:.6g}"


def _variance(a: Convention, b: Convention) -> ConversionStep:
    sign = sign_of_eps(a, b)
    if sign == 0:
        return ConversionStep("running variance", "running_var_B = running_var_A")
    if sign < 0:
        note = (
            "A holds eps in its running variance and adds none at inference; if that gives less than 0, A never trained"
        )
        return ConversionStep("running variance", "running_var_B = running_var_A - eps", note)
    note = "B adds no eps at inference, so the running variance has to hold it"
    return ConversionStep("running variance", "running_var_B = running_var_A + eps", note)


def snippet(source: Side, target: Side) -> str:
    """The conversion as a Python function of NumPy arrays."""
    sign = sign_of_eps(source.convention, target.convention)
    variance = "running_var" + {0: "", 1: " + EPS", -1: " - EPS"}[sign]
    factor = estimator_factor(source.convention, target.convention)
    weighs = f"here momentum is the weight of the {target.convention.momentum_weighs} statistic"
    lines = [
        f"EPS = {source.eps!r}  # build B with this eps",
        f"MOMENTUM = {target.momentum(source.weight):.6g}  # and with this momentum: {weighs}",
        "",
        "",
        "def convert(gamma, beta, running_mean, running_var):",
        f"    # from {one_line(source.name)} to {one_line(target.name)}",
        "    return {",
        '        "gamma": gamma,',
        '        "beta": beta,',
        '        "running_mean": running_mean,',
        f'        "running_var": {variance},' + (f"  # optional, to train on as B: times {factor}" if factor else ""),
        "    }",
    ]
    return "\n".join(lines)
