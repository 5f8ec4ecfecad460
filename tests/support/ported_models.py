"""Small models of three frameworks that are trained a few steps, and carried from one to another by files.

Each has two layers of batch normalisation, `bn1` (4 channels) and `bn2` (6 channels), between convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.convert.conversion import Conversion, Wishes, convert_weights
from bn_conformance.diff.verification import Verification
from bn_conformance.implementations.registry import find
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import STABLE

CHANNELS: Mapping[str, int] = {"bn1": 4, "bn2": 6}
STEPS = 4


def images(seed: int) -> Array:
    """A batch of small images, channels last."""
    generator = np.random.default_rng(seed)
    return (2.0 * generator.standard_normal((8, 6, 6, 3)) + 1.0).astype(np.float32)


class PortedModel(Protocol):
    """A model with `bn1` and `bn2`."""

    convention_of: str
    """The registered implementation with the convention of its layers."""

    def train(self) -> None:
        """Train it a few steps."""

    def save(self, path: Path) -> None:
        """Write its weights, as people of its framework do."""

    def load(self, path: Path) -> None:
        """Read them again."""

    def vectors(self, layer: str) -> dict[str, Array]:
        """gamma, beta, running_mean and running_var of a layer."""

    def normalised(self, layer: str, x: Array, eps: float) -> Array:
        """What a layer makes of x, of shape (N, C), in inference; it was built with eps."""


class TorchModel:
    """A module, saved as a `state_dict`."""

    convention_of = "torch.nn"

    def __init__(self, eps: float = 1e-5) -> None:
        import torch

        torch.manual_seed(0)
        self.module = torch.nn.Sequential()
        for name, part in (
            ("conv1", torch.nn.Conv2d(3, 4, 3)),
            ("bn1", torch.nn.BatchNorm2d(4, eps=eps)),
            ("conv2", torch.nn.Conv2d(4, 6, 3)),
            ("bn2", torch.nn.BatchNorm2d(6, eps=eps)),
        ):
            self.module.add_module(name, part)

    def train(self) -> None:
        import torch

        self.module.train()
        optimiser = torch.optim.SGD(self.module.parameters(), lr=0.1)
        for step in range(STEPS):
            optimiser.zero_grad()
            (self.module(torch.from_numpy(images(step).transpose(0, 3, 1, 2).copy())) ** 3).mean().backward()
            optimiser.step()

    def save(self, path: Path) -> None:
        import torch

        torch.save(self.module.state_dict(), path)

    def load(self, path: Path) -> None:
        import torch

        self.module.load_state_dict(torch.load(path, weights_only=True))

    def vectors(self, layer: str) -> dict[str, Array]:
        state = {name: tensor.numpy() for name, tensor in self.module.get_submodule(layer).state_dict().items()}
        return {
            "gamma": state["weight"],
            "beta": state["bias"],
            "running_mean": state["running_mean"],
            "running_var": state["running_var"],
        }

    def normalised(self, layer: str, x: Array, eps: float) -> Array:
        import torch

        part: Any = self.module.get_submodule(layer).eval()
        part.eps = eps
        with torch.no_grad():
            return np.asarray(part(torch.from_numpy(x)[:, :, None, None])[:, :, 0, 0].numpy())


class KerasModel:
    """A functional model, saved as `.weights.h5` or, where the name says so, as a `.keras` archive."""

    convention_of = "keras[torch]"

    def __init__(self, eps: float = 1e-3) -> None:
        import keras

        keras.utils.set_random_seed(0)
        given = keras.Input((6, 6, 3))
        x = keras.layers.Conv2D(4, 3)(given)
        x = keras.layers.BatchNormalization(epsilon=eps, name="bn1")(x)
        x = keras.layers.Conv2D(6, 3)(x)
        self.model = keras.Model(given, keras.layers.BatchNormalization(epsilon=eps, name="bn2")(x))

    def train(self) -> None:
        import keras

        self.model.compile(keras.optimizers.SGD(0.1), loss="mean_squared_error")
        for step in range(STEPS):
            self.model.train_on_batch(images(step), np.zeros((8, 2, 2, 6), np.float32))

    def save(self, path: Path) -> None:
        if path.suffix == ".keras":
            self.model.save(path)
        else:
            self.model.save_weights(path)

    def load(self, path: Path) -> None:
        import keras

        if path.suffix == ".keras":
            self.model = keras.models.load_model(path)
        else:
            self.model.load_weights(path)

    def vectors(self, layer: str) -> dict[str, Array]:
        names = ("gamma", "beta", "running_mean", "running_var")
        return dict(zip(names, self.model.get_layer(layer).get_weights(), strict=True))

    def normalised(self, layer: str, x: Array, eps: float) -> Array:
        import keras

        part = self.model.get_layer(layer)
        assert part.epsilon == eps, "a layer of Keras keeps the eps that it was built with"
        return np.asarray(keras.ops.convert_to_numpy(part(x[:, None, None, :], training=False))[:, 0, 0, :])


class FlaxModel:
    """A linen module, saved as msgpack or, where the name has no ending, with Orbax."""

    convention_of = "flax.linen"

    def __init__(self, eps: float = 1e-5) -> None:
        import flax.linen as nn
        import jax

        class Net(nn.Module):
            @nn.compact
            def __call__(self, x: Any, training: bool) -> Any:
                x = nn.Conv(4, (3, 3), name="conv1")(x)
                x = nn.BatchNorm(use_running_average=not training, epsilon=eps, name="bn1")(x)
                x = nn.Conv(6, (3, 3), name="conv2")(x)
                return nn.BatchNorm(use_running_average=not training, epsilon=eps, name="bn2")(x)

        self.module = Net()
        self.variables: Any = self.module.init(jax.random.key(0), images(0), False)

    def train(self) -> None:
        import jax

        def loss(parameters: Any, statistics: Any, x: Any) -> Any:
            variables = {"params": parameters, "batch_stats": statistics}
            y, moved = self.module.apply(variables, x, True, mutable=["batch_stats"])
            return (y**3).mean(), moved["batch_stats"]

        step_of = jax.jit(jax.grad(loss, has_aux=True))
        parameters, statistics = self.variables["params"], self.variables["batch_stats"]
        for step in range(STEPS):
            gradients, statistics = step_of(parameters, statistics, images(step))
            parameters = jax.tree.map(lambda old, moved: old - 0.1 * moved, parameters, gradients)
        self.variables = {"params": parameters, "batch_stats": statistics}

    def save(self, path: Path) -> None:
        from flax.serialization import to_bytes

        if path.suffix:
            path.write_bytes(to_bytes(self.variables))
            return
        import orbax.checkpoint as ocp

        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(path, self.variables)

    def load(self, path: Path) -> None:
        from flax.serialization import from_bytes

        if path.suffix:
            self.variables = from_bytes(self.variables, path.read_bytes())
            return
        import orbax.checkpoint as ocp

        with ocp.StandardCheckpointer() as checkpointer:
            self.variables = checkpointer.restore(path, self.variables)

    def vectors(self, layer: str) -> dict[str, Array]:
        own, kept = self.variables["params"][layer], self.variables["batch_stats"][layer]
        found = {"gamma": own["scale"], "beta": own["bias"], "running_mean": kept["mean"], "running_var": kept["var"]}
        return {role: np.asarray(array) for role, array in found.items()}

    def normalised(self, layer: str, x: Array, eps: float) -> Array:
        import flax.linen as nn

        variables = {collection: self.variables[collection][layer] for collection in ("params", "batch_stats")}
        return np.asarray(nn.BatchNorm(use_running_average=True, epsilon=eps).apply(variables, x))


MODELS: Mapping[str, Callable[[float], PortedModel]] = {"torch": TorchModel, "keras": KerasModel, "flax": FlaxModel}
"""By framework, what builds a model with an eps."""

DEFAULTS = {"torch": 1e-5, "keras": 1e-3, "flax": 1e-5}
"""The eps of each framework."""


def carried_ratios(source: str, target: str, names: tuple[str, str, str], folder: Path) -> dict[str, float]:
    """Train a model, carry it into the file of another, and load that file there.

    Args:
        source: framework of the model that is trained.
        target: framework of the model that gets its layers.
        names: of the files: the source, the existing target, the written target.
        folder: for the files.

    Returns:
        The largest difference of the outputs of each layer in inference, over what the bounds of both allow.
    """
    eps = DEFAULTS[source]
    trained, other = MODELS[source](eps), MODELS[target](eps)
    trained.train()
    given, existing, written = (folder / name for name in names)
    trained.save(given)
    other.save(existing)
    unchecked: Callable[..., Verification] = lambda *_: Verification(source, target)  # noqa: E731
    made: Conversion = convert_weights(given, written, existing, Wishes(), unchecked)
    assert [layer.source.name for layer in made.layers] == list(CHANNELS)
    other.load(written)
    return {layer: _ratio(trained, other, layer, eps) for layer in CHANNELS}


def _ratio(a: PortedModel, b: PortedModel, layer: str, eps: float) -> float:
    vectors = a.vectors(layer)
    generator = np.random.default_rng(1)
    spread = np.sqrt(vectors["running_var"]) * generator.standard_normal((16, CHANNELS[layer]))
    x = (vectors["running_mean"] + spread).astype(np.float32)
    difference = np.abs(to_quad(a.normalised(layer, x, eps).T) - to_quad(b.normalised(layer, x, eps).T))
    allowed = _allowed(a, vectors, x, eps) + _allowed(b, b.vectors(layer), x, eps)
    return float(np.max(to_float64(difference / allowed)))


def _allowed(model: PortedModel, vectors: Mapping[str, Array], x: Array, eps: float) -> Quad:
    """What the reference allows a layer with these vectors to be off, for each output."""
    config = LayerConfig(num_channels=x.shape[1], rank=2, channel_axis=1, eps=eps)
    parameters = GammaBeta(to_quad(vectors["gamma"]), to_quad(vectors["beta"]))
    golden = Golden(config, find([model.convention_of])[0].convention, to_quad(x.T), parameters)
    state = Statistics.known(vectors["running_mean"], vectors["running_var"])
    return golden.inference(state, None)["y"].bound(STABLE).allowed
