"""The digest of a case is that of its document, however it is made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.digest import digest_of
from bn_conformance.catalogue.document import case_to_json


def of_document(case: Case) -> str:
    told = {name: value for name, value in case_to_json(case).items() if name != "title"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, allow_nan=False).encode()).hexdigest()[:32]


def test_it_is_the_digest_of_the_text_of_the_document() -> None:
    for case in (*all_cases().values(), *large_cases().values()):
        assert digest_of(case) == of_document(case), case.id


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), -0.0, 1, 1e300])
def test_numbers_are_written_as_they_are(value: float) -> None:
    case = all_cases()["edge/nc/float32/nan-in-training"]
    step = case.batches[0]
    other = replace(case, steps=(replace(step, x=replace(step.x, kind="special", special=value, offset=value)),))
    assert digest_of(other) == of_document(other) != digest_of(case)


def test_a_title_an_id_and_axes_are_no_part_of_it() -> None:
    case = all_cases()["fwd/nc/float32/random"]
    assert digest_of(replace(case, title="another", id="another", axes={})) == digest_of(case)
    assert digest_of(replace(case, repeat=not case.repeat)) != digest_of(case)
