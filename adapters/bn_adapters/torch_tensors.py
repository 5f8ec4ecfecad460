"""PyTorch on one thread, and tensors over the memory of NumPy arrays and back."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from bn_conformance.adapter import Array


@cache
def load_torch() -> Any:
    """The module torch, imported at the first call and set to one thread."""
    import torch

    torch.set_num_threads(1)
    return torch


def torch_dtype(name: str) -> Any:
    """The dtype of torch with a format's name, for example of "bfloat16"."""
    return getattr(load_torch(), name)


def to_tensor(array: Array, device: str = "cpu") -> Any:
    """A tensor over the memory of the array: strides, broadcasting and offset are kept, nothing is copied or rounded.

    Only where torch has no such tensor (negative strides, or a stride between two elements) is the array copied first.
    A dtype that torch does not know raises torch's own TypeError.
    """
    torch = load_torch()
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    is_bfloat16 = array.dtype == ml_dtypes.bfloat16
    bits = array.view(np.int16) if is_bfloat16 else array  # torch does not know the dtype of ml_dtypes
    if bits.flags.writeable:
        tensor = torch.from_numpy(bits)
    else:
        with (
            warnings.catch_warnings()
        ):  # torch has no read-only tensors and says so; whether one is written to is tested
            warnings.simplefilter("ignore", UserWarning)
            tensor = torch.from_numpy(bits)
    return (tensor.view(torch.bfloat16) if is_bfloat16 else tensor).to(device)


def to_array(tensor: Any) -> Array:
    """A NumPy array over the memory of the tensor (a copy of it if that is on another device)."""
    torch = load_torch()
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return np.asarray(tensor.view(torch.int16).numpy()).view(ml_dtypes.bfloat16)
    return np.asarray(tensor.numpy())
