"""The pictures of the documentation are drawn from real numbers, the same each time, and say what they show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

SCRIPT = Path(__file__).parents[3] / "docs" / "pictures.py"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder: Path) -> dict[str, str]:
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_both_pictures_are_the_same_each_time_and_have_a_title_and_a_description(tmp_path: Path) -> None:
    pictures = drawn(tmp_path / "once")
    assert pictures == drawn(tmp_path / "twice")
    assert set(pictures) == {"levels.svg", "bounds.svg"}
    for text in pictures.values():
        root = ElementTree.fromstring(text)
        assert root.attrib["role"] == "img"
        assert all((root.find(f"{SVG}{name}").text or "").strip() for name in ("title", "desc"))  # type: ignore[union-attr]


def test_the_picture_of_levels_names_every_level_it_draws(tmp_path: Path) -> None:
    words = {element.text for element in ElementTree.fromstring(drawn(tmp_path)["levels.svg"]).iter(f"{SVG}text")}
    assert {"tight", "stable", "degraded(raw-moments)", "wrong", "not judged"} <= words
