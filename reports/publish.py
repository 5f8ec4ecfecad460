"""Publish the matrix: `python reports/publish.py reports/matrix.jsonl` writes published/matrix.md and summary.svg."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from bn_conformance.report.markdown import render
from bn_conformance.report.terminal import print_summary
from bn_conformance.results.file import read

FOLDER = Path(__file__).parent / "published"
LINES = 18
"""Lines of the summary that the picture shows: the matrix itself."""


def main(path: str) -> int:
    """Write both from a results file."""
    results = read(path)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "matrix.md").write_text(render(results), encoding="utf-8")
    full = Console(width=100, record=True, file=Path("/dev/null").open("w"), force_terminal=True)  # noqa: SIM115
    print_summary(results, full)
    shown = Console(width=100, record=True, file=Path("/dev/null").open("w"), force_terminal=True)  # noqa: SIM115
    text = full.export_text(styles=True).splitlines()[:LINES]
    from rich.text import Text

    for line in text:
        shown.print(Text.from_ansi(line), no_wrap=True, crop=True)
    picture = shown.export_svg(title="bnconform run")
    without_web_fonts = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    trimmed = "\n".join(line.rstrip() for line in without_web_fonts.splitlines()) + "\n"
    (FOLDER / "summary.svg").write_text(trimmed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
