"""Experiments on formats: those of outputs and statistics for each format of x, and those of eps and momentum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.catalogue.places import formats_slug
from bn_conformance.probe.candidates import fit
from bn_conformance.probe.declaration import against_declaration
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import Laboratory, Unmeasurable
from bn_conformance.probe.running_statistics import predicted_statistics, training_steps
from bn_reference.definition.state import LayerFormats
from bn_reference.specification.convention import CHOICES

AWKWARD = 0.1
"""A value of eps and momentum that float32 cannot hold exactly, and neither can it hold 1 - momentum."""


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


def hyper_parameters(laboratory: Laboratory) -> Iterator[Finding]:
    """The formats in which eps and momentum are kept, from float64 layers with values that float32 cannot hold."""
    if "float64" not in laboratory.can.dtypes:
        raise Unmeasurable("it needs float64 layers, which are not declared")
    subject = laboratory.subject(laboratory.config(("float64", "float64"), eps=AWKWARD, momentum=AWKWARD))
    x, convention = subject.data("awkward", scale=0.25), laboratory.convention
    y = subject.forward(x, True)
    fits = fit(
        {
            kept: [(subject.golden(x, replace(convention, eps_dtype=kept)).training(None)["y"], y)]
            for kept in CHOICES["eps_dtype"]
        },
        subject.config.channel_axis,
    )
    detail = f"y of a float64 layer with eps {AWKWARD}; {fits.numbers}"
    yield against_declaration(laboratory, "eps_dtype", fits.fitting, detail, "DTYPE-3", "fwd/nchw/float64/random")
    laboratory.narrow = not fits.fitting
    laboratory.need_moving()
    yield from _momentum(laboratory)


def _momentum(laboratory: Laboratory) -> Iterator[Finding]:
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
