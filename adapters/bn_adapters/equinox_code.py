"""`equinox.nn.BatchNorm` as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import FunctionCode
from bn_conformance.layer_code import Lines


class EquinoxCode(FunctionCode):
    """The layer under `jax.vmap` and `jax.jit`."""

    imports = (*FunctionCode.imports, "import equinox as eqx")
    names = ("weight", "bias")
    compiled = True

    def build(self) -> Lines:
        config = self.config
        given = [str(config.num_channels), 'axis_name="batch"', 'mode="batch"', f"dtype=jnp.{config.dtype}"]
        given += [f"momentum={config.keep!r}"] if config.keep is not None else []
        given += [f"eps={config.eps!r}"] if config.eps is not None else []
        given += [] if config.gamma else ["channelwise_affine=False"]
        yield f"layer, initial = eqx.nn.make_with_state(eqx.nn.BatchNorm)({', '.join(given)})"
        yield 'parameters = {"weight": layer.weight, "bias": layer.bias}' if config.gamma else "parameters = {}"
        yield "counter, (mean, variance) = initial.get(layer.batch_counter), initial.get(layer.batch_state_index)"
        yield 'statistics = {"counter": counter, "mean": mean, "variance": variance}'
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield "    module, state = layer, jax.tree.map(lambda leaf: leaf, initial)"
        yield "    if parameters:"
        yield "        given = parameters['weight'], parameters['bias']"
        yield "        module = eqx.tree_at(lambda tree: (tree.weight, tree.bias), layer, given)"
        yield '    state = state.set(layer.batch_counter, statistics["counter"])'
        yield '    state = state.set(layer.batch_state_index, (statistics["mean"], statistics["variance"]))'
        yield "    run = jax.vmap("
        yield "        lambda x, state: module(x, state, inference=not training),"
        yield '        axis_name="batch", in_axes=(0, None), out_axes=(0, None),'
        yield "    )"
        yield "    y, state = run(x_array, state)"
        yield "    counter, (mean, variance) = state.get(layer.batch_counter), state.get(layer.batch_state_index)"
        yield '    return y, {"counter": counter, "mean": mean, "variance": variance}'
        yield ""
        yield "def weight(counter):  # inference divides the hidden averages by it: BatchNorm.__call__"
        yield "    return jnp.where(counter == 0, 1, 1 - layer.momentum**counter)"
        yield ""

    def set_statistics(self) -> Lines:
        for name, source in (("mean", "running_mean"), ("variance", "running_var")):
            yield f'statistics["{name}"] = jnp.asarray({source}) * weight(statistics["counter"])'

    def statistics(self) -> Lines:
        for out, name in (("running_mean_out", "mean"), ("running_var_out", "variance")):
            yield f'{out} = statistics["{name}"] / weight(statistics["counter"])'
