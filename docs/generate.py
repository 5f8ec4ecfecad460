"""The page of the site that is made from the code: the conventions, who declares them and what they do to numbers.

`docs/conf.py` calls it before every build.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from bn_conformance.conventions.effects import METHOD, convention_effects
from bn_conformance.text import plain
from bn_reference.specification.convention import CHOICES, Convention

BASELINE = Convention()
OTHER_DEFAULTS: dict[str, Any] = {"default_momentum": 0.01, "default_eps": 1e-3}
"""Choices that are numbers have no list of values; these are examples of another default."""


def write_conventions(folder: Path) -> None:
    """Write `conventions.md` into the folder; a file that would not change is left alone."""
    text = "\n".join([*_choices(), *_declared()]) + "\n"
    path = folder / "conventions.md"
    folder.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _choices() -> Iterable[str]:
    """A section for every choice: its values, and what another value than the baseline's does."""
    yield "## The choices and their effects\n"
    yield f"The baseline is the convention of `torch.nn`. {METHOD}\n"
    for field in fields(Convention):
        yield f"### {field.name}\n"
        if field.name in CHOICES:
            yield from _table(
                ("value", "standing", "meaning"),
                (
                    (f"`{plain(value)}`", choice.standing.value, choice.meaning)
                    for value, choice in CHOICES[field.name].items()
                ),
            )
        else:
            yield "A number, or none where there is no default. The baseline has " + (
                f"`{plain(getattr(BASELINE, field.name))}`.\n"
            )
        for value in _others(field.name):
            for effect in convention_effects(asdict(BASELINE), asdict(BASELINE) | {field.name: value}):
                sentence = effect.sentence[0].upper() + effect.sentence[1:].rstrip(".")
                yield f"- **`{effect.value}` instead of `{effect.baseline}`**: {sentence}."
        yield ""


def _others(name: str) -> Sequence[Any]:
    """Values of a choice that are not the baseline's."""
    if name in OTHER_DEFAULTS:
        return [OTHER_DEFAULTS[name]]
    return [value for value in CHOICES[name] if value != getattr(BASELINE, name)]


def _declared() -> Iterable[str]:
    """What each registered implementation declares; no framework is imported for it."""
    yield "## Who declares what\n"
    yield "A value in bold is not the baseline's.\n"
    adapters = sorted(entry_points(group="bnconform.adapters"), key=lambda entry: entry.name)
    for names in _thirds([field.name for field in fields(Convention)]):
        rows = []
        for entry in adapters:
            convention = entry.load().convention
            cells = [plain(getattr(convention, name)) for name in names]
            usual = [plain(getattr(BASELINE, name)) for name in names]
            rows.append(
                [f"`{entry.name}`"]
                + [cell if cell == base else f"**{cell}**" for cell, base in zip(cells, usual, strict=True)]
            )
        yield from _table(("implementation", *(f"`{name}`" for name in names)), rows)


def _thirds(names: Sequence[str]) -> Iterable[Sequence[str]]:
    """The names in groups that fit the width of a page."""
    return (names[start : start + 4] for start in range(0, len(names), 4))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """A Markdown table, with an empty line after it."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
