"""What became of conditional mutants, for a reader: the survivors with what would have shown them, and the counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bn_conformance.mutation.attack import MOST_COUNTED, Fate
from bn_conformance.mutation.explained import explanation_of
from bn_conformance.text import counted


@dataclass(frozen=True)
class Attacked:
    """The result of an attack.

    Attributes:
        fates: of all mutants, in the order in which they were drawn.
        seed: of the draw.
        cases: how many there were.
        seconds: how long it took.
    """

    fates: tuple[Fate, ...]
    seed: int
    cases: int
    seconds: float

    @property
    def survivors(self) -> list[Fate]:
        """The mutants that no case catches, though one could."""
        return [fate for fate in self.fates if fate.survives]

    @property
    def within(self) -> list[Fate]:
        """The mutants that act within the bounds alone: their error passes, at the level that is told."""
        return [fate for fate in self.fates if fate.is_within]

    @property
    def unexplained(self) -> list[Fate]:
        """The survivors that call for a case: no reason is on record."""
        return [fate for fate in self.survivors if not explanation_of(fate.mutant)]

    @property
    def acting(self) -> int:
        """How many mutants act somewhere; the survivors are a share of these."""
        return sum(not fate.is_idle for fate in self.fates)

    @property
    def caught(self) -> int:
        """How many mutants some case catches."""
        return sum(bool(fate.caught_by) for fate in self.fates)


def attacked_text(attacked: Attacked) -> str:
    """The survivors with their reasons, what acts within the bounds, and a summary."""
    lines = []
    for fate in attacked.survivors:
        lines += [f"SURVIVES {fate.mutant.text}", f"  would be shown by: {fate.shown_by}", f"  why: {reason_of(fate)}"]
        explanation = explanation_of(fate.mutant)
        lines += [f"  explained: {explanation}"] if explanation else []
    for fate in attacked.within:
        lines += [f"WITHIN THE BOUNDS {fate.mutant.text}", f"  why: {reason_of(fate)}"]
    return "\n".join([*lines, *([""] if lines else []), *_summary(attacked)])


def reason_of(fate: Fate) -> str:
    """Why no case catches a mutant, measured."""
    if not fate.survives:
        return _of_condition(fate)
    many = fate.catching >= MOST_COUNTED
    catch = f"{counted(fate.catching, 'case')} {'catches' if fate.catching == 1 else 'catch'}"
    return f"{_of_condition(fate)}; {'at least ' * many}{catch} the deviation itself, none under this condition"


def _of_condition(fate: Fate) -> str:
    if not fate.tried:
        return "no input was found that meets the condition"
    met = f"{fate.tried} inputs" if fate.tried > 1 else "one input"
    met += " that meet the condition" if fate.tried > 1 else " that meets the condition"
    where = "the others" if fate.shown_by else "them"
    if not fate.acts_in:
        if fate.shown_by and fate.tried == 1:
            return "no case meets the condition; the one above is made for it"
        return f"{met}; on {where} it gives what the reference layer gives, bit for bit"
    worst = f"{fate.ratio:.2g} times what tight allows ({fate.level})"
    return f"{met}; on {where} its error is at most {worst}, in {fate.acts_in}"


def attacked_markdown(attacked: Attacked) -> str:
    """The survivors and what acts within the bounds as a Markdown table, and a summary."""
    rows = ["| deviation | where | would be shown by | why | explained |", "|---|---|---|---|---|"]
    told = [*attacked.survivors, *attacked.within]
    for fate in told:
        mutant, explanation = fate.mutant, explanation_of(fate.mutant)
        reason = explanation or ("" if fate.survives else "within the bounds")
        cells = mutant.deviation, mutant.where.text, fate.shown_by, reason_of(fate), reason
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join([*(rows if told else []), "", *_summary(attacked)]).lstrip()


def attacked_json(attacked: Attacked) -> str:
    """What became of every mutant, as a JSON document."""
    document = {
        "seed": attacked.seed,
        "cases": attacked.cases,
        "seconds": round(attacked.seconds, 3),
        "caught": attacked.caught,
        "idle": _idle(attacked),
        "by_conditions": {width: _of_width(attacked, width) for width in (1, 2)},
        "survivors": [_as_data(fate) for fate in attacked.survivors],
        "within_bounds": [_as_data(fate) for fate in attacked.within],
        "mutants": {fate.mutant.text: fate.caught_by for fate in attacked.fates if fate.caught_by},
    }
    return json.dumps(document, indent=2)


def _as_data(fate: Fate) -> dict[str, Any]:
    explanation = explanation_of(fate.mutant)
    return {
        "deviation": fate.mutant.deviation,
        "where": fate.mutant.where.text,
        "shown_by": fate.shown_by,
        "why": reason_of(fate),
        "catching": fate.catching or None,
        "ratio": fate.ratio if fate.acts_in else None,
        "explained": explanation or None,
    }


def _idle(attacked: Attacked) -> int:
    return len(attacked.fates) - attacked.acting


def _of_width(attacked: Attacked, width: int) -> tuple[int, int]:
    """How many mutants with so many conditions survive, and how many act.

    A mutant with two conditions is a triple at least, since its deviation has a circumstance of its own: no list of
    cases has all triples.
    """
    acting = [fate for fate in attacked.fates if not fate.is_idle and len(fate.mutant.where.conditions) == width]
    return sum(fate.survives for fate in acting), len(acting)


def _summary(attacked: Attacked) -> Sequence[str]:
    count, surviving, acting = len(attacked.fates), len(attacked.survivors), attacked.acting
    share = f"{surviving / acting:.1%}" if acting else "none"
    (one, of_one), (two, of_two) = _of_width(attacked, 1), _of_width(attacked, 2)
    return (
        f"{count} conditional mutants (seed {attacked.seed}) on {attacked.cases} cases in {attacked.seconds:.0f} s",
        f"caught: {attacked.caught} of the {acting} that act; {_idle(attacked)} never act under their condition",
        f"within the bounds: {len(attacked.within)} act with errors that pass, at the level that is told",
        f"surviving under one condition: {one} of {of_one} that act; under two together: {two} of {of_two}",
        f"surviving: {surviving} ({share}), of them {len(attacked.unexplained)} without an explanation on record",
    )
