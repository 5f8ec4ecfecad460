"""`export_vectors`: golden vectors for other languages, from Python."""

from __future__ import annotations

import os
from pathlib import Path

from bn_conformance.commands.vectors import chosen_vectors
from bn_conformance.user_error import UserError
from bn_conformance.vectors.files import write_vectors
from bnconform.keywords import Choices, Texts, choice_texts, several


def export_vectors(
    folder: str | os.PathLike[str],
    *,
    cases: Texts = (),
    clauses: Texts = (),
    core: bool = False,
    convention: Choices = (),
    implementation: str = "",
) -> tuple[Path, ...]:
    """Write cases with their goldens and error bounds as JSON, one file a case.

    Args:
        folder: that the files are written to.
        cases: patterns of case ids, such as `"num/*"`; all without one.
        clauses: clauses or families, such as `"STAT-3"` or `"GRAD"`; all without one.
        core: the core set, as it comes with bnconform; nothing else is chosen with it.
        convention: changes to torch's convention, `{"running_variance": "biased"}`, or a named one: `"textbook"`.
        implementation: a registered implementation, whose convention counts instead.

    Returns:
        The files. What the format cannot say is left out.

    Raises:
        UserError: a keyword contradicts another, something named does not exist, or the folder cannot be written.
    """
    chosen = several(cases), several(clauses), core, choice_texts(convention), implementation
    if core and any((*chosen[:2], *chosen[3:])):
        raise UserError("core=True is a set of its own; leave out cases, clauses, convention and implementation")
    if implementation and chosen[3]:
        raise UserError("implementation and convention contradict each other; give one")
    pairs, _ = chosen_vectors(*chosen)
    try:
        return tuple(write_vectors(pairs, Path(folder)))
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name another folder") from None
