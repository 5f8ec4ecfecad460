"""Keras 3: `keras.layers.BatchNormalization` on each of its backends.

The layer is the same class everywhere. Keras reads its backend from KERAS_BACKEND when it is imported and keeps it for
the process, so each of these implementations needs a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.keras_backends import (
    JaxKerasLayer,
    KerasLayer,
    NumpyKerasLayer,
    TensorflowKerasLayer,
    TorchKerasLayer,
    load_keras,
)
from bn_adapters.keras_code import POLICIES, KerasJaxCode, KerasNumpyCode, KerasTensorflowCode, KerasTorchCode
from bn_adapters.tensorflow_tapes import TENSORFLOW_DISTRIBUTIONS, TENSORFLOW_ENVIRONMENT
from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.layer_code import LayerCode

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "tensorflow": {**TENSORFLOW_ENVIRONMENT, "KERAS_BACKEND": "tensorflow"},
    "jax": {**JAX_ENVIRONMENT, "KERAS_BACKEND": "jax"},
    "torch": {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "cpu"},  # else Keras takes a GPU wherever torch sees one
}
"""By backend, what must be set before Keras is imported: the backend, one thread, no GPU."""


class KerasAdapter(Adapter):
    """What the three share: one convention, since the layer computes its statistics in the same words everywhere."""

    backend: ClassVar[str]
    layer_class: ClassVar[type[KerasLayer]]
    code_class: ClassVar[type[LayerCode]]

    # Defaults: BatchNormalization.__init__ in keras/src/layers/normalization/batch_normalization.py. Its build() gives
    # the statistics the dtype of the variables. moments() divides by n on every backend (keras/src/backend/*/nn.py);
    # there is no fused kernel as in Keras 2, whose running variance was unbiased for some ranks and layouts.
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-3,
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        mixed=frozenset(POLICIES),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        masks=True,
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return self.layer_class(load_keras(self.backend), config)

    def code(self, config: LayerConfig) -> LayerCode:
        return self.code_class(config)


class KerasTensorflow(KerasAdapter):
    """`keras.layers.BatchNormalization` on TensorFlow, eager."""

    name = "keras[tensorflow]"
    backend = "tensorflow"
    layer_class = TensorflowKerasLayer
    code_class = KerasTensorflowCode
    framework = "keras-tensorflow"
    environment = ENVIRONMENTS["tensorflow"]
    requires = ("keras", "tensorflow")
    distributions = ("keras", *TENSORFLOW_DISTRIBUTIONS)
    install = "pip install 'bnconform[tensorflow]'"


class KerasJax(KerasAdapter):
    """`keras.layers.BatchNormalization` on JAX, eager: each operation is compiled for each shape that it meets."""

    name = "keras[jax]"
    backend = "jax"
    layer_class = JaxKerasLayer
    code_class = KerasJaxCode
    framework = "keras-jax"
    environment = ENVIRONMENTS["jax"]
    requires = ("keras", "jax")
    distributions = ("keras", "jax", "jaxlib")
    install = "pip install 'bnconform[keras,jax]'"
    capabilities = replace(KerasAdapter.capabilities, compiles=True)


class KerasTorch(KerasAdapter):
    """`keras.layers.BatchNormalization` on PyTorch."""

    name = "keras[torch]"
    backend = "torch"
    layer_class = TorchKerasLayer
    code_class = KerasTorchCode
    framework = "keras-torch"
    environment = ENVIRONMENTS["torch"]
    requires = ("keras", "torch")
    distributions = ("keras", "torch")
    install = "pip install 'bnconform[keras,torch]'"


class KerasNumpy(KerasAdapter):
    """`keras.layers.BatchNormalization` on NumPy, without gradients."""

    name = "keras[numpy]"
    group = "more"
    backend = "numpy"
    layer_class = NumpyKerasLayer
    code_class = KerasNumpyCode
    framework = "keras-numpy"
    environment = {"KERAS_BACKEND": "numpy"}  # noqa: RUF012 - declared in the contract
    requires = ("keras",)
    distributions = ("keras", "numpy")
    install = "pip install 'bnconform[keras]'"
    capabilities = replace(KerasAdapter.capabilities, gradients=frozenset(), second_order=frozenset())
