"""Where a conversion is written: what a file may be, and that no half of one is ever left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Key, Settings
from bn_conformance.convert.formats import WeightsFormat, format_of_path
from bn_conformance.targets.errors import described_error
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError


def writable_format(target: Path, into: Path | None) -> WeightsFormat:
    """The format of the target.

    Raises:
        UserError: it exists, its format does not go without an existing file, or is not that of the existing file.
    """
    format_ = format_of_path(target)
    shown = one_line(str(target))
    if target.exists():
        raise UserError(f"{shown} exists; name another file, or delete it")
    if into is None and format_.why_not_fresh:
        raise UserError(f"{shown} cannot be made of batch normalisation alone: {format_.why_not_fresh}")
    if into is not None and into.exists() and format_of_path(into) is not format_:
        raise UserError(
            f"{shown} is to be {format_.title}, and {one_line(str(into))} is {format_of_path(into).title}; "
            "give both the same ending"
        )
    return format_


def write_weights(
    format_: WeightsFormat,
    target: Path,
    into: Path | None,
    arrays: Mapping[Key, Array],
    settings: Mapping[str, Settings],
) -> None:
    """Write a file beside its place first, so that no half of one is ever left.

    Raises:
        UserError: it cannot be written.
    """
    shown = one_line(str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bnconform-", dir=target.parent) as folder:
            temporary = Path(folder) / target.name
            format_.write(temporary, into, arrays, settings)
            temporary.replace(target)
    except (UserError, KeyboardInterrupt):
        raise
    except OSError as error:
        raise UserError(f"{shown} cannot be written ({error.strerror}); name another file") from None
    except Exception as error:
        raise UserError(f"{shown} cannot be written ({one_line(described_error(error), 240)})") from None
