"""What a check advises goes with its diagnosis: neither denies the other."""

from __future__ import annotations

from bn_conformance.commands.checking import advice_line
from bn_conformance.probe.advice import Advice
from bn_conformance.results.records import Diagnosis

ADVICE = Advice({"running_variance": "biased"}, 3, 5)


def diagnosis(message: str, *deviations: str) -> Diagnosis:
    return Diagnosis(implementation="mine", deviations=deviations, message=message, confident=False, examined=1)


def test_a_choice_is_what_the_diagnosis_left_open() -> None:
    line = advice_line("mine", ADVICE, [diagnosis("No known deviation explains it: ...")])
    assert line.startswith("mine: what the diagnosis left open may be a choice. It matches running_variance=biased")


def test_a_choice_beside_a_deviation_needs_no_word() -> None:
    line = advice_line("mine", ADVICE, [diagnosis("y-unbiased: ...", "y-unbiased")])
    assert line.startswith("mine matches running_variance=biased")


def test_a_choice_that_the_diagnosis_names_is_not_denied() -> None:
    named = diagnosis("running-var-biased: ...; if that is meant, declare running_variance='biased'.", "x")
    assert "no other choice" not in advice_line("mine", None, [named])
    assert "no other choice" in advice_line("mine", None, [diagnosis("y-unbiased: ...", "y-unbiased")])
