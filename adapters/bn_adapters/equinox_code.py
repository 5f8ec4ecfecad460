"""`equinox.nn.BatchNorm` as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import FunctionCode
from bn_conformance.layer_code import Lines
from bn_reference.specification.config import LayerConfig


class EquinoxCode(FunctionCode):
    """The layer under `jax.vmap` and `jax.jit`."""

    imports = (*FunctionCode.imports, "import equinox as eqx")
    names = ("weight", "bias")
    compiled = True

    def __init__(self, config: LayerConfig, mode: str) -> None:
        super().__init__(config)
        self.mode = mode

    def build(self) -> Lines:
        config, moving = self.config, self.mode == "ema"
        index, flag = ("ema_state_index", "ema_first_time_index") if moving else ("batch_state_index", "batch_counter")
        given = [str(config.num_channels), 'axis_name="batch"', f'mode="{self.mode}"', f"dtype=jnp.{config.dtype}"]
        given += [f"momentum={config.keep!r}"] if config.keep is not None else []
        given += [f"eps={config.eps!r}"] if config.eps is not None else []
        given += [] if config.gamma else ["channelwise_affine=False"]
        yield f"layer, initial = eqx.nn.make_with_state(eqx.nn.BatchNorm)({', '.join(given)})"
        yield 'parameters = {"weight": layer.weight, "bias": layer.bias}' if config.gamma else "parameters = {}"
        yield f"flag, (mean, variance) = initial.get(layer.{flag}), initial.get(layer.{index})"
        yield 'statistics = {"flag": flag, "mean": mean, "variance": variance}'
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield "    module, state = layer, jax.tree.map(lambda leaf: leaf, initial)"
        yield "    if parameters:"
        yield "        given = parameters['weight'], parameters['bias']"
        yield "        module = eqx.tree_at(lambda tree: (tree.weight, tree.bias), layer, given)"
        yield f'    state = state.set(layer.{flag}, statistics["flag"])'
        yield f'    state = state.set(layer.{index}, (statistics["mean"], statistics["variance"]))'
        yield "    run = jax.vmap("
        yield "        lambda x, state: module(x, state, inference=not training),"
        yield '        axis_name="batch", in_axes=(0, None), out_axes=(0, None),'
        yield "    )"
        yield "    y, state = run(x_array, state)"
        yield f"    flag, (mean, variance) = state.get(layer.{flag}), state.get(layer.{index})"
        yield '    return y, {"flag": flag, "mean": mean, "variance": variance}'
        yield ""
        if moving:
            yield "def weight(flag):"
            yield "    return 1"
        else:
            yield "def weight(counter):  # inference divides the hidden averages by it: BatchNorm.__call__"
            yield "    return jnp.where(counter == 0, 1, 1 - layer.momentum**counter)"
        yield ""

    def set_statistics(self) -> Lines:
        for name, source in (("mean", "running_mean"), ("variance", "running_var")):
            yield f'statistics["{name}"] = jnp.asarray({source}) * weight(statistics["flag"])'

    def statistics(self) -> Lines:
        for out, name in (("running_mean_out", "mean"), ("running_var_out", "variance")):
            yield f'{out} = statistics["{name}"] / weight(statistics["flag"])'
