"""The cases of the matrix, a module per clause family."""

from __future__ import annotations

from functools import cache

from bn_conformance.cases.model import Case


@cache
def all_cases() -> dict[str, Case]:
    """Every case by id, in the order of the specification's families; large ones are apart (`large_cases`).

    Raises:
        ValueError: two cases have one id.
    """
    from bn_conformance.catalogue import (
        between,
        crossing,
        edge,
        err,
        exact,
        fwd,
        grad,
        law,
        layout,
        mask,
        mask_calls,
        narrow,
        num,
        pure,
        second,
        sequences,
        sizes,
        stat,
        state,
        values,
    )
    from bn_conformance.catalogue import dtype as dtypes
    from bn_conformance.catalogue import eval as inference

    found: dict[str, Case] = {}
    for module in (
        fwd,
        stat,
        inference,
        grad,
        mask,
        second,
        mask_calls,
        num,
        exact,
        dtypes,
        narrow,
        layout,
        edge,
        state,
        between,
        sequences,
        pure,
        err,
        law,
        crossing,
        sizes,
        values,
    ):
        for case in module.cases():
            if case.id in found:
                raise ValueError(f"two cases have the id {case.id}")
            found[case.id] = case
    return found


@cache
def large_cases() -> dict[str, Case]:
    """Every large case by id. Nothing that goes through `all_cases` meets them: they run only where they are named."""
    from bn_conformance.catalogue import large

    return {case.id: case for case in large.cases()}
