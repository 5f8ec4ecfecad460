"""Output without measure is cut without losing what is written meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from bn_conformance.hosting import watch
from bn_conformance.hosting.watch import BLOCK, Watch

LINES = 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file takes no holes")
def test_what_is_written_while_output_is_cut_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_OUTPUT", 1 << 16)
    with (tmp_path / "errors").open("w+b") as errors:
        watched = Watch(os.getpid(), "", errors)
        writer = Thread(target=lambda: [os.write(errors.fileno(), b"%09d\n" % line) for line in range(LINES)])
        writer.start()
        while writer.is_alive():
            watched.look()
        watched.look()
        told = os.fstat(errors.fileno())
        assert told.st_size == LINES * 10, "nothing is lost"
        assert told.st_blocks * BLOCK <= (1 << 16) + 4096
        assert watched.tail().endswith(f"{LINES - 1:09d}\n")
