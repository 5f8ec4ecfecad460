"""How the modules of Flax are built and called: what linen and nnx share."""

from __future__ import annotations

from typing import Any

from bn_conformance.adapter import LayerConfig


def options(config: LayerConfig) -> dict[str, Any]:
    """Constructor arguments that linen and nnx share."""
    import jax.numpy as jnp

    options: dict[str, Any] = {
        "axis": config.channel_axis,
        "dtype": jnp.dtype(config.dtype),  # Without it the result takes the parameters' dtype, if that is wider.
        "param_dtype": jnp.dtype(config.parameter_dtype),
        "use_scale": config.gamma,
        "use_bias": config.beta,
    }
    if config.eps is not None:
        options["epsilon"] = config.eps
    if config.keep is not None:
        options["momentum"] = config.keep
    return options


def mode(argument: str, training: bool) -> dict[str, bool]:
    """The keyword argument that says in which mode a module is called, under the name that the module has for it."""
    return {argument: not training if argument == "use_running_average" else training}


def masked(mask: Any) -> dict[str, Any]:
    """The argument mask of a call, if there is one."""
    return {} if mask is None else {"mask": mask}
