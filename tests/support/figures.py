"""What a test calls to note a line of measured figures; `tests/reference/conftest.py` shows them after the run."""

from __future__ import annotations

from collections.abc import Callable

Figures = Callable[[str], None]
