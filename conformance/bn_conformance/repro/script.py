"""The script: data, the framework's own calls, the definition, and what is exact, in one file without bnconform."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case, ParameterRecipes, SetParameters, SetStatistics, has_data
from bn_conformance.cases.steps import in_words
from bn_conformance.cases.tensors import BatchData, CaseData, vectors_of
from bn_conformance.layer_code import LayerCode, StepCall
from bn_conformance.repro.generators import HELPERS
from bn_conformance.repro.literals import NoRepro, array_code
from bn_conformance.repro.symptom import Symptom
from bn_conformance.repro.verdict_code import verdict_code
from bn_conformance.text import one_line
from bn_reference.specification.clauses import clauses

WIDTH = 112

REVERSED = ("fortran", "transposed")
"""Views whose memory has the opposite order of axes. Of other views a script has contiguous data."""


@dataclass(frozen=True, kw_only=True)
class ScriptSubject:
    """What a script is about.

    Attributes:
        implementation: its name.
        versions: of its distributions.
        environment: variables that must be set before the framework is imported.
        convention: that is declared.
        reason: why it is a fault; empty where nobody said it.
        link: where it is tracked; may be empty.
    """

    implementation: str
    versions: Mapping[str, str]
    environment: Mapping[str, str]
    convention: Convention
    reason: str = ""
    link: str = ""


def script(subject: ScriptSubject, case: Case, data: CaseData, code: LayerCode, symptom: Symptom) -> str:
    """A Python file that shows a symptom in the framework alone, and exits with 1 where it does.

    Args:
        subject: what it is about.
        case: as it was run.
        data: of the case.
        code: of the layer.
        symptom: what is shown.

    Raises:
        NoRepro: a step before it is not in the code of any framework, or its data are too large.
    """
    steps = [*_steps(case, data, code, symptom)]
    helpers = [*HELPERS, "", ""] if any("= tensor(" in line or "bfloat16(" in line for line in steps) else []
    lines = [
        *_heading(subject, case, symptom),
        *_imports(subject, code),
        "",
        "",
        "def array(value):",
        '    """A result as float64, which holds every number of the narrower formats."""',
        f"    return {code.array}",
        "",
        "",
        *helpers,
        "# The layer",
        *code.build(),
        *_parameters(case, code, case.parameters),
        *steps,
        *verdict_code(subject.implementation, case, data, subject.convention, symptom),
    ]
    return "\n".join(lines) + "\n"


def _heading(subject: ScriptSubject, case: Case, symptom: Symptom) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in subject.versions.items())
    what = f"{symptom.name} is wrong" if symptom.name else one_line(symptom.message)
    paragraphs = [f"{subject.implementation}: {what} in the case {case.id}.", f"Seen with {versions}."]
    if subject.reason:
        paragraphs.append(f"Why: {subject.reason}." + (f" See {subject.link}" if subject.link else ""))
    paragraphs.append(f"The case: {case.title}.")
    paragraphs += [f"What must hold ({id_}): {clauses()[id_].text}" for id_ in symptom.clauses[:2]]
    if symptom.message and symptom.name:
        paragraphs.append(f"What was seen: {symptom.message}.")
    paragraphs.append(
        "Exact values were computed in IEEE binary128 (113 bits) from the very numbers below, and are printed with 30 "
        "digits. The exit code is 1 where the fault shows, and 0 where it does not."
    )
    yield f'r"""{paragraphs[0]}'
    for paragraph in paragraphs[1:]:
        yield ""
        yield from textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
    yield '"""'


def _imports(subject: ScriptSubject, code: LayerCode) -> Iterator[str]:
    yield ""
    yield from ["import os", ""] if subject.environment else []
    for name, value in subject.environment.items():
        yield f"os.environ[{name!r}] = {value!r}"
    yield ""
    yield from ["import sys", "from decimal import Decimal", "", "import numpy as np"]
    yield from code.imports


