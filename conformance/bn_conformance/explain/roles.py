"""What arrays are called: the roles that an array may have, and the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bn_conformance.text import did_you_mean, one_line
from bn_conformance.user_error import UserError

TENSORS = ("x", "y", "y_other", "dy", "dx")
"""Arrays of the shape of x."""

VECTORS = (
    "gamma", "beta", "running_mean", "running_var", "running_mean_after", "running_var_after", "dgamma", "dbeta",
)  # fmt: skip
"""Arrays of one number per channel."""

NUMBERS = ("eps", "momentum")

JUDGED = ("y", "dx", "dgamma", "dbeta", "running_mean_after", "running_var_after")
"""What is held against a golden, in the order in which it is told."""

_MEAN = ("running_mean", "moving_mean", "mean_running", "run_mean")
_VARIANCE = ("running_var", "running_variance", "moving_var", "moving_variance", "var_running", "run_var")
_AFTER = ("{}_after", "after_{}", "new_{}", "{}_new", "updated_{}", "{}_updated", "{}_out", "next_{}")
_BEFORE = ("{}", "{}_before", "before_{}", "old_{}", "{}_old", "{}_in", "initial_{}")

NAMES: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "input", "inputs", "inp", "input_0", "features", "activations"),
    "y": ("y", "output", "outputs", "out", "output_0", "result"),
    "y_other": (
        "y_other",
        "other",
        "other_y",
        "output_other",
        "other_output",
        "y2",
        "y_ref",
        "y_expected",
        "reference",
    ),
    "gamma": ("gamma", "weight", "scale", "g"),
    "beta": ("beta", "bias", "offset", "shift", "b"),
    "running_mean": (*(form.format(name) for form in _BEFORE for name in _MEAN), "mean"),
    "running_var": (*(form.format(name) for form in _BEFORE for name in _VARIANCE), "var", "variance"),
    "running_mean_after": tuple(form.format(name) for form in _AFTER for name in _MEAN),
    "running_var_after": tuple(form.format(name) for form in _AFTER for name in _VARIANCE),
    "dy": ("dy", "dout", "grad_output", "grad_outputs", "grad_y", "y_grad", "output_grad", "upstream", "delta"),
    "dx": ("dx", "grad_input", "grad_inputs", "grad_x", "x_grad", "input_grad", "din"),
    "dgamma": ("dgamma", "grad_gamma", "gamma_grad", "dweight", "grad_weight", "weight_grad", "dscale", "grad_scale"),
    "dbeta": ("dbeta", "grad_beta", "beta_grad", "dbias", "grad_bias", "bias_grad", "doffset", "grad_offset"),
    "mask": ("mask", "masks"),
    "eps": ("eps", "epsilon", "variance_epsilon"),
    "momentum": ("momentum", "decay"),
}
"""The names of each role; case, a prefix such as `bn1.` and a suffix such as `:0` do not matter."""

ROLES_OF_ARRAYS = tuple(NAMES)

SHOWN = 6


@dataclass(frozen=True)
class Taken:
    """An array of the input, and what it was taken as.

    Attributes:
        name: of the array.
        role: one of `ROLES_OF_ARRAYS`; empty for an array that is not used.
        said: whether a person said so.
    """

    name: str
    role: str
    said: bool = False


def roles_of(names: Iterable[str], said: Mapping[str, str]) -> list[Taken]:
    """What each array is taken as.

    Args:
        names: of the arrays.
        said: names by role, where a person says them.

    Raises:
        UserError: a role or a name is not known, or two arrays have one role.
    """
    names = list(names)
    for role, name in said.items():
        if role not in NAMES:
            hint = did_you_mean(role, NAMES, f"there are {', '.join(NAMES)}")
            raise UserError(f"there is no array {role!r}{hint}")
        if name not in names:
            hint = did_you_mean(name, names, f"there are {', '.join(map(one_line, names[:SHOWN]))}")
            raise UserError(f"no array is called {one_line(name, 80)!r}{hint}")
    by_name = {name: role for role, name in said.items()}
    taken = [Taken(name, by_name.get(name) or _role_of(name, said), name in by_name) for name in names]
    for role in NAMES:
        alike = [one_line(one.name, 80) for one in taken if one.role == role]
        if len(alike) > 1:
            raise UserError(
                f"{' and '.join(alike[:SHOWN])} may each be {role}; say which with --name {role}={alike[0]}"
            )
    return taken


def _role_of(name: str, said: Mapping[str, str]) -> str:
    """The role that a name has; none where a person gave it to another array."""
    parts = re.split(r"[./]", re.sub(r":\d+$", "", name.strip()))
    last = "_".join(parts[-2:]) if parts[-1].lower() == "grad" else parts[-1]  # weight.grad, as torch has it
    plain = re.sub(r"[^a-z0-9]+", "_", last.lower()).strip("_")
    role = next((role for role, names in NAMES.items() if plain in names), "")
    return "" if role in said else role
