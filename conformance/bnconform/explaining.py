"""`explain`: a step that a person recorded, explained from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bn_conformance.explain.explanation import DEFAULT_ERROR, ExplainedStep, explain_arrays, given_by_role
from bn_conformance.explain.reading import SaidOfStep
from bn_conformance.explain.recorded_files import read_recorded
from bn_conformance.explain.roles import Taken, roles_of
from bn_conformance.options import DEFAULTS, OPTIONS
from bn_conformance.results.outcomes import Threshold
from bn_conformance.targets.choices import fields_of
from bn_conformance.user_error import UserError
from bnconform.arrays import numpy_array
from bnconform.keywords import Choices, choice_texts


def explain(
    x: Any,
    y: Any = None,
    *,
    y_other: Any = None,
    gamma: Any = None,
    beta: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    running_mean_after: Any = None,
    running_var_after: Any = None,
    dy: Any = None,
    dx: Any = None,
    dgamma: Any = None,
    dbeta: Any = None,
    mask: Any = None,
    mode: str = "",
    channel_axis: int | None = None,
    eps: float | None = None,
    momentum: float | None = None,
    convention: Choices = (),
    names: Mapping[str, str] = MappingProxyType({}),
    dtype: str = "",
    error_of_x: float = DEFAULT_ERROR,
    level: str = DEFAULTS["level"],
) -> ExplainedStep:
    """Explain one recorded step: within the bounds or not, why not, and how much comes from what went in.

    Goldens are computed in binary128, and every bound is derived from the data. What is not said is found: mode, axis
    of the channels, eps, momentum and the estimator of the variance.

    Args:
        x: what went in, of shape (N, C, ...) or (N, ..., C), an array of NumPy or of a framework. Or a path of an
            `.npz` file or of a folder of `.npy` files, or a dictionary: then all arrays are in it, under their own
            names.
        y: what came out, of the shape of x.
        y_other: another y, to compare with: how much of the difference does an error of x explain?
        gamma: of the layer, one number per channel; 1 without it.
        beta: of the layer; 0 without it.
        running_mean: before the step; in inference, the one that it used.
        running_var: likewise.
        running_mean_after: after the step.
        running_var_after: likewise.
        dy: the gradient of y that went into the backward, of the shape of x.
        dx: the gradient of x that came out.
        dgamma: that of gamma.
        dbeta: that of beta.
        mask: which positions count, of the shape of x without its channels.
        mode: `"training"` or `"inference"`.
        channel_axis: axis of the channels, from the end where it is negative.
        eps: of the layer.
        momentum: of the layer, in its own direction.
        convention: choices that are known, such as `{"running_variance": "biased"}`.
        names: which array of a file or dictionary is what, `{"x": "activations"}`, where its name does not say it.
        dtype: format of y and dx, where they were saved in a wider one.
        error_of_x: the relative error of x whose effect on y is told.
        level: the worst level that is within the bounds: `"tight"`, `"stable"` or `"degraded"`.

    Returns:
        What was found. `print` shows it, a notebook shows it as HTML, `.html()` is a page, `.to_json()` plain data.

    Raises:
        UserError: the arrays cannot be used, or a keyword has a value that is not allowed. The message says what to do.
    """
    if level not in OPTIONS["level"].choices:
        raise UserError(f"level is {level!r}; allowed are {', '.join(OPTIONS['level'].choices)}")
    given = {
        "y": y,
        "y_other": y_other,
        "gamma": gamma,
        "beta": beta,
        "running_mean": running_mean,
        "running_var": running_var,
        "running_mean_after": running_mean_after,
        "running_var_after": running_var_after,
        "dy": dy,
        "dx": dx,
        "dgamma": dgamma,
        "dbeta": dbeta,
        "mask": mask,
    }
    source, arrays, taken = _input(x, {role: array for role, array in given.items() if array is not None}, names)
    wishes = SaidOfStep(mode, channel_axis, eps, momentum, fields_of(choice_texts(convention)))
    return explain_arrays(
        arrays, taken, wishes, source=source, dtype=dtype, error=error_of_x, threshold=Threshold(level)
    )


def _input(x: Any, given: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, dict[str, Any], tuple[Taken, ...]]:
    """Where the arrays come from, the arrays by role, and what was taken as what."""
    if not isinstance(x, str | os.PathLike | Mapping):
        if names:
            raise UserError("names is for a file or a dictionary; arrays have their names as keywords")
        arrays = {role: numpy_array(role, array) for role, array in {"x": x, **given}.items()}
        return "arrays", arrays, tuple(Taken(role, role) for role in arrays)
    if given:
        raise UserError(
            f"all arrays are in {'the dictionary' if isinstance(x, Mapping) else 'the file'}; leave out "
            f"{', '.join(given)}"
        )
    if isinstance(x, Mapping):
        found = {str(name): numpy_array(str(name), array) for name, array in x.items()}
        source = "arrays"
    else:
        found, source = read_recorded(Path(x)), Path(x).name
    taken = tuple(roles_of(found, names))
    return source, given_by_role(found, taken), taken
