"""What is half added: names the next missing piece of a clause, a case, a deviation, a vector, an adapter, a step type.

    python -m tests.measure.missing                              # a few seconds; `make missing`
    python -m tests.measure.missing 'fwd/*/float32/my-case'      # and the power of these cases
    python -m tests.measure.missing my-deviation                 # and whether a case catches this deviation

Each line names a piece and says what to do. The exit code is 1 where anything is missing.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any

from tests.measure.missing_of_adapters import of_defined, of_installing, of_readme, of_registered
from tests.support.adapter_checks.registered import defined_adapters

from bn_conformance.cases.model import Case
from bn_conformance.cases.steps import BETWEEN, STANDING, STEP_TYPES
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.implementations.registry import GROUP
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.bench import Bench, BrokenDeviation, under_conventions
from bn_conformance.mutation.case_power import ClaimedClause, is_circumstance, power_of
from bn_conformance.mutation.catch import ROBUST
from bn_conformance.mutation.power import judged_cases
from bn_conformance.vectors.files import core_folder, document_text, file_name
from bn_conformance.vectors.golden_document import document
from bn_conformance.vectors.selection import core
from bn_reference.deviations import Deviation, catalogue
from bn_reference.specification.clauses import clauses, specification

ROOT = Path(__file__).parents[2]
CATALOGUE = "conformance/bn_conformance/catalogue"
DEVIATIONS = "reference/bn_reference/deviations"
VECTORS = "reference/bn_reference/vectors/core"


def of_specification(text: str, ids: Collection[str]) -> Iterator[str]:
    """Lines of SPEC.md that look like a clause and are not read as one."""
    for line in text.splitlines():
        start = re.match(r"[-*]?\s*\**([A-Z]+-\d+)\**:?\s", line)
        if start and start[1] not in ids:
            yield f"SPEC.md has {start[1]}, but not as a clause: write `- **{start[1]}** MUST: ...` on one line"


def of_clauses(ids: Iterable[str], cases: Iterable[Case], deviations: Iterable[Deviation]) -> Iterator[str]:
    """Clauses without a case, and clauses that nothing in the catalogue of deviations breaks."""
    tested = {clause for case in cases for clause in case.clauses}
    broken = {deviation.clause for deviation in deviations}
    for clause in ids:
        family = clause.partition("-")[0]
        if clause not in tested:
            module = f"{CATALOGUE}/{family.lower()}.py"
            yield f"clause {clause} has no case: add one to cases() of {module} (or write a family module)"
        if clause not in broken and not is_circumstance(clause):
            yield (
                f"clause {clause} has no deviation, so no case can show that it is broken: "
                f"write one with clause={clause!r} in the module of its kind in {DEVIATIONS}/ "
                f"(`head -n 1 {DEVIATIONS}/*.py` shows the kinds)"
            )


def of_cases(cases: Iterable[Case], ids: Collection[str]) -> Iterator[str]:
    """Cases that claim a clause which does not exist."""
    for case in cases:
        for clause in case.clauses:
            if clause not in ids:
                yield f"case {case.id} claims {clause}, which is no clause: write it into SPEC.md, or mend the case"


def of_power(cases: Iterable[Case]) -> Iterator[str]:
    """Cases that claim a clause without power for it. This is measured: a second or so for each case."""
    for case in cases:
        for claim in power_of(case, thorough=False):
            if claim.power <= ROBUST:
                yield (
                    f"case {case.id} has no power for {claim.clause}: {_weakness(case, claim)}; "
                    "change its data until it does, or drop the claim"
                )


def _weakness(case: Case, claim: ClaimedClause) -> str:
    """By how much a case falls short of catching what breaks a clause that it claims."""
    if not (claim.caught or claim.any_way or claim.missed):
        return f"no deviation breaks {claim.clause}"
    if claim.caught or claim.any_way:
        nearest = max((*claim.caught, *filter(None, [claim.any_way])), key=lambda catch: catch.ratio)
        return (
            f"the error of {nearest.deviation} is {nearest.ratio:.3g} times the allowed one; {ROBUST:g} times is clear"
        )
    errors = ", ".join(f"{name} {_largest_error(case, name):.3g}" for name in claim.missed[:3])
    more = f", and {len(claim.missed) - 3} more" if len(claim.missed) > 3 else ""
    return f"it catches no deviation that breaks it (error / error that tight allows: {errors}{more})"


def _largest_error(case: Case, name: str) -> float:
    """The largest error of a deviation on a case, over the one that the grade tight allows."""
    ((convention, found),) = under_conventions([catalogue()[name]])
    item = Bench(convention).judge(found, case)
    return max((quantity.ratio for quantity in item.quantities if quantity.ratio is not None), default=0.0)


def of_deviations(deviations: Iterable[Deviation], cases: Iterable[Case], ids: Collection[str]) -> Iterator[str]:
    """Deviations without a sentence, an effect, or a clause that exists and that a case claims."""
    tested = {clause for case in cases for clause in case.clauses}
    for deviation in deviations:
        name, module = f"deviation {deviation.name}", f"{DEVIATIONS}/{deviation.group}.py"
        if not deviation.sentence:
            yield f"{name} has no sentence: write what it computes instead, as its docstring, in {module}"
        if not deviation.effect:
            yield f"{name} has no effect: write what a person notices, as effect=..., in {module}"
        if not (deviation.clause or deviation.convention):
            yield f"{name} breaks no clause: name the clause, as clause=..., in {module}"
        if deviation.clause and deviation.clause not in ids:
            yield f"{name} breaks {deviation.clause}, which is no clause: write it into SPEC.md, or mend {module}"
        elif deviation.clause and deviation.clause not in tested:
            family = deviation.clause.partition("-")[0].lower()
            yield (
                f"{name} breaks {deviation.clause}, which no case claims: see with `bnconform power {deviation.name}` "
                f"whether a case catches it already, and let that case or a new one in {CATALOGUE}/{family}.py claim it"
            )


def of_deviation_modules(sources: Mapping[str, str], deviations: Iterable[Deviation]) -> Iterator[str]:
    """Modules that define deviations and are not part of the catalogue; `sources` are module texts by name."""
    known = {deviation.group for deviation in deviations}
    for module, text in sources.items():
        if "\n@deviation(" in text and module not in known:
            yield f"{DEVIATIONS}/{module}.py is not in the catalogue: add it to MODULES in {DEVIATIONS}/__init__.py"


def of_catching(deviations: Iterable[Deviation], cases: Iterable[Case]) -> Iterator[str]:
    """Deviations that no case catches clearly. This is measured: smaller cases, and those of the clause, come first."""
    by_size = sorted(cases, key=lambda case: sum(prod(batch.shape) for batch in case.batches))
    for convention, some in under_conventions(deviations):
        bench = Bench(convention)
        for deviation in some:
            clause = deviation.clause
            first = sorted(by_size, key=lambda case: clause not in case.clauses)
            if not any(catch.ratio > ROBUST for case in first for catch in bench.catches(case, [deviation])):
                yield (
                    f"deviation {deviation.name} is caught by no case: "
                    f"add one to {CATALOGUE}/ whose data show it (bnconform show CASE prints what a case catches)"
                )


def of_step_types(types: Iterable[type[Any]], table: Mapping[type[Any], Any], slugs: Collection[str]) -> Iterator[str]:
    """Step types without a line in the table of step types, or without a name in the schema of regressions."""
    for step in types:
        if step not in table:
            yield f"step type {step.__name__} is not in STEP_TYPES: add it in conformance/bn_conformance/cases/steps.py"
        elif table[step].slug not in slugs:
            yield (
                f"step type {step.__name__} is not in the schema of regressions: "
                f"add {table[step].slug!r} to {CATALOGUE}/regression.schema.json"
            )


def of_vectors(names: Collection[str], committed: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    """What the core set of vectors lacks, has too much, or has as a case was earlier.

    Args:
        names: the files that the cases make.
        committed: texts of the files that are there, by name.
        texts: what some of the files should hold, by name.
    """
    again = f"run `bnconform vectors export --core -o {VECTORS}`"
    for name in sorted(names):
        if name not in committed:
            yield f"the core set of vectors lacks {name}: {again}"
        elif name in texts and texts[name] != committed[name]:
            yield f"the vector {name} is not what its case makes now: {again}"
    for name in sorted(committed.keys() - set(names)):
        yield f"the core set of vectors has {name}, which no case makes: delete it in {VECTORS}/"


def missing() -> Iterator[str]:
    """Everything that is half added in this repository, as far as it shows without running a case."""
    cases, deviations = list(all_cases().values()), list(catalogue().values())
    yield from of_specification(specification(), clauses().keys())
    yield from of_clauses(clauses(), cases, deviations)
    yield from of_cases(cases, clauses().keys())
    yield from of_deviations(deviations, cases, clauses().keys())
    yield from of_deviation_modules(
        {path.stem: path.read_text() for path in (ROOT / DEVIATIONS).glob("*.py")}, deviations
    )
    yield from _of_adapters()
    yield from of_step_types({*STANDING, *BETWEEN}, STEP_TYPES, _slugs_of_the_schema())


def _of_adapters() -> Iterator[str]:
    """What is half added of the adapters of this repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    registered, defined = project["entry-points"][GROUP], dict(defined_adapters())
    folder = ROOT / "adapters"
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "adapters").glob("*.py")]
    yield from of_defined(defined, registered)
    yield from of_registered(registered, _installed(), modules, tests)
    yield from of_installing(defined.values(), project["optional-dependencies"])
    yield from of_readme(defined, (folder / "README.md").read_text(encoding="utf-8"))


