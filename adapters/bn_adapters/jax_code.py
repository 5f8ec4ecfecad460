"""What the code of JAX's batch normalisations shares, for `bnconform repro`: gradients of a pure function."""

from __future__ import annotations

from bn_conformance.layer_code import LayerCode, Lines, StepCall

AXIS = "shards"
"""The name of the mapped axis."""


class FunctionCode(LayerCode):
    """Code whose step is `y_out, statistics = apply(parameters, statistics, x_array, training, mask_array)`.

    `parameters` is a dictionary of the gamma and beta that there are, by `names`.

    Attributes:
        names: what the framework calls gamma and beta.
        compiled: whether the step runs under `jax.jit`.
        function: the function that a step calls, with the arguments of `apply`.
    """

    imports: tuple[str, ...] = ("import jax", "import jax.numpy as jnp")
    array = "np.asarray(value, np.float64)"
    names: tuple[str, str] = ("scale", "bias")
    compiled = False
    function = "apply"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            key = dict(zip(("gamma", "beta"), self.names, strict=True))[name]
            yield (
                f'parameters["{key}"] = jnp.asarray({name}, parameters["{key}"].dtype)'
                f'.reshape(parameters["{key}"].shape)'
            )

    def step(self, call: StepCall) -> Lines:
        dtype = f"jnp.{self.config.dtype}"
        yield f"x_array, mask_array = jnp.asarray(x, {dtype}), {'jnp.asarray(mask)' if call.masked else 'None'}"
        yield "def output(parameters, x_array):"
        yield f"    return {self.function}(parameters, statistics, x_array, {call.training}, mask_array)"
        yield "output = jax.jit(output)" if self.compiled else ""
        if call.backward or call.second:
            yield f"dy_array = jnp.asarray(dy, {dtype})"
            yield "def gradients(parameters, x_array, dy_array):"
            yield "    return jax.vjp(lambda *given: output(*given)[0], parameters, x_array)[1](dy_array)"
            yield "found, dx_out = gradients(parameters, x_array, dy_array)"
            for name, key in zip(("gamma", "beta"), self.names, strict=True):
                if name in self.parameters:
                    yield f'd{name}_out = found["{key}"].reshape(-1)'
        if call.second:
            yield "weights = {name: jnp.zeros_like(part) for name, part in parameters.items()}"
            for weight in call.second:
                if weight != "v_dx":
                    key = dict(zip(("v_dgamma", "v_dbeta"), self.names, strict=True))[weight]
                    old = f'weights["{key}"]'
                    yield f"{old} = jnp.asarray({weight}, {old}.dtype).reshape({old}.shape)"
            yield f"weights = weights, jnp.asarray(v_dx, {dtype})"
            yield "found, ds_dx_out, ds_ddy_out = jax.vjp(gradients, parameters, x_array, dy_array)[1](weights)"
            if self.config.gamma:
                yield f'ds_dgamma_out = found["{self.names[0]}"].reshape(-1)'
        yield "y_out, statistics = output(parameters, x_array)"


class ShardedCode(FunctionCode):
    """Code whose `apply` is that of one shard: a step maps it over equal shards, which lie on the axis `AXIS`."""

    compiled = True
    sharded = True
    function = "apply_to_shards"

    def step(self, call: StepCall) -> Lines:
        yield f"count = {max(len(call.shards), 1)}  # shards of the batch"
        yield from super().step(call)

    def mapped(self) -> Lines:
        """The function of the whole batch, to stand behind that of a shard."""
        yield "# As devices do under a named axis, here on one device. x, y and the mask are those of the whole batch."
        yield "def apply_to_shards(parameters, statistics, x_array, training, mask):"
        yield "    def split(array):"
        yield "        return array.reshape(count, array.shape[0] // count, *array.shape[1:])"
        yield ""
        yield "    def of_one(shard, mask):"
        yield "        return apply(parameters, statistics, shard, training, mask)"
        yield ""
        yield f"    over_shards = jax.vmap(of_one, axis_name={AXIS!r})"
        yield "    y, held = over_shards(split(x_array), None if mask is None else split(mask))"
        yield "    return y.reshape(x_array.shape), jax.tree.map(lambda leaf: leaf[0], held)"
        yield ""


class CodeOnDevices(ShardedCode):
    """Code of shards that lie on a device each."""

    def step(self, call: StepCall) -> Lines:
        yield from super().step(call)
        yield "statistics = jax.tree.map(jnp.asarray, jax.device_get(statistics))  # of no device"

    def mapped(self) -> Lines:
        yield "# Each device takes its part of the batch. x, y and the mask are those of the whole batch."
        yield "def apply_to_shards(parameters, statistics, x_array, training, mask):"
        yield "    def of_one(parameters, statistics, shard, mask):"
        yield "        y, held = apply(parameters, statistics, shard, training, mask)"
        yield "        return y, jax.tree.map(lambda leaf: leaf[None], held)"
        yield ""
        yield f"    mesh = jax.sharding.Mesh(np.array(jax.devices()[:count]), ({AXIS!r},))"
        yield f"    everywhere, split = jax.P(), jax.P({AXIS!r})"
        yield "    specs = everywhere, everywhere, split, split"
        yield "    over_devices = jax.shard_map(of_one, mesh=mesh, in_specs=specs, out_specs=split)"
        yield "    y, held = over_devices(parameters, statistics, x_array, mask)"
        yield "    return y, jax.tree.map(lambda leaf: leaf[0], held)"
        yield ""
