"""Vectors hold what the suite judges by, lose nothing, and say what they leave out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from bn_conformance.cases.model import Batch, Freeze
from bn_conformance.catalogue import all_cases
from bn_conformance.commands.vectors import export
from bn_conformance.judging.goldens import Goldens
from bn_conformance.vectors.files import core_folder, document_text, file_name, vector_schema, write_vectors
from bn_conformance.vectors.golden_document import document
from bn_conformance.vectors.hexfloat import parts, rounded_down, to_hex
from bn_conformance.vectors.named_conventions import NAMED, UnknownConvention, convention_name, convention_named
from bn_conformance.vectors.selection import CORE_VALUES, core, lacking, size_of
from bn_reference.arithmetic.quad import to_quad
from bn_reference.specification.clauses import clauses, families
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import TIGHT

RANDOM = "grad/nchw/float64/random"


def core_documents() -> list[tuple[str, dict[str, Any]]]:
    return [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(core_folder().glob("*.json"))]


def test_the_committed_core_set_is_what_the_code_makes(tmp_path: Path) -> None:
    made = {path.name: path.read_bytes() for path in write_vectors(core(all_cases().values()), tmp_path)}
    committed = {path.name: path.read_bytes() for path in core_folder().iterdir()}
    assert made.keys() == committed.keys(), (
        "run: bnconform vectors export --core -o reference/bn_reference/vectors/core"
    )
    assert [name for name in made if made[name] != committed[name]] == []


def test_the_core_set_covers_families_formats_and_conventions_and_stays_readable() -> None:
    pairs = list(core(all_cases().values()))
    assert {case.family for case, _ in pairs} == {case.family for case in all_cases().values() if not lacking(case)}
    assert {case.config.dtype for case, _ in pairs} == {"float16", "bfloat16", "float32", "float64"}
    assert {name for _, name in pairs} == set(NAMED)
    assert 60 <= len(pairs) <= 120
    assert max(size_of(case) for case, _ in pairs) <= CORE_VALUES
    assert sum(path.stat().st_size for path in core_folder().iterdir()) < 3_000_000
    assert families().keys() >= {case.family for case, _ in pairs}


@pytest.mark.slow
def test_every_core_vector_keeps_to_the_schema_and_is_named_after_its_case() -> None:
    validator = jsonschema.Draft202012Validator(vector_schema())
    for name, vector in core_documents():
        assert next(validator.iter_errors(vector), None) is None, name
        assert file_name(vector["case"], vector["convention"]["name"]) == name
        assert all(clause["text"] == clauses()[clause["id"]].text for clause in vector["clauses"])
        assert vector["convention"]["fields"].keys() == Convention().to_json().keys()


@pytest.mark.parametrize("broken", ["0.5", "0X1P+0", "0x1.80p+0", 1.0])
def test_the_schema_refuses_other_numbers(broken: object) -> None:
    vector = document(all_cases()[RANDOM], "torch", Goldens())
    vector["steps"][0]["x"]["values"][0] = broken
    assert next(jsonschema.Draft202012Validator(vector_schema()).iter_errors(vector), None) is not None


def test_inputs_are_the_bits_of_the_case_and_goldens_carry_more_than_binary64() -> None:
    case, goldens = all_cases()[RANDOM], Goldens()
    step = document(case, "torch", goldens)["steps"][0]
    x = np.array([float.fromhex(text) for text in step["x"]["values"]]).reshape(step["x"]["shape"])
    assert x.tobytes() == goldens.data(case).batches[0].x.tobytes()
    exact = (goldens.steps(case, Convention())[0].training or {})["dgamma"]
    written = step["expected"]["dgamma"]
    high, low = ([float.fromhex(text) for text in written[key]] for key in ("values", "low"))
    error = np.abs(to_quad(np.array(high)) + to_quad(np.array(low)) - exact.values)
    assert bool(np.all(error <= np.abs(exact.values) * 2.0**-105))
    assert any(low)
    bounds = to_quad(np.array([float.fromhex(text) for text in written["tight"]]))
    allowed = exact.bound(TIGHT).allowed
    assert bool(np.all((bounds <= allowed) & (bounds >= allowed * (1 - 2.0**-14))))


def test_a_vacuous_bound_is_null_and_a_golden_that_is_not_finite_too() -> None:
    vector = document(all_cases()["edge/nc/float32/nan-in-inference"], "torch", Goldens())
    y = vector["steps"][-1]["expected"]["y"]
    assert "nan" in y["values"]
    assert all((bound is None) == (value == "nan") for bound, value in zip(y["tight"], y["values"], strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.75, "0x1.8p-1"), (1.0, "0x1p+0"), (0.0, "0x0p+0"), (-0.0, "-0x0p+0"), (float("nan"), "nan"),
     (float("-inf"), "-inf"), (5e-324, "0x0.0000000000001p-1022"), (0.1, "0x1.999999999999ap-4")],
)  # fmt: skip
def test_numbers_as_text(value: float, text: str) -> None:
    assert to_hex(value) == text
    assert np.float64(float.fromhex(text)).tobytes() == np.float64(value).tobytes()


def test_bounds_are_rounded_down_also_below_a_power_of_two_and_among_subnormals() -> None:
    values = to_quad(np.array([1.0, 3.0, 0.1, 5e-324, 0.0])) - to_quad(np.array([2.0**-60, 0, 0, 0, 0]))
    down = rounded_down(values)
    assert bool(np.all(to_quad(down) <= values))
    assert down[0] < 1.0
    assert bool(np.all(to_quad(down[:3]) >= values[:3] * (1 - 2.0**-14)))
    assert down[4] == 0.0


def test_parts_of_what_is_not_finite_have_no_rest() -> None:
    high, low = parts(to_quad(np.array([np.nan, np.inf, -np.inf])))
    assert np.isnan(high[0])
    assert low.tolist() == [0.0, 0.0, 0.0]


def test_conventions_move_the_running_variance_and_nothing_else() -> None:
    case = all_cases()["layout/nc/float32/all"]
    torch, biased = (document(case, name, Goldens())["steps"][0] for name in ("torch", "biased"))
    assert torch["after"]["running_var"]["values"] != biased["after"]["running_var"]["values"]
    assert torch["after"]["running_mean"] == biased["after"]["running_mean"]
    assert torch["expected"] == biased["expected"]


def test_a_convention_by_name_changes_or_implementation() -> None:
    assert convention_named("torch+running_variance=biased") == NAMED["biased"]
    assert convention_named("textbook.numpy") == NAMED["textbook"]
    assert convention_name("", ["biased", "default_eps=0.001"]) == "biased+default_eps=0.001"
    assert (
        convention_named("torch+eps_in_running_variance=True+initial_running_variance=0").initial_running_variance == 0
    )
    for name in ("median", "torch+no_field=1", "torch+running_variance=median", "torch+default_eps=7"):
        with pytest.raises(UnknownConvention):
            convention_named(name)


@dataclass(frozen=True)
class Unheard:
    """A kind of step that nobody knows yet."""


@dataclass(frozen=True, kw_only=True)
class ColouredBatch(Batch):
    """A step with data that says more than the format does."""

    colour: int = 0


def test_what_the_format_does_not_say_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = all_cases()["fwd/nc/float32/random"]
    strange = replace(plain, id="fwd/nc/float32/strange", steps=(*plain.steps, Unheard()))  # type: ignore[arg-type]
    second = replace(plain, id="fwd/nc/float32/second", judges=plain.judges | {"ds_dx"})
    known = {case.id: case for case in (plain, strange, second)}
    monkeypatch.setattr("bn_conformance.commands.vectors.all_cases", lambda: known)
    monkeypatch.setattr("bn_conformance.catalogue.selection.all_cases", lambda: known)
    done = CliRunner().invoke(export, ["-o", str(tmp_path)])
    assert done.exit_code == 0
    said = done.stdout
    assert "1 case left out: the format does not say the step Unheard" in said
    assert "1 case left out: the format does not say the quantity ds_dx" in said
    assert [path.name for path in tmp_path.iterdir()] == ["fwd.nc.float32.random.json"]


def test_a_new_field_of_a_step_is_left_out_too() -> None:
    plain = all_cases()["fwd/nc/float32/random"]
    first = plain.batches[0]
    step = ColouredBatch(training=True, shape=first.shape, x=first.x, colour=1)
    assert lacking(replace(plain, steps=(step,))) == "the step ColouredBatch"
    assert lacking(replace(plain, band=True)) == "Case.band"
    assert lacking(replace(plain, steps=(Freeze(), first))) == ""


def test_text_keeps_a_list_of_numbers_on_one_line() -> None:
    assert document_text({"a": [1, 2], "b": [{"c": []}]}) == '{\n "a": [1, 2],\n "b": [\n  {\n   "c": []\n  }\n ]\n}\n'
