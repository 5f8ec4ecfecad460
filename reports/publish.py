"""Publish the matrix: `python reports/publish.py reports/matrix.jsonl` writes what is in published/."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from io import StringIO
from itertools import takewhile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bn_conformance.report.html import render_html
from bn_conformance.report.markdown import render_markdown
from bn_conformance.report.terminal import print_summary
from bn_conformance.results.file import Results, read_results

FOLDER = Path(__file__).parent / "published"
WIDTH = 120
"""Columns of the terminal in the picture."""

_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main(path: str) -> int:
    """Write Markdown, HTML and the picture from a results file."""
    results = without_paths(read_results(path))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "matrix.html").write_text(render_html(results), encoding="utf-8")
    (FOLDER / "matrix.md").write_text(render_markdown(results), encoding="utf-8")
    (FOLDER / "summary.svg").write_text(picture(results), encoding="utf-8")
    return 0


def without_paths(results: Results) -> Results:
    """The results without the folder that their file lies in: it says nothing elsewhere."""
    name = Path(results.path).name
    options = {
        option: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for option, value in results.header.options.items()
    }
    return replace(results, path=name, header=replace(results.header, options=options))


def picture(results: Results) -> str:
    """The matrix and its legend as the terminal shows them, up to the first empty line: SVG without web fonts."""
    printed, pictured = _console(), _console()
    print_summary(results, printed)
    for line in takewhile(str.strip, printed.export_text(styles=True).splitlines()):
        pictured.print(Text.from_ansi(line), no_wrap=True, crop=True)
    drawn = _WEB_FONTS.sub("", pictured.export_svg(title="bnconform run"))
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def _console() -> Console:
    return Console(width=WIDTH, record=True, file=StringIO(), force_terminal=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
