"""Experiments on formats: those of outputs and statistics for each format of x, and those of eps and momentum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.adapter import Array
from bn_conformance.catalogue.places import formats_slug
from bn_conformance.hosting.host import LayerError
from bn_conformance.probe.candidates import Fits, fit
from bn_conformance.probe.declaration import against_declaration
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import Laboratory, ProbedLayer, Unmeasurable
from bn_conformance.probe.running_statistics import predicted_statistics, training_steps
from bn_reference.definition.state import LayerFormats
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.convention import CHOICES

AWKWARD = 0.1
"""A value of eps and momentum that float32 cannot hold exactly, and neither can it hold 1 - momentum."""

SUBNORMAL = 1e-7
"""A value of eps that float16 rounds by a fifth, to 2^-23."""


def formats(laboratory: Laboratory) -> Iterator[Finding]:
    """Formats of y, dx and the running statistics for every declared format, in training."""
    kept: dict[tuple[str, str], tuple[str, str]] = {}
    for pair in laboratory.formats:
        config = laboratory.config(pair)
        subject = laboratory.subject(config)
        results = {"y": subject.train(subject.data("formats"))}
        if "training" in laboratory.can.gradients and laboratory.convention.statistics_move != "backward":
            results["dx"] = subject.backward(subject.data("formats dy"))[0]
        mean, variance = subject.statistics()
        kept[pair] = mean.dtype.name, variance.dtype.name
        what = f"formats for x in {pair[0]}" + (f", parameters in {pair[1]}" if pair[0] != pair[1] else "")
        same = len(set(kept[pair])) == 1
        statistics = kept[pair][0] if same else " and ".join(kept[pair])
        given = {array.dtype.name for array in results.values()}
        if len(given) == 1:
            measured = f"{' and '.join(results)} {given.pop()}, statistics {statistics}"
        else:
            measured = ", ".join(f"{name} {array.dtype.name}" for name, array in results.items())
        if any(array.dtype.name != pair[0] for array in results.values()):
            yield Finding.fault(
                what, measured, "DTYPE-1", "y and dx have the format of x", f"dtype/nchw/{formats_slug(pair)}/formats"
            )
        else:
            yield Finding.observed(what, measured)
    fitting = [
        value
        for value in CHOICES["statistics_dtype"]
        if all(set(names) == {_kept(laboratory, pair, value)} for pair, names in kept.items())
    ]
    observed = ", ".join(f"{names[0]} for {'/'.join(dict.fromkeys(pair))}" for pair, names in kept.items())
    yield against_declaration(
        laboratory, "statistics_dtype", fitting, f"kept in {observed}", "DTYPE-1", "dtype/nchw/float64/formats"
    )


def _kept(laboratory: Laboratory, pair: tuple[str, str], value: object) -> str:
    convention = replace(laboratory.convention, statistics_dtype=value)  # type: ignore[arg-type]
    return LayerFormats.of(laboratory.config(pair), convention).statistics.name


def kept_eps(laboratory: Laboratory) -> Iterator[Finding]:
    """The format in which eps is kept: float32 shows in float64 layers, and the format of x in 16-bit ones.

    Where no 16-bit layer shows it, the format of x is a candidate only if it is declared.
    """
    wide, narrow = _wide_eps(laboratory), _narrow_eps(laboratory)
    if not (wide or narrow):
        raise Unmeasurable("it needs float64 or float16 layers, which are not declared")
    fits = [fit(candidates, axis) for candidates, axis in (*wide, *narrow)]
    together = Fits({kept: max(one.misfits[kept] for one in fits) for kept in CHOICES["eps_dtype"]})
    candidates = [kept for kept in together.fitting if narrow or kept in ("float64", "float32", _declared(laboratory))]
    layers = [f"float64 with eps {AWKWARD}"] * len(wide) + [f"16-bit x with eps {SUBNORMAL:g}"] * len(narrow)
    detail = f"layers of {' and '.join(layers)}; {together.numbers}"
    of_x = "x" in (*candidates, _declared(laboratory)) and narrow
    clause, case = ("FWD-2", "fwd/nchw/float16/eps-1e-08") if of_x else ("DTYPE-3", "fwd/nchw/float64/random")
    yield against_declaration(laboratory, "eps_dtype", candidates, detail, clause, case)
    laboratory.narrow = bool(wide) and not candidates


Candidates = tuple[dict[str, list[tuple[Expected, Array]]], int]
"""Of each format of eps, pairs of a prediction and what was observed; and the channel axis of what was observed."""


def _declared(laboratory: Laboratory) -> str:
    return laboratory.declared.eps_dtype


def _wide_eps(laboratory: Laboratory) -> list[Candidates]:
    """y of a float64 layer; nothing where none is declared."""
    if "float64" not in laboratory.can.dtypes:
        return []
    subject = laboratory.subject(laboratory.config(("float64", "float64"), eps=AWKWARD, momentum=AWKWARD))
    x = subject.data("awkward", scale=0.25)
    y = subject.forward(x, True)
    return [({kept: [(golden.training(None)["y"], y)] for kept, golden in _goldens(subject, x)}, _axis(subject))]


def _narrow_eps(laboratory: Laboratory) -> list[Candidates]:
    """y of a float16 layer whose eps is no number of float16, beside variances of its size.

    Nothing where no such layer is declared, and where the layer refuses the eps or has another fault: that says
    nothing of it.
    """
    formats = [pair for pair in reversed(laboratory.formats) if pair[0] == "float16"]
    if not formats:
        return []
    try:
        subject = laboratory.subject(laboratory.config(formats[0], eps=SUBNORMAL))
        x = subject.data("subnormal eps", scale=SUBNORMAL**0.5)
        y = subject.forward(x, True)
    except LayerError:  # some have a least eps
        return []
    candidates = {kept: [(golden.training(None)["y"], y)] for kept, golden in _goldens(subject, x)}
    return [(candidates, _axis(subject))] if fit(candidates, _axis(subject)).fitting else []


def _goldens(subject: ProbedLayer, x: Array) -> Iterator[tuple[str, Golden]]:
    convention = subject.laboratory.convention
    return ((kept, subject.golden(x, replace(convention, eps_dtype=kept))) for kept in CHOICES["eps_dtype"])


def _axis(subject: ProbedLayer) -> int:
    return subject.config.channel_axis


def kept_momentum(laboratory: Laboratory) -> Iterator[Finding]:
    """The format in which momentum is kept, from a float64 layer with a value that float32 cannot hold."""
    if "float64" not in laboratory.can.dtypes:
        raise Unmeasurable("it needs float64 layers, which are not declared")
    laboratory.need_moving()
    subject = laboratory.subject(laboratory.config(("float64", "float64"), eps=AWKWARD, momentum=AWKWARD))
    convention, steps = laboratory.convention, list(training_steps(subject, "awkward"))
    fits = fit(
        {
            kept: predicted_statistics(subject, steps, replace(convention, momentum_dtype=kept))["running_mean"]
            for kept in CHOICES["momentum_dtype"]
        }
    )
    laboratory.narrow |= not fits.fitting
    detail = f"running mean of a float64 layer with weight {AWKWARD} of the new statistic; {fits.numbers}"
    yield against_declaration(laboratory, "momentum_dtype", fits.fitting, detail, "DTYPE-3", "fwd/nchw/float64/random")
