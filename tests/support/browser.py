"""What tests in a real browser share: where it is, and how long a busy machine may take."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package chromium)"),
]
"""The marks of a module that needs one."""

PATIENCE = 120_000
"""Milliseconds that a busy machine may take; nothing is judged by them."""

expect.set_options(timeout=PATIENCE)
