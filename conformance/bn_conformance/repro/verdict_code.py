"""The end of a script: the definition in float64, what is exact, what came, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bn_conformance.adapter import CUMULATIVE, Convention
from bn_conformance.cases.model import Batch, Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.judging.pairs import NAMES
from bn_conformance.repro.definition import definition_of, layer_of
from bn_conformance.repro.literals import array_code
from bn_conformance.repro.numbers import Shows
from bn_conformance.repro.symptom import Symptom

DEFINED = ("y", "dx", "dgamma", "dbeta", *NAMES)
"""Quantities that a few lines of NumPy compute."""

ERROR_OF = '''
def error_of(got, exact):
    """|got - exact|; infinite where one is finite and the other is not."""
    got, exact = Decimal(float(got)), Decimal(exact)
    if got.is_finite() and exact.is_finite():
        return abs(got - exact)
    return Decimal(0) if str(got) == str(exact) else Decimal("Infinity")

'''


def verdict_code(
    implementation: str, case: Case, data: CaseData, convention: Convention, symptom: Symptom
) -> Iterator[str]:
    """Lines that say whether the fault shows, and exit with 1 where it does; none where a step has said it already."""
    if symptom.kind == "numbers" and symptom.shows is not None:
        yield from _definition(case, data, convention, symptom)
        yield from _numbers(symptom.name, symptom.shows)
    elif symptom.kind == "type":
        yield ""
        yield f"shape, dtype = tuple({symptom.name}_out.shape), str({symptom.name}_out.dtype)"
        yield f'print("{symptom.name} has shape", shape, "and dtype", dtype)'
        yield f'print("right are {symptom.shape} and {symptom.dtype}")'
        yield f'fault = shape != {symptom.shape} or "{symptom.dtype}" not in dtype'
    elif symptom.kind == "moved" and symptom.before is not None:
        yield ""
        yield "# The running statistics before the step. Nothing in the step may move them."
        yield "fault = False"
        for name, vector in zip(NAMES, symptom.before, strict=True):
            yield from array_code("before", vector.astype(np.float64))
            yield f"got = array({name}_out)"
            yield f'print("{name} before:", before, "after:", got)'
            yield "fault = fault or not np.array_equal(got, before, equal_nan=True)"
    elif symptom.kind == "finite":
        yield ""
        yield "fault = False"
        for name in NAMES:
            yield f"got = array({name}_out)"
            yield f'print("{name} after the step:", got)'
            yield "fault = fault or not np.isfinite(got).all()"
    else:
        return
    yield ""
    yield f'print("FAULT: it shows" if fault else "no fault: {implementation} is right here")'
    yield "sys.exit(fault)"


def _definition(case: Case, data: CaseData, convention: Convention, symptom: Symptom) -> Iterator[str]:
    """What the step must give, by the definition, in float64; nothing where that takes more than a few lines."""
    step = case.steps[symptom.step]
    debiased = symptom.name in NAMES and convention.debiasing != "none"
    assert isinstance(step, Batch)
    if symptom.name not in DEFINED or debiased:
        return
    position = sum(isinstance(before, Batch) for before in case.steps[: symptom.step])
    batch = data.batches[position]
    yield ""
    yield "# By the definition, in float64. The exact values below do not come from these lines."
    yield "x = x.astype(np.float64)"
    yield "dy = dy.astype(np.float64)" if symptom.backward else ""
    channels = case.config.num_channels
    for name, vector, default in (("gamma", batch.gamma, "np.ones"), ("beta", batch.beta, "np.zeros")):
        yield f"{name} = {default}({channels})" if vector is None else f"{name} = {name}.astype(np.float64)"
    *lines, statistics = layer_of(case, convention)
    yield from lines
    training = step.training and not symptom.frozen
    if symptom.before is not None and (not training or symptom.name in NAMES):
        for name, vector in zip(NAMES, symptom.before, strict=True):
            yield from array_code(name, vector.astype(np.float64))
    else:
        yield statistics
    yield f"updates = {symptom.updates}" if case.config.momentum == CUMULATIVE else ""
    asked = step if symptom.backward else Batch(training=step.training, shape=step.shape, x=step.x, mask=step.mask)
    yield from definition_of(case, convention, replace(asked, second=None), training)
    yield f"definition = {symptom.name}"


def _numbers(name: str, shows: Shows) -> Iterator[str]:
    yield from ERROR_OF.splitlines()
    yield ""
    yield "# By index: the exact value, and the allowed error. The allowed error is"
    yield from textwrap.wrap(f"{shows.meaning}.", 112, initial_indent="# ", subsequent_indent="# ")
    yield "RIGHT = {"
    for number in shows.numbers:
        yield f'    {number.index}: ("{number.exact}", {number.allowed:.6g}),'
    yield "}"
    yield "fault = False"
    yield f"got = array({name}_out)"
    yield "for index, (exact, allowed) in RIGHT.items():"
    yield "    error = error_of(got[index], exact)"
    yield f'    print(f"{name}{{list(index)}}: exact {{exact}}, got {{float(got[index])!r}}")'
    yield '    if "definition" in globals():'
    yield '        print(f"    by the definition in float64: {float(definition[index])!r}")'
    yield '    print(f"    error {error:.3g}, allowed {allowed:.3g}")'
    yield "    fault = fault or not error <= allowed"
