"""Which layer becomes which: rules first, then names, then order; what does not fit is one line."""

from __future__ import annotations

import pytest

from bn_conformance.convert.layers import Slots, natural
from bn_conformance.convert.pairing import BY_NAME, BY_ORDER, BY_RULE, Rule, pairs_of, renamed_path
from bn_conformance.user_error import UserError


def side(*names: str, channels: int = 4) -> list[Slots]:
    return [Slots(tuple(name.split(".")), {}, channels) for name in names]


def paired(sources: list[Slots], targets: list[Slots], *rules: str) -> list[tuple[str, str, str]]:
    pairs = pairs_of(sources, targets, [Rule.of(text) for text in rules])
    return [(pair.source.name, pair.target.name, pair.how) for pair in pairs]


def test_equal_names_match_in_any_spelling_and_order() -> None:
    found = paired(side("layer1.bn1", "Layer2.bn1"), side("layer2_bn1", "layer1_bn1"))
    assert found == [("layer1.bn1", "layer1_bn1", BY_NAME), ("Layer2.bn1", "layer2_bn1", BY_NAME)]


def test_what_all_names_of_a_side_share_may_differ() -> None:
    found = paired(side("module.net.a", "module.net.b"), side("state.b", "state.a"))
    assert found == [("module.net.a", "state.a", BY_NAME), ("module.net.b", "state.b", BY_NAME)]


def test_the_target_may_have_more_layers_where_names_match() -> None:
    assert paired(side("a", "b"), side("head", "b", "a")) == [("a", "a", BY_NAME), ("b", "b", BY_NAME)]


def test_names_that_say_nothing_match_by_order() -> None:
    assert paired(side("bn1", "bn2"), side("x", "y")) == [("bn1", "x", BY_ORDER), ("bn2", "y", BY_ORDER)]


def test_a_rule_goes_first_and_the_rest_is_matched_without_it() -> None:
    found = paired(side("layer1.bn", "stem"), side("stem", "block_1.norm"), "layer*.bn=block_*/norm")
    assert found == [("layer1.bn", "block_1.norm", BY_RULE), ("stem", "stem", BY_NAME)]


@pytest.mark.parametrize(
    ("sources", "targets", "rules", "words"),
    [
        (side("a", "b"), side("x"), (), "2 layers and 1 of the target cannot be matched by name or by order"),
        (side("a"), side("a", channels=6), (), "a has 4 channels, and a has 6 (matched by name)"),
        (side("a"), side("x", channels=6), (), "a has 4 channels, and x has 6 (matched by order)"),
        (side("a"), side("a"), ("b=a",), "no layer is called b; there are a (4)"),
        (side("a"), side("a"), ("a=c",), "the target has no layer c; it has a (4)"),
        (side("a", "b"), side("x", "y"), ("*=x",), "two layers become x"),
        (side("a"), side("a"), ("a",), "is no rule; write OLD=NEW"),
        (side("a"), side("a"), ("a=b*",), "is no rule; write OLD=NEW"),
    ],
)
def test_what_does_not_fit_is_one_line(
    sources: list[Slots], targets: list[Slots], rules: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError) as raised:
        paired(sources, targets, *rules)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_fresh_file_takes_the_names_of_rules() -> None:
    (bn,) = side("layer1.bn")
    assert renamed_path(bn, [Rule.of("layer*.bn=net/norm_*")]) == ("net", "norm_1")
    assert renamed_path(bn, [Rule.of("other=x")]) == ("layer1", "bn")


def test_numbers_in_names_are_ordered_as_numbers() -> None:
    names = [("bn_10",), ("bn_2",), ("bn",), ("bn_2", "a")]
    assert sorted(names, key=natural) == [("bn",), ("bn_2",), ("bn_2", "a"), ("bn_10",)]
