"""What is half added: names the next missing piece of a clause, a case, a deviation, an adapter or a step type.

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

from bn_conformance.cases.model import Case
from bn_conformance.cases.steps import BETWEEN, STANDING, STEP_TYPES
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.implementations.registry import GROUP
from bn_conformance.mutation.bench import Bench, under_conventions
from bn_conformance.mutation.case_power import is_circumstance, power_of
from bn_conformance.mutation.catch import ROBUST
from bn_conformance.mutation.power import judged_cases
from bn_reference.deviations import Deviation, catalogue
from bn_reference.specification.clauses import clauses, specification

ROOT = Path(__file__).parents[2]
CATALOGUE = "conformance/bn_conformance/catalogue"
DEVIATIONS = "reference/bn_reference/deviations"


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
            yield f"clause {clause} has no case: add a line to {module} (or write a family module)"
        if clause not in broken and not is_circumstance(clause):
            yield (
                f"clause {clause} has no deviation, so no case can show that it is broken: "
                f"write one with clause={clause!r} in {DEVIATIONS}/"
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
                broken = ", ".join(claim.missed[:3]) or "there are none"
                yield (
                    f"case {case.id} has no power for {claim.clause} (it catches none of its deviations: {broken}): "
                    "change its data until it does, or drop the claim"
                )


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
            yield f"{name} is caught by no case: none claims {deviation.clause}; add a case to {CATALOGUE}/"


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


def of_adapters(
    registered: Mapping[str, str], installed: Collection[str], modules: Mapping[str, str], tests: Iterable[str]
) -> Iterator[str]:
    """Adapters that are registered without a class or a test, or not installed since.

    Args:
        registered: targets (`module:Class`) by name, as pyproject.toml has them.
        installed: names that the environment knows.
        modules: texts of the adapters' modules, by dotted name.
        tests: texts of the tests of adapters.
    """
    tested = "\n".join(tests)
    for name, target in registered.items():
        module, _, cls = target.partition(":")
        path = f"adapters/{module.replace('.', '/')}.py"
        if module not in modules:
            yield f"adapter {name} has no module: write {path}, or mend its line in pyproject.toml"
        elif f"class {cls}(" not in modules[module]:
            yield f"adapter {name} has no class {cls} in {path}: write it, or mend its line in pyproject.toml"
        elif not re.search(rf"\b{cls}\b", tested):
            yield f"adapter {name} has no test: name {cls} in one under tests/adapters/"
        if name not in installed:
            yield f"adapter {name} is registered and not installed: run `make install` after `touch pyproject.toml`"


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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    modules = {
        ".".join(path.relative_to(ROOT / "adapters").with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in (ROOT / "adapters").rglob("*.py")
    }
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "adapters").glob("*.py")]
    yield from of_adapters(project["entry-points"][GROUP], _installed(), modules, tests)
    yield from of_step_types({*STANDING, *BETWEEN}, STEP_TYPES, _slugs_of_the_schema())


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


def measured(names: Iterable[str]) -> Iterator[str]:
    """What is missing in the power of cases (given by pattern) and in the catching of deviations (given by name).

    Raises:
        SelectionError: a name is neither.
    """
    for name in names:
        if name in catalogue():
            yield from of_catching([catalogue()[name]], [all_cases()[case] for case in judged_cases()])
        else:
            yield from of_power(all_cases()[case] for case in select_cases((), (name,)))


def main(names: list[str]) -> int:
    """Print what is missing, and say how many pieces are."""
    try:
        lines = [*missing(), *measured(names)]
    except SelectionError as error:
        print(f"{error}; a deviation of that name is not there either (bnconform power lists them)")
        return 2
    print("\n".join(lines) if lines else "nothing is missing")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
