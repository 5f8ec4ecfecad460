"""Arrays of any framework as NumPy's."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from bn_conformance.text import one_line
from bn_conformance.user_error import UserError


def numpy_array(name: str, value: Any) -> NDArray[Any]:
    """An array, a tensor of a framework, a number or a list as an array of NumPy; bfloat16 stays what it is.

    Raises:
        UserError: it is none.
    """
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            if "bfloat16" in str(value.dtype):
                return np.asarray(value.float().numpy().astype(ml_dtypes.bfloat16))
            value = value.numpy()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name} cannot be read as an array ({one_line(str(error), 100)})") from None
    if array.dtype.hasobject:
        raise UserError(f"{name} is a {one_line(type(value).__name__, 60)}; give an array of numbers")
    return array
