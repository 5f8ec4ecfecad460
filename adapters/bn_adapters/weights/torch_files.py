"""PyTorch: `state_dict` files, and how their keys name a layer. Only tensors and containers are ever loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings, is_vector
from bn_conformance.convert.formats import WeightsFormat
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, UPDATES, VARIANCE, Slots, vectors_alike
from bn_conformance.convert.naming import Naming
from bn_conformance.convert.trees import leaves_of, replaced

LEAVES = {
    GAMMA: "weight",
    BETA: "bias",
    MEAN: "running_mean",
    VARIANCE: "running_var",
    UPDATES: "num_batches_tracked",
}
"""`torch.nn.modules.batchnorm._NormBase` names them so."""


def read(path: Path) -> Content:
    """The tensors of a file; what else a checkpoint holds, such as an epoch, is passed over."""
    import torch

    vectors: dict[Key, Array] = {}
    others: dict[Key, tuple[int, ...]] = {}
    for key, leaf in leaves_of(_loaded(path)):
        if isinstance(leaf, torch.Tensor):
            shape = tuple(leaf.shape)
            if is_vector(shape) and leaf.layout == torch.strided and not leaf.is_quantized:
                vectors[key] = array_of(leaf)
            else:
                others[key] = shape
    return Content(vectors, others)


def _loaded(path: Path) -> Any:
    """The objects of a file.

    Raises:
        ValueError: it holds something else than tensors, numbers, texts and their containers.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:  # its text advises to unpickle
        raise ValueError("it holds objects of Python, which could run code when they are loaded") from None


def array_of(tensor: Any) -> Array:
    """A tensor as an array of the same format."""
    import torch

    plain = tensor.detach().cpu().contiguous()
    if plain.dtype == torch.bfloat16:
        import ml_dtypes

        return np.asarray(plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16))
    return np.asarray(plain.numpy())


def tensor_of(array: Array) -> Any:
    """An array as a tensor of the same format."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.array(array))


def write(target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]) -> None:
    """A `state_dict` of these arrays, or an existing file with them."""
    import torch

    if existing is None:
        tree: Any = {".".join(key): tensor_of(array) for key, array in arrays.items()}
    else:
        tree = replaced(_loaded(existing), arrays, lambda old, new: tensor_of(new).reshape(old.shape).to(old.dtype))
    torch.save(tree, target)


def torch_slots(content: Content, _: str) -> list[Slots]:
    """Every module with `running_mean` and `running_var`, in the order of the file."""
    layers = []
    for key in content.vectors:
        if key[-1] != LEAVES[MEAN]:
            continue
        keys = {role: (*key[:-1], leaf) for role, leaf in LEAVES.items()}
        channels = vectors_alike(content, keys[MEAN], keys[VARIANCE])
        if channels:
            held = {
                role: own
                for role, own in keys.items()
                if (role == UPDATES and own in content.vectors) or vectors_alike(content, key, own)
            }
            layers.append(Slots(key[:-1], held, channels))
    return layers


def torch_keys(path: Key, roles: Collection[str]) -> Mapping[str, Key]:
    """The keys of a module: it has gamma and beta or neither, and a counter always."""
    held = {MEAN, VARIANCE, UPDATES} | ({GAMMA, BETA} if {GAMMA, BETA} & set(roles) else set())
    return {role: (*path, leaf) for role, leaf in LEAVES.items() if role in held}


NAMING = Naming("PyTorch", ("torch.nn",), "eps", "momentum", torch_slots, torch_keys)

FORMAT = WeightsFormat(
    title="a PyTorch file",
    suffixes=(".pt", ".pth", ".bin", ".ckpt"),
    naming="torch",
    requires=("torch",),
    install="pip install 'bnconform[torch]'",
    read=read,
    write=write,
    advice="it needs tensors in dictionaries alone: torch.save(model.state_dict(), file)",
)
