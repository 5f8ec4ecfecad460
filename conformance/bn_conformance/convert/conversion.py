"""A conversion from one weights file to another: read, find, pair, carry, write, and check by running both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from bn_conformance.adapter import Array
from bn_conformance.convert.carrying import CarriedLayer, carried
from bn_conformance.convert.checking import check_conversion
from bn_conformance.convert.content import Content, Key, Settings
from bn_conformance.convert.formats import format_of_path, read_weights
from bn_conformance.convert.layers import Slots, layer_at
from bn_conformance.convert.naming import Naming, found_layers, naming_called
from bn_conformance.convert.pairing import BY_NAME, BY_RULE, Rule, pairs_of, renamed_path
from bn_conformance.convert.remarks import Facts, remarks_of, side_of
from bn_conformance.convert.trees import nested
from bn_conformance.convert.writing import writable_format, write_weights
from bn_conformance.diff.verification import Verification
from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.text import counted, number, one_line
from bn_conformance.user_error import UserError

CONVERTED, FAILED, NOT_CHECKED = 0, 1, 3
"""Exit codes: converted and verified, not verified, and converted where one side cannot be run here."""


@dataclass(frozen=True)
class Wishes:
    """What a user says of a conversion; empty where the files say it.

    Attributes:
        to: naming of a fresh file.
        patterns: of names of the source's layers; all where there are none.
        rules: OLD=NEW, for names.
        lacking: the parameter that a Keras layer of three vectors lacks.
        eps, momentum: of the source's layers where the file does not say them.
        target_eps: of the target's layers, where they are not built with the source's.
    """

    to: str = ""
    patterns: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    lacking: str = ""
    eps: float | None = None
    momentum: float | None = None
    target_eps: float | None = None


@dataclass(frozen=True)
class Conversion:
    """A conversion that was made.

    Attributes:
        source, target: the frameworks, as people write them.
        layers: what was carried.
        remarks: what a person has to know, in sentences.
        verification: what came of running both sides.
        arrays: the target's arrays by key.
    """

    source: str
    target: str
    layers: tuple[CarriedLayer, ...]
    remarks: tuple[str, ...]
    verification: Verification
    arrays: Mapping[Key, Array]

    @property
    def headline(self) -> str:
        """The conversion in a sentence."""
        what = f"{counted(len(self.layers), 'layer')} of {self.source} carried to {self.target}"
        if self.verification.verified:
            return f"{what}, and verified by running both"
        failed = ", ".join(check.what for check in self.verification.checks if not check.holds)
        if failed:
            return f"{what}, and NOT verified: {failed}"
        return f"{what}, and not verified: {self.verification.failure}"

    @property
    def exit_code(self) -> int:
        """0 verified, 1 a check does not hold, 3 not verified since a side cannot be run."""
        if self.verification.verified:
            return CONVERTED
        return FAILED if any(not check.holds for check in self.verification.checks) else NOT_CHECKED

    @property
    def tree(self) -> dict[str, Any]:
        """The target's arrays as nested dictionaries."""
        return nested(self.arrays)

    def to_json(self) -> dict[str, Any]:
        """The conversion as plain data, without the values."""
        return {
            "kind": "conversion",
            "source": self.source,
            "target": self.target,
            "layers": [
                {
                    "source": layer.source.name,
                    "target": layer.target,
                    "matched_by": layer.how,
                    "channels": layer.source.channels,
                    "source_eps": layer.source.eps,
                    "target_eps": layer.eps,
                    "filled": list(layer.filled),
                    "rounding": layer.rounding,
                }
                for layer in self.layers
            ],
            "remarks": list(self.remarks),
            "checks": [
                {
                    "what": check.what,
                    "difference": _finite(check.difference),
                    "allowed": _finite(check.allowed),
                    "ratio": _finite(check.ratio),
                    "holds": check.holds,
                }
                for check in self.verification.checks
            ],
            "failure": self.verification.failure,
            "verified": self.verification.verified,
        }


def _finite(value: float) -> float | str:
    """A number as JSON has it, or as text where JSON has none."""
    return value if isfinite(value) else number(value)


