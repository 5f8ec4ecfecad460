"""Which layer of the source becomes which of the target: by a rule of the user's, by name, or by order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bn_conformance.convert.content import Key
from bn_conformance.convert.layers import Slots
from bn_conformance.text import counted, one_line
from bn_conformance.user_error import UserError

BY_RULE, BY_NAME, BY_ORDER = "rule", "name", "order"

SHOWN = 6
"""Names that an error lists."""


@dataclass(frozen=True)
class LayerPair:
    """A layer of the source, the layer of the target that it becomes, and what matched them."""

    source: Slots
    target: Slots
    how: str


@dataclass(frozen=True)
class Rule:
    """A name of the source and the one it becomes; each `*` of the new one is what the `*` of the old one stood for."""

    old: str
    new: str

    @classmethod
    def of(cls, text: str) -> Rule:
        """A rule as a user writes it, OLD=NEW.

        Raises:
            UserError: it has no equals sign, or NEW has more `*` than OLD.
        """
        old, equals, new = text.partition("=")
        if not equals or not old or not new or new.count("*") > old.count("*"):
            raise UserError(f"{one_line(text, 80)!r} is no rule; write OLD=NEW, such as 'layer*.bn=block_*/norm'")
        return cls(old, new)

    def renamed(self, name: str) -> str:
        """The name under this rule; empty where it does not match."""
        match = re.fullmatch("(.*?)".join(map(re.escape, self.old.split("*"))), name)
        if match is None:
            return ""
        parts = self.new.split("*")
        return parts[0] + "".join(star + part for star, part in zip(match.groups(), parts[1:], strict=False))


def renamed_path(slots: Slots, rules: Sequence[Rule]) -> Key:
    """The path of a layer in a fresh file."""
    new = next((name for rule in rules if (name := rule.renamed(slots.name))), "")
    return tuple(re.split(r"[/.]", new)) if new else slots.path


def pairs_of(sources: Sequence[Slots], targets: Sequence[Slots], rules: Sequence[Rule]) -> list[LayerPair]:
    """The pairs: first by the rules, then by equal names, then, where names say nothing, by order.

    Raises:
        UserError: a layer has no partner, or one of another size.
    """
    ruled = _by_rules(sources, targets, rules)
    left = [slots for slots in sources if slots not in [pair.source for pair in ruled]]
    free = [slots for slots in targets if slots not in [pair.target for pair in ruled]]
    pairs = ruled + (_by_name(left, free) or _by_order(left, free))
    for pair in pairs:
        if pair.source.channels != pair.target.channels:
            sizes = f"{pair.source.channels} channels, and {pair.target.name} has {pair.target.channels}"
            raise UserError(
                one_line(f"{pair.source.name} has {sizes} (matched by {pair.how}); name its partner with --rename", 600)
            )
    order = list(sources)
    return sorted(pairs, key=lambda pair: order.index(pair.source))


def _by_rules(sources: Sequence[Slots], targets: Sequence[Slots], rules: Sequence[Rule]) -> list[LayerPair]:
    """The pairs that rules make.

    Raises:
        UserError: a rule matches no layer, names no layer of the target, or two layers become one.
    """
    by_name = {_spelled(slots.path): slots for slots in targets}
    pairs: list[LayerPair] = []
    for rule in rules:
        hit = [slots for slots in sources if rule.renamed(slots.name)]
        if not hit:
            raise UserError(one_line(f"no layer is called {rule.old}; there are {_listed(sources)}", 600))
        for slots in hit:
            new = rule.renamed(slots.name)
            partner = by_name.get(_spelled(tuple(re.split(r"[/.]", new))))
            if partner is None:
                raise UserError(one_line(f"the target has no layer {new}; it has {_listed(targets)}", 600))
            if partner in [pair.target for pair in pairs]:
                raise UserError(one_line(f"two layers become {partner.name}; give each --rename its own NEW", 600))
            if slots not in [pair.source for pair in pairs]:
                pairs.append(LayerPair(slots, partner, BY_RULE))
    return pairs


def _by_name(sources: Sequence[Slots], targets: Sequence[Slots]) -> list[LayerPair]:
    """The pairs of equal names, where each layer of the source has one; what all names of a side share may differ."""
    for spell in (lambda side: [slots.path for slots in side], _without_common):
        names = dict(zip(map(_spelled, spell(targets)), targets, strict=True))
        keys = [_spelled(path) for path in spell(sources)]
        if len(names) == len(targets) and len(set(keys)) == len(keys) and all(key in names for key in keys):
            return [LayerPair(slots, names[key], BY_NAME) for slots, key in zip(sources, keys, strict=True)]
    return []


def _without_common(side: Sequence[Slots]) -> list[Key]:
    """The paths without the first parts that all share; the last part always stays."""
    paths = [slots.path for slots in side]
    common = 0
    while paths and all(len(path) > common + 1 for path in paths) and len({path[common] for path in paths}) == 1:
        common += 1
    return [path[common:] for path in paths]


def _spelled(path: Key) -> str:
    """A path as it is compared: frameworks write the same name with points, slashes or underscores."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join(path).lower()).strip("_")


def _by_order(sources: Sequence[Slots], targets: Sequence[Slots]) -> list[LayerPair]:
    """The pairs of equal places.

    Raises:
        UserError: one side has more layers than the other.
    """
    if len(sources) != len(targets):
        counts = f"{counted(len(sources), 'layer')} and {len(targets)} of the target"
        raise UserError(
            one_line(
                f"{counts} cannot be matched by name or by order; choose with --pattern, or name partners with "
                f"--rename OLD=NEW (source: {_listed(sources)}; target: {_listed(targets)})",
                900,
            )
        )
    return [LayerPair(a, b, BY_ORDER) for a, b in zip(sources, targets, strict=True)]


def _listed(side: Sequence[Slots]) -> str:
    names = [f"{one_line(slots.name, 60)} ({slots.channels})" for slots in side[:SHOWN]]
    return (", ".join(names) or "none") + (f" and {len(side) - SHOWN} more" if len(side) > SHOWN else "")
