"""What a user says of code: names of roles and values of arguments, as choices of a target."""

from __future__ import annotations

import pytest

from bn_conformance.commands.subject import target_of
from bn_conformance.targets.naming import TargetError, code_and_choices
from bn_conformance.targets.said import Said, as_choices, divided, spelled
from bn_conformance.targets.wrappers import wrapped_adapter


def test_names_and_arguments_are_told_from_the_convention() -> None:
    choices = ["running_variance=biased", "name.weight=gamma", "argument.num_dims=4"]
    assert divided(choices) == (["running_variance=biased"], Said({"weight": "gamma"}, {"num_dims": 4}))


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("1e-3", 1e-3), ("None", None), ("(1, 3)", (1, 3)), ("relu", "relu"), ("__import__('os')",) * 2],
)
def test_a_value_is_what_its_text_spells_and_is_never_run(text: str, value: object) -> None:
    assert divided([f"argument.value={text}"])[1].arguments == {"value": value}


def test_what_python_says_comes_through_a_target() -> None:
    values = {"num_dims": 4, "act": None, "shape": (1, 3), "mode": "batch", "scale": 1e20, "dim2": 2}
    target = target_of("layers.py:Norm", "torch-module", ["running_variance=biased"], ["bias=b"], spelled(values))
    code, choices = code_and_choices(target)
    assert code == "torch-module=layers.py:Norm"
    assert divided(choices)[1] == Said({"bias": "b"}, values)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("name.wheight=gamma", "there is no role 'wheight'; did you mean weight"),
        ("name.weight", "--name weight says nothing; write --name weight=gamma"),
        ("argument.=4", "--argument =4 says nothing; write --argument num_dims=4"),
    ],
)
def test_what_says_nothing_is_refused(choice: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        divided([choice])


def test_a_role_has_one_name() -> None:
    with pytest.raises(TargetError, match="--name weight is given twice"):
        divided(["name.weight=gamma", "name.weight=scale"])


def test_a_value_that_no_target_can_hold_is_refused() -> None:
    with pytest.raises(TargetError, match="give a number, a text"):
        spelled({"activation": object()})
    with pytest.raises(TargetError, match="plus sign"):
        as_choices(arguments=["mode=a+b"])


def test_a_kind_that_takes_no_names_says_so() -> None:
    with pytest.raises(TargetError, match="command takes neither --name nor --argument"):
        wrapped_adapter("command=node bn.js+name.weight=gamma")
