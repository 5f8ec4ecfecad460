"""`convert`: the batch-normalisation layers of a model, carried to another framework from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from bn_conformance.convert.content import Content, content_of
from bn_conformance.convert.conversion import Conversion, Wishes, convert_weights
from bn_conformance.convert.trees import leaves_of
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError


def convert(
    source: str | PathLike[str] | Mapping[str, Any],
    target: str | PathLike[str] | None = None,
    *,
    to: str = "",
    into: str | PathLike[str] | Mapping[str, Any] | None = None,
    patterns: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    eps: float | None = None,
    momentum: float | None = None,
    target_eps: float | None = None,
    lacking: str = "",
) -> Conversion:
    """Carry the batch-normalisation layers of a model to another framework, and run both sides.

    Args:
        source: a weights file (`.pt`, `.safetensors`, `.npz`, `.weights.h5`, `.keras`, `.msgpack`, a folder of Orbax),
            or the weights themselves: a `state_dict`, or the variables of a Flax module.
        target: the file to write; without one, nothing is written, and the arrays are in the result.
        to: whose names fresh weights follow: `"torch"`, `"keras"` or `"flax"`.
        into: the weights of the model that gets the layers, as a file or as `source` may be; all else in it is kept.
        patterns: of names of layers, such as `"encoder.*"`; all without one.
        rename: names of the target by those of the source; `*` stands for the same in both.
        eps: of the source's layers, where the file does not say it; its framework's default without one.
        momentum: the same of momentum, as the source's framework spells it.
        target_eps: of the target's layers, where they cannot be built with the source's; the running variance is
            shifted by the difference.
        lacking: `"gamma"` or `"beta"`: what layers of three vectors in a Keras file lack.

    Returns:
        What was carried (`layers`), what to know of it (`remarks`), how it was checked (`verification`), and the
        target's arrays by key (`arrays`) and as nested dictionaries (`tree`).

    Raises:
        UserError: a file cannot be read or written, or the layers do not fit; the message says what to do.
    """
    wishes = Wishes(
        to=to,
        patterns=tuple(patterns),
        rules=tuple(f"{old}={new}" for old, new in (rename or {}).items()),
        lacking=lacking,
        eps=eps,
        momentum=momentum,
        target_eps=target_eps,
    )
    given = None if into is None else _given(into)
    return convert_weights(_given(source), None if target is None else Path(target), given, wishes)


def _given(weights: str | PathLike[str] | Mapping[str, Any]) -> Path | Content:
    """A path, or the content of weights in memory."""
    if not isinstance(weights, Mapping):
        return Path(weights)
    try:
        return content_of({key: _array(leaf) for key, leaf in leaves_of(weights) if hasattr(leaf, "dtype") and key})
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"the weights cannot be read as arrays by name ({one_line(str(error))})") from None


def _array(leaf: Any) -> Any:
    """An array of a framework as one of NumPy's; tensors of torch leave their device, and bfloat16 becomes float32."""
    if hasattr(leaf, "detach"):
        leaf = leaf.detach().cpu()
        return leaf.float().numpy() if "bfloat16" in str(leaf.dtype) else leaf.numpy()
    return np.asarray(leaf)