def _parameters(case: Case, code: LayerCode, recipes: ParameterRecipes | None) -> Iterator[str]:
    if recipes is None:
        return
    vectors = dict(zip(("gamma", "beta"), vectors_of(case.config, recipes), strict=True))
    present = {name: vector for name, vector in vectors.items() if vector is not None}
    for name, vector in present.items():
        yield from array_code(name, vector)
    yield from code.set_parameters(tuple(present))


def _steps(case: Case, data: CaseData, code: LayerCode, symptom: Symptom) -> Iterator[str]:
    """What happens to the layer, up to the step that shows the symptom."""
    position = 0
    for index, step in enumerate(case.steps[: symptom.step + 1]):
        yield ""
        yield f"# Step {index}: {in_words(step)}"
        if has_data(step):
            last = index == symptom.step
            yield from _batch(case, step, data.batches[position], code, symptom if last else None)
            position += 1
        elif isinstance(step, SetStatistics):
            yield from _statistics(case, code, step, symptom)
        elif isinstance(step, SetParameters):
            yield from _parameters(case, code, step)
        else:
            raise NoRepro(f"the case has a step for which no code is written ({in_words(step)}); name another case")


def _statistics(case: Case, code: LayerCode, step: SetStatistics, symptom: Symptom) -> Iterator[str]:
    dtype = case.config.parameter_dtype if symptom.before is None else symptom.before[0].dtype.name
    for name, recipe in (("running_mean", step.mean), ("running_var", step.variance)):
        yield from array_code(name, recipe.vector(case.config.num_channels, dtype))
    yield from code.set_statistics()


def _batch(case: Case, step: Batch, data: BatchData, code: LayerCode, symptom: Symptom | None) -> Iterator[str]:
    """A step with data; `symptom` is None for one that only leads to it."""
    if step.between and (symptom is None or symptom.backward):
        raise NoRepro("something happens between a forward and its backward, for which no code is written")
    if step.shards and not code.sharded:
        raise NoRepro("x is split into shards, for which no code is written; name another case")
    axis = case.config.channel_axis % len(step.shape)
    backward = symptom is not None and symptom.backward and data.dy is not None
    yield from array_code("x", data.x, step.x, axis, step.dtype or case.config.dtype)
    if data.mask is not None:
        yield from array_code("mask", data.mask)
    if backward and data.dy is not None:
        yield from array_code("dy", data.dy, step.dy, axis, case.config.dtype)
    weights = {}
    if symptom is not None and symptom.second and data.second is not None:
        named = zip(("v_dx", "v_dgamma", "v_dbeta"), data.second, strict=True)
        weights = {name: weight for name, weight in named if weight is not None}
        for name, weight in weights.items():
            yield from array_code(name, weight, step.second.v_dx if step.second and name == "v_dx" else None, axis)
    training = step.training and not (symptom is not None and symptom.frozen)
    views = {"x": step.view, "dy": step.dy_view or step.view}
    call = StepCall(
        training=training,
        masked=data.mask is not None,
        backward=backward,
        second=tuple(weights),
        shards=step.shards or (),
        reversed_axes=frozenset(name for name, view in views.items() if view in REVERSED),
    )
    lines = [*code.step(call)]
    if symptom is None or symptom.kind not in ("raised", "accepted"):
        yield from lines
        reads = symptom is not None and (symptom.name.startswith("running") or symptom.name == "statistics")
        yield from code.statistics() if reads else ()
        return
    yield "try:"
    yield from (f"    {line}".rstrip() for line in lines)
    yield "except Exception as error:"
    raised = 'f"{type(error).__name__}: {error}"'
    if symptom.kind == "raised":
        yield f'    print("FAULT: it raises where a result is due,", {raised})'
        yield "    sys.exit(1)"
        yield 'print("no fault: it gives a result")'
        yield "sys.exit(0)"
    else:
        yield f'    print("no fault: it refuses,", {raised})'
        yield "    sys.exit(0)"
        yield 'print("FAULT: it is accepted without an error; y has shape", tuple(y_out.shape), "for x of", x.shape)'
        yield "sys.exit(1)"
