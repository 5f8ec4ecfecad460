"""Arrays of NumPy, PyTorch and JAX under the same few words, so that functions of any of them are called alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array


@dataclass(frozen=True)
class NumpyArrays:
    """NumPy's own: everything goes through as it is."""

    name: str = "numpy"

    def of(self, array: Array) -> Any:
        """What a function of this library takes: over the same memory where that is possible."""
        return array

    def back(self, value: Any) -> Any:
        """A result as an array; what is no array stays as it is."""
        return value

    def empty(self, like: Any) -> Any:
        """Memory for a result."""
        return np.full_like(like, np.nan)

    def zeros(self, like: Any) -> Any:
        """Zeros of the shape and format of an array."""
        return np.zeros_like(like)


class TorchArrays(NumpyArrays):
    """Tensors over the memory of NumPy arrays."""

    def of(self, array: Array) -> Any:
        from bn_adapters.torch_tensors import to_tensor

        return to_tensor(array)

    def back(self, value: Any) -> Any:
        from bn_adapters.torch_tensors import load_torch, to_array

        return to_array(value) if isinstance(value, load_torch().Tensor) else value

    def empty(self, like: Any) -> Any:
        from bn_adapters.torch_tensors import load_torch

        return load_torch().full_like(like, float("nan"))

    def zeros(self, like: Any) -> Any:
        from bn_adapters.torch_tensors import load_torch

        return load_torch().zeros_like(like)


class JaxArrays(NumpyArrays):
    """JAX arrays, which are copies."""

    def of(self, array: Array) -> Any:
        from bn_adapters.jax_functions import jax_copy

        return jax_copy(array)

    def zeros(self, like: Any) -> Any:
        import jax.numpy as jnp

        return jnp.zeros_like(like)

    def back(self, value: Any) -> Any:
        import jax

        return np.asarray(value) if isinstance(value, jax.Array) else value


NUMPY, TORCH, JAX = NumpyArrays("numpy"), TorchArrays("torch"), JaxArrays("jax")