def _installed() -> set[str]:
    from importlib.metadata import entry_points

    return {point.name for point in entry_points(group=GROUP)}


def _slugs_of_the_schema() -> set[str]:
    """Every `{"step": {"const": ...}}` of the schema of regressions."""
    text = files("bn_conformance.catalogue").joinpath("regression.schema.json").read_text(encoding="utf-8")
    found: set[str] = set()

    def collect(node: Any) -> Any:
        if isinstance(node, dict) and isinstance(node.get("step"), dict) and "const" in node["step"]:
            found.add(node["step"]["const"])
        return node

    json.loads(text, object_hook=collect)
    return found


def measured(cases: Iterable[Case], deviations: Iterable[Deviation]) -> Iterator[str]:
    """What is missing in the power of cases and in the catching of deviations."""
    yield from of_power(cases)
    for deviation in deviations:
        yield from of_catching([deviation], [all_cases()[case] for case in judged_cases()])


def _of_vectors(cases: Iterable[Case]) -> Iterator[str]:
    """What is missing in the core set of vectors; the vectors of these cases are made to look at what they hold."""
    pairs, named, goldens = list(core(all_cases().values())), {case.id for case in cases}, Goldens()
    texts = {
        file_name(case.id, convention): document_text(document(case, convention, goldens))
        for case, convention in pairs
        if case.id in named
    }
    committed = {path.name: path.read_text(encoding="utf-8") for path in core_folder().iterdir()}
    return of_vectors([file_name(case.id, convention) for case, convention in pairs], committed, texts)


def main(names: list[str]) -> int:
    """Print what is missing, and say how many pieces are."""
    try:
        deviations = [catalogue()[name] for name in names if name in catalogue()]
        ids = {id_: None for name in names if name not in catalogue() for id_ in select_cases((), (name,))}
        cases = [all_cases()[id_] for id_ in ids]
    except SelectionError as error:
        print(f"{error}; a deviation of that name is not there either (bnconform power lists them)")
        return 2
    lines = list(missing())
    try:
        lines += measured(cases, deviations)
    except BrokenDeviation as error:
        lines.append(str(error))
    lines += _of_vectors(cases)  # they come last, since they are made again when the data of a case are right
    print("\n".join(lines) if lines else "nothing is missing")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