def convert_weights(
    source: Path | Content,
    target: Path | None,
    into: Path | Content | None = None,
    wishes: Wishes | None = None,
    check: Callable[..., Verification] = check_conversion,
) -> Conversion:
    """Carry the layers of a weights file to another file.

    Args:
        source: the file, or the content of one.
        target: the file to write; None writes nothing.
        into: an existing file of the target's model, of which everything else is kept, or its content where nothing
            is written; None for a fresh file.
        wishes: what the user says beside that.
        check: runs both sides.

    Raises:
        UserError: a file cannot be read or written, or the layers do not fit; the message says what to do.
    """
    wishes = wishes or Wishes()
    if target is not None and isinstance(into, Content):
        raise UserError("the weights to keep are in memory: give the file that holds them, or no file to write")
    existing = into if isinstance(into, Path) else None
    format_ = None if target is None else writable_format(target, existing)
    content = read_weights(source) if isinstance(source, Path) else source
    held = read_weights(into) if isinstance(into, Path) else into
    source_name, slots = found_layers(content, wishes.lacking, _naming_of(source))
    chosen = _chosen(slots, wishes.patterns)
    if held is None:
        target_name = wishes.to or (format_.naming if format_ else "")
        partners = _fresh(chosen, target_name, [Rule.of(text) for text in wishes.rules])
    else:
        target_name, theirs = found_layers(held, wishes.lacking, "" if into is None else _naming_of(into))
        pairs = pairs_of(chosen, theirs, [Rule.of(text) for text in wishes.rules])
        partners = [(pair.source, pair.target, pair.how) for pair in pairs]
    ours, other = naming_called(source_name), naming_called(target_name)
    default = side_of(ours).eps
    layers = []
    for mine, place, how in partners:
        own = layer_at(content, mine)
        layer = replace(
            own,
            eps=next(eps for eps in (own.eps, wishes.eps, default) if eps is not None),
            momentum=wishes.momentum if own.momentum is None else own.momentum,
        )
        eps = layer.eps if wishes.target_eps is None else wishes.target_eps
        layers.append(carried(layer, place.name, how, place.keys, held, layer.eps or 0.0, eps or 0.0))
    arrays = {key: array for layer in layers for key, array in layer.by_key.items()}
    settings = _settings(layers, ours, other)
    told = {} if held is None else held.settings
    facts = Facts(
        source=content,
        held=held,
        settings_written=all(layer.target in told and told[layer.target].eps is not None for layer in layers),
        assumed_eps=wishes.eps is None and any(mine.settings.eps is None for mine in chosen),
        chosen=len(chosen),
        found=len(slots),
        taken=sum(len(mine.keys) for mine in chosen),
    )
    if target is not None and format_ is not None:
        write_weights(format_, target, existing, arrays, settings)
    return Conversion(
        source=ours.title,
        target=other.title,
        layers=tuple(layers),
        remarks=tuple(remarks_of(layers, ours, other, facts)),
        verification=check(
            ours.implementation(), other.implementation(), layers, None if target is None else read_weights(target)
        ),
        arrays=arrays,
    )


def _naming_of(place: Path | Content) -> str:
    return format_of_path(place).naming if isinstance(place, Path) else ""


def _chosen(slots: Sequence[Slots], patterns: Sequence[str]) -> list[Slots]:
    """The layers whose names match a pattern.

    Raises:
        UserError: there are none.
    """
    if not slots:
        raise UserError(
            "the source has no layer of batch normalisation with running statistics: no running_mean and running_var, "
            "moving_mean and moving_variance, mean and var, nor numbered vectors of a Keras layer"
        )
    chosen = [entry for entry in slots if not patterns or any(matches_pattern(entry.name, text) for text in patterns)]
    if not chosen:
        names = ", ".join(entry.name for entry in slots[:6])
        raise UserError(one_line(f"no layer matches {' or '.join(patterns)}; there are {names}", 600))
    return chosen


def _fresh(chosen: Sequence[Slots], naming: str, rules: Sequence[Rule]) -> list[tuple[Slots, Slots, str]]:
    """Where a fresh file keeps each layer.

    Raises:
        UserError: nobody says how the file names its arrays, or two layers get one name.
    """
    if not naming:
        raise UserError("such a file may follow any framework's names; say which with --to")
    partners, seen = [], set()
    for mine in chosen:
        path = renamed_path(mine, rules)
        if path in seen:
            raise UserError(one_line(f"two layers become {'.'.join(path)}; give each --rename its own NEW", 400))
        seen.add(path)
        how = BY_RULE if path != mine.path else BY_NAME
        partners.append((mine, Slots(path, naming_called(naming).keys(path, set(mine.keys)), mine.channels), how))
    return partners


def _settings(layers: Sequence[CarriedLayer], source: Naming, target: Naming) -> dict[str, Settings]:
    """What a file that says how layers are built is to say: eps, and momentum where anybody knows it."""
    swapped = side_of(source).convention.momentum_weighs != side_of(target).convention.momentum_weighs

    def momentum(own: float | None) -> float | None:
        return 1.0 - own if swapped and own is not None else own

    return {layer.target: Settings(eps=layer.eps, momentum=momentum(layer.source.momentum)) for layer in layers}
