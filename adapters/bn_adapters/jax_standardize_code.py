"""`jax.nn.standardize` and `stax.BatchNorm` as their users call them, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import FunctionCode
from bn_conformance.layer_code import Lines
from bn_reference.specification.config import LayerConfig


class StandardizeCode(FunctionCode):
    """gamma * standardize(x) + beta, or the layer of stax, under `jax.jit`.

    Args:
        config: the layer.
        algorithm: the argument of `jax.nn.standardize`; empty for its default.
        stax: whether it is `stax.BatchNorm`.
    """

    names = ("gamma", "beta")
    compiled = True

    def __init__(self, config: LayerConfig, algorithm: str, stax: bool = False) -> None:
        super().__init__(config)
        self.algorithm, self.stax = algorithm, stax
        if stax:
            self.imports = (*FunctionCode.imports, "from jax.example_libraries import stax")

    def build(self) -> Lines:
        config = self.config
        eps = [] if config.eps is None else [f"epsilon={config.eps!r}"]
        makes = {"gamma": "ones", "beta": "zeros"}
        vectors = ", ".join(
            f'"{name}": jnp.{makes[name]}({config.num_channels}, jnp.{config.parameter_dtype})'
            for name in self.parameters
        )
        yield f"parameters, statistics = {{{vectors}}}, {{}}"
        if self.stax:
            given = [f"axis={config.reduced_axes}", f"center={config.beta}", f"scale={config.gamma}", *eps]
            yield f"_, layer = stax.BatchNorm({', '.join(given)})"
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        if self.stax:
            yield '    vectors = parameters.get("beta", ()), parameters.get("gamma", ())'
            yield "    return layer(vectors, x_array), statistics"
        else:
            algorithm = [f'algorithm="{self.algorithm}"'] if self.algorithm else []
            shape = [-1 if axis == config.channel_axis else 1 for axis in range(config.rank)]
            given = [f"axis={config.reduced_axes}", *eps, *algorithm]
            yield f"    y = jax.nn.standardize(x_array, {', '.join(given)})"
            if config.gamma:
                yield f'    y = y * parameters["gamma"].reshape({shape})'
            if config.beta:
                yield f'    y = y + parameters["beta"].reshape({shape})'
            yield "    return y, statistics"
        yield ""

    def set_statistics(self) -> Lines:
        yield "# there are no running statistics"

    def statistics(self) -> Lines:
        yield "# there are no running statistics"
