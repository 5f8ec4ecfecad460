"""`bnconform check --as KIND`: code that is judged without an adapter."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bn_conformance.targets.naming import TargetError, wrapper_and_code
from bn_conformance.targets.wrappers import wrapped_target


def target_of(target: str, kind: str, convention: Sequence[str]) -> str:
    """The target that `--as` and `--convention` spell together with what was named.

    Raises:
        UsageError: there is no such kind, or a choice is not declarable or has nothing to belong to.
    """
    found = wrapper_and_code(target)
    if not kind and found is None:
        if convention:
            raise click.UsageError("--convention needs --as KIND; an adapter declares its convention itself")
        return target
    if kind and found is not None:
        raise click.UsageError(f"{target} names its kind already; leave out --as")
    try:
        return wrapped_target(*((kind, target) if found is None else found), convention)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
