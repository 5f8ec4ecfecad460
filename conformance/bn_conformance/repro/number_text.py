"""Numbers as code."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_text(number: Any) -> str:
    """The shortest text that gives a number of a NumPy format, and its sign where it is zero."""
    if isinstance(number, bool | np.bool_):
        return str(bool(number))
    if not np.isfinite(number):
        return "np.nan" if np.isnan(number) else ("np.inf" if number > 0 else "-np.inf")
    if number == 0:
        return "-0.0" if np.signbit(number) else "0"
    texts = (f"{float(number):.{digits}g}" for digits in range(1, 18))
    return next(text for text in texts if np.asarray(float(text)).astype(number.dtype) == number)
