"""The set of cases: every clause is tested, ids spell their axes, data are the same bits everywhere."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Literal

import pytest
from tests.support.good_numpy import EVERYTHING
from tests.support.judge_layers import supported

from bn_conformance.cases.recipes import DATA_KINDS, DataRecipe
from bn_conformance.catalogue import all_cases
from bn_reference.specification.clauses import clauses, families, specification
from bn_reference.specification.convention import CHOICES, Convention, Standing

CAPABLE = replace(EVERYTHING, saved_statistics=frozenset({"forward", "backward"}), original=True)
"""All that can be declared."""


def test_every_clause_is_the_deciding_one_or_tested_by_a_case() -> None:
    tested = {clause for case in all_cases().values() for clause in case.clauses}
    assert tested == clauses().keys()


def test_every_clause_that_must_hold_is_tested_in_a_plain_case() -> None:
    tested = {clause for case in supported(replace(CAPABLE, compiles=True)) for clause in case.clauses}
    assert clauses().keys() - tested <= {"LAYOUT-4", "NUM-8", "STATE-5", "STATE-7"}, (
        "sweeps over sizes alone may be left out"
    )


def test_ids_spell_family_layout_format_and_variant() -> None:
    spelled = re.compile(r"[a-z]+/n[a-z0-9-]+/(b?float\d\d)(-p-float(32|64))?/[a-z0-9+.-]+")
    assert [case_id for case_id in all_cases() if not spelled.fullmatch(case_id)] == []


def test_a_case_belongs_to_a_family_of_the_specification() -> None:
    for case in all_cases().values():
        assert case.family in families(), case.id
        assert case.id.startswith(case.family.lower() + "/")
        assert case.axes["dtype"] == case.id.split("/")[2]


def test_a_capable_implementation_gets_every_case() -> None:
    assert len(supported(CAPABLE)) == len(all_cases())
    assert 3500 <= len(supported(CAPABLE)) <= 4500


def test_a_compiling_implementation_gets_few_signatures() -> None:
    cases = supported(replace(EVERYTHING, compiles=True))
    assert len(cases) >= 600
    computed = [case for case in cases if case.expects != "refusal"]  # what is refused is not compiled
    compiled = {
        (batch.shape, case.config.dtype, case.config.parameter_dtype, case.config.channel_axis)
        for case in computed
        for batch in case.batches
    }
    assert len(compiled) <= 33


def test_what_compiles_gets_every_variant_in_every_pair_of_formats_in_one_layout_at_least() -> None:
    def variants(*layouts: Literal["first", "last", "between"], compiles: bool) -> set[tuple[str, ...]]:
        cases = supported(replace(EVERYTHING, compiles=compiles, layouts=frozenset(layouts)))
        images = (case for case in cases if len(case.config.reduced_axes) == 3 and not case.sweep)
        return {(case.family, case.axes["dtype"], case.id.split("/")[3]) for case in images}

    assert variants("first", "last", compiles=True) == variants("first", "last", compiles=False)
    assert variants("first", compiles=True) == variants("first", compiles=False)
    assert variants("last", compiles=True) == variants("last", compiles=False)


PINNED = {
    "normal": ("00deda716398cbc2", "dfa5e4429cf3a992"),
    "beside": ("d126b83994156fd1", "4447412f4c6814d0"),
    "centred": ("2fe75b3089cf118d", "cbe9e168dbae101b"),
    "alike": ("b3eca81dc5eb1206", "f5c0cc23d9300578"),
    "positive": ("2f0aa378f0edfe92", "2853b8ff2ac75608"),
    "constant": ("845ef71fa52668bd", "2380ea2605c1eeee"),
    "fill": ("2929b74c27bec17f", "11ab62c0e82a7d49"),
    "plus-minus": ("e7fbc75295560e9f", "9fce49c327db6c6b"),
    "plus-minus-fan": ("45638187bda8602b", "1a7e1f6e37d61092"),
    "alternating": ("d26f018eb0287a86", "ea858c9fd929e030"),
    "integers": ("1c13d93692b9e691", "53c2e051ad2efbce"),
    "mixed-scales": ("a1c5ce6bdf621934", "0350000838811449"),
    "outlier": ("d8eadc28b4e37949", "f890203dd9f7459d"),
    "seams": ("d6810a916a754135", "1ff43dbfd31a1750"),
    "unlike": ("59d95c89126acca4", "c60dd89fe03903bf"),
    "special": ("449ac54b86cd94ed", "21a5be828df617cc"),
    "signed-zeros": ("b493ab77202acaa4", "2e3c8e08e32c2597"),
    "network": ("56a39936a3e667c2", "95843a52d8bfc83b"),
}


def digest(kind: str, dtype: str) -> str:
    recipe = DataRecipe(kind=kind, seed=5, offset=0.75, scale=1.5)
    data = recipe.tensor((4, 3, 5), 1, dtype)
    return hashlib.sha256(data.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("kind", DATA_KINDS)
def test_recipes_are_the_same_bits_everywhere(kind: str) -> None:
    assert (digest(kind, "float32"), digest(kind, "bfloat16")) == PINNED[kind]


def test_a_recipe_gives_every_layout_the_same_rows() -> None:
    recipe = DataRecipe(kind="normal", seed=1)
    first, last = recipe.tensor((4, 3, 5), 1, "float32"), recipe.tensor((4, 5, 3), 2, "float32")
    assert first.transpose(0, 2, 1).tobytes() == last.tobytes()


def test_the_specification_and_the_code_list_the_same_conventions() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| ?(.*?) ?\|$", specification(), re.MULTILINE)
    written = {
        name: {Standing.STANDARD: re.findall(r"`(.+?)`", good), Standing.NONSTANDARD: re.findall(r"`(.+?)`", odd)}
        for name, good, odd in rows
    }
    for name, choices in CHOICES.items():
        for standing in Standing:
            listed = [str(value) for value, choice in choices.items() if choice.standing is standing]
            assert sorted(written[name][standing]) == sorted(listed), (name, standing)
    assert written.keys() == Convention().to_json().keys()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("running_variance", "none"),
        ("initial_running_variance", 0.5),
        ("default_eps", 0.0),
        ("eps_in_inference", False),
    ],
)
def test_what_is_not_declarable_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{field} is "):
        Convention(**{field: value})  # type: ignore[arg-type]
