"""The check that names the next missing piece: nothing is missing, and each kind of half-added piece is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from tests.measure import missing
from tests.measure.missing import (
    main,
    of_cases,
    of_catching,
    of_clauses,
    of_deviation_modules,
    of_deviations,
    of_power,
    of_specification,
    of_step_types,
    of_vectors,
)
from tests.measure.missing_of_adapters import of_defined, of_installing, of_readme, of_registered

from bn_conformance.adapter import Adapter, Convention, Layer, LayerConfig
from bn_conformance.cases.model import Freeze
from bn_conformance.cases.steps import STEP_TYPES
from bn_conformance.catalogue import all_cases
from bn_reference.deviations import Deviation, catalogue

RANDOM = all_cases()["grad/nc/float32/random"]
DEVIATION = catalogue()["dx-without-mean-term"]


def only(lines: Iterable[str]) -> str:
    (line,) = lines
    return line


def test_nothing_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == "nothing is missing\n"


@pytest.mark.parametrize("line", ["- **FWD-9** MUSTN'T: y is", "**FWD-9** MUST: y is", "- FWD-9 MUST: y is"])
def test_a_clause_that_is_not_read_as_one(line: str) -> None:
    assert "SPEC.md has FWD-9, but not as a clause" in only(of_specification(f"## FWD: x\n\n{line}\n", {"FWD-1"}))
    assert list(of_specification("- **FWD-9** MUST: y is\n", {"FWD-9"})) == []


def test_a_clause_without_a_case() -> None:
    new = replace(DEVIATION, clause="GRAD-9")
    line = only(of_clauses(["GRAD-1", "GRAD-9"], [RANDOM], [DEVIATION, new]))
    assert line.startswith(
        "clause GRAD-9 has no case: add one to cases() of conformance/bn_conformance/catalogue/grad.py"
    )


def test_a_clause_without_a_deviation() -> None:
    case = replace(RANDOM, clauses=("GRAD-1", "GRAD-9"))
    assert "clause GRAD-9 has no deviation" in only(of_clauses(["GRAD-1", "GRAD-9"], [case], [DEVIATION]))


def test_a_clause_of_circumstances_needs_no_deviation_of_its_own() -> None:
    assert list(of_clauses(["LAYOUT-5"], [replace(RANDOM, clauses=("LAYOUT-5",))], [])) == []


def test_a_case_of_a_clause_that_does_not_exist() -> None:
    case = replace(RANDOM, clauses=("GRAD-1", "GRAD-9"))
    assert "claims GRAD-9, which is no clause" in only(of_cases([case], {"GRAD-1"}))


def test_a_case_without_power() -> None:
    weak = replace(all_cases()["fwd/nc/float32/eps-0.25"], clauses=("GRAD-1",))
    line = only(of_power([weak]))
    assert "fwd/nc/float32/eps-0.25 has no power for GRAD-1: it catches no deviation that breaks it (error" in line
    assert list(of_power([replace(RANDOM, clauses=("GRAD-1",))])) == []


@pytest.mark.parametrize(
    ("half", "says"),
    [
        (replace(DEVIATION, sentence=""), "has no sentence"),
        (replace(DEVIATION, effect=""), "has no effect"),
        (replace(DEVIATION, clause=""), "breaks no clause"),
        (replace(DEVIATION, clause="GRAD-9"), "breaks GRAD-9, which is no clause"),
        (
            replace(DEVIATION, clause="GRAD-4"),
            "breaks GRAD-4, which no case claims: see with `bnconform power dx-without-mean-term`",
        ),
    ],
)
def test_half_a_deviation(half: Deviation, says: str) -> None:
    ids = {"GRAD-1", "GRAD-2", "GRAD-3", "GRAD-4"}
    assert says in only(of_deviations([half], [RANDOM], ids))
    assert list(of_deviations([DEVIATION], [RANDOM], ids)) == []


def test_a_module_of_deviations_that_is_not_in_the_catalogue() -> None:
    text = 'import x\n\n@deviation(\n    "new",\n'
    assert "deviations/new.py is not in the catalogue" in only(of_deviation_modules({"new": text}, [DEVIATION]))
    assert list(of_deviation_modules({DEVIATION.group: text, "helper": "import x"}, [DEVIATION])) == []


def test_a_deviation_that_no_case_catches() -> None:
    blind = all_cases()["fwd/nc/float32/eps-0.25"]
    assert "dx-without-mean-term is caught by no case" in only(of_catching([DEVIATION], [blind]))
    assert list(of_catching([DEVIATION], [blind, RANDOM])) == []


@pytest.mark.parametrize(
    ("modules", "tests", "installed", "says"),
    [
        ({}, ["New"], {"new"}, "has no module: write adapters/bn_adapters/new.py"),
        ({"bn_adapters.new": "class Old(Adapter):"}, ["New"], {"new"}, "has no class New"),
        ({"bn_adapters.new": "class New(Adapter):"}, ["Newer"], {"new"}, "has no test"),
        ({"bn_adapters.new": "class New(Adapter):"}, ["New"], set(), "is registered and not installed"),
    ],
)
def test_half_an_adapter(modules: dict[str, str], tests: list[str], installed: set[str], says: str) -> None:
    registered = {"new": "bn_adapters.new:New"}
    assert says in only(of_registered(registered, installed, modules, tests))
    whole = {"bn_adapters.new": "class New(Adapter):"}
    assert list(of_registered(registered, {"new"}, whole, ["import New"])) == []


class New(Adapter):
    """An adapter that nothing else knows of."""

    name = "new"
    install = "pip install 'bnconform[new,old]'"
    convention = Convention()

    def build(self, config: LayerConfig) -> Layer:
        raise NotImplementedError


def test_an_adapter_that_is_not_registered() -> None:
    line = only(of_defined({"bn_adapters.new:New": New}, {"old": "bn_adapters.new:Old"}))
    assert line.startswith('adapter new is not registered: add "new" = "bn_adapters.new:New" to [project.entry-points.')
    assert list(of_defined({"bn_adapters.new:New": New}, {"new": "bn_adapters.new:New"})) == []


@pytest.mark.parametrize(
    ("extras", "says"),
    [
        ({"old": [], "frameworks": ["bnconform[new,old]"]}, "the extra new, which is not there: add new = "),
        ({"new": [], "old": [], "frameworks": ["bnconform[old,newer]"]}, "new, which the extra frameworks leaves out"),
    ],
)
def test_an_adapter_whose_extra_is_missing(extras: dict[str, list[str]], says: str) -> None:
    assert says in only(of_installing([New], extras))
    assert list(of_installing([New], {"new": [], "old": [], "frameworks": ["bnconform[new,old]"]})) == []


def test_an_adapter_that_does_not_say_what_installs_it() -> None:
    silent = type("Silent", (New,), {"install": ""})
    assert "write the command into Silent.install" in only(of_installing([silent], {"frameworks": []}))


def test_an_adapter_that_the_readme_does_not_name() -> None:
    targets = ["bn_adapters.new:New", "bn_adapters.new:Newer"]
    assert "adapters/README.md does not name `new.py`" in only(of_readme(targets, "| `newer.py` | ..."))
    assert list(of_readme(targets, "| `new.py` | ...")) == []


@pytest.mark.parametrize(
    ("committed", "says"),
    [
        ({"a.json": "1"}, "lacks b.json: run `bnconform vectors export --core -o "),
        ({"a.json": "1", "b.json": "2", "c.json": "3"}, "has c.json, which no case makes: delete it"),
        ({"a.json": "1", "b.json": "3"}, "b.json is not what its case makes now: run"),
    ],
)
def test_vectors_that_are_not_made_again(committed: dict[str, str], says: str) -> None:
    assert says in only(of_vectors(["a.json", "b.json"], committed, {"b.json": "2"}))
    assert list(of_vectors(["a.json", "b.json"], {"a.json": "1", "b.json": "2"}, {"b.json": "2"})) == []


@dataclass(frozen=True)
class Thaw:
    """A step type that is in no table."""


def test_half_a_step_type() -> None:
    slugs = {kind.slug for kind in STEP_TYPES.values()}
    assert "Thaw is not in STEP_TYPES" in only(of_step_types([Freeze, Thaw], STEP_TYPES, slugs))
    assert "Freeze is not in the schema of regressions" in only(of_step_types([Freeze], STEP_TYPES, slugs - {"freeze"}))


def test_what_is_missing_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(missing, "of_cases", lambda *_: iter(["case x claims y"]))
    assert main([]) == 1
    assert capsys.readouterr().out == "case x claims y\n"


def test_named_cases_and_deviations_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fwd/nc/float32/random", "y-unbiased"]) == 0
    assert main(["no-such-thing"]) == 2
    assert "no case matches 'no-such-thing'" in capsys.readouterr().out
