"""A chart with logarithmic axes as SVG, for the pictures of the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log10
from xml.sax.saxutils import escape

STYLE = """
text { font: 13px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: #1a1d21; }
.title { font-size: 15px; font-weight: 600; } .small { font-size: 12px; fill: #566070; }
.grid { stroke: #d3d9e0; fill: none; } .frame { stroke: #566070; fill: none; }
.line { fill: none; stroke-width: 2.5; } .bound { fill: none; stroke-width: 1.5; stroke-dasharray: 6 4; }
"""


@dataclass
class Chart:
    """A chart with two logarithmic axes, as pieces of SVG.

    Attributes:
        left, top, width, height: the area of the data, in pixels.
        x_decades, y_decades: first and last decade of each axis.
    """

    left: float
    top: float
    width: float
    height: float
    x_decades: tuple[int, int]
    y_decades: tuple[int, int]
    pieces: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Pixel of a value on the axis across."""
        low, high = self.x_decades
        return round(self.left + self.width * (min(max(log10(value), low), high) - low) / (high - low), 1)

    def y(self, value: float) -> float:
        """Pixel of a value on the upward axis."""
        low, high = self.y_decades
        place = (min(max(log10(value), low), high) - low) / (high - low) if value > 0 else 0.0
        return round(self.top + self.height * (1 - place), 1)

    def axes(self, title: str, across: str, upwards: str, every: int = 1) -> None:
        """Frame, grid, labels and titles."""
        bottom = self.top + self.height
        for decade in range(self.x_decades[0], self.x_decades[1] + 1):
            place = self.x(10.0**decade)
            self.pieces.append(f'<path class="grid" d="M{place} {self.top}V{bottom}"/>')
            self.text(place, bottom + 18, _power(decade), anchor="middle", style="small")
        for decade in range(self.y_decades[0], self.y_decades[1] + 1, every):
            place = self.y(10.0**decade)
            self.pieces.append(f'<path class="grid" d="M{self.left} {place}h{self.width}"/>')
            self.text(self.left - 7, place + 4, _power(decade), anchor="end", style="small")
        self.pieces.append(
            f'<rect class="frame" x="{self.left}" y="{self.top}" width="{self.width}" height="{self.height}"/>'
        )
        self.text(self.left, self.top - 30, title, style="title")
        self.text(self.left, self.top - 11, upwards, style="small")
        self.text(self.left + self.width, bottom + 38, across, anchor="end", style="small")

    def text(self, x: float, y: float, text: str, anchor: str = "start", style: str = "", fill: str = "") -> None:
        """Text at a place in pixels."""
        colour = f' style="fill:{fill}"' if fill else ""
        said = f' class="{style}"' if style else ""
        self.pieces.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{said}{colour}>{escape(text)}</text>')

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, style: str = "line") -> None:
        """A line through points."""
        points = "L".join(f"{self.x(x)} {self.y(y)}" for x, y in zip(xs, ys, strict=True))
        self.pieces.append(f'<path class="{style}" stroke="{colour}" d="M{points}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
        """The area between two lines."""
        there = [f"{self.x(x)} {self.y(y)}" for x, y in zip(xs, low, strict=True)]
        back = [f"{self.x(x)} {self.y(y)}" for x, y in zip(xs, high, strict=True)][::-1]
        self.pieces.append(f'<path fill="{colour}" d="M{"L".join(there + back)}z"/>')

    def dots(self, xs: Sequence[float], ys: Sequence[float], colour: str, size: float = 2.0) -> None:
        """A dot at each point, those at the same place once."""
        places = dict.fromkeys((round(self.x(x)), round(self.y(y))) for x, y in zip(xs, ys, strict=True))
        path = "".join(f"M{x} {y}h0" for x, y in places)
        self.pieces.append(
            f'<path stroke="{colour}" stroke-width="{2 * size}" stroke-linecap="round" fill="none" d="{path}"/>'
        )


def _power(decade: int) -> str:
    return {0: "1", 1: "10", 2: "100", 3: "1,000", 4: "10,000", 5: "100,000"}.get(decade, f"1e{decade}")


def svg(width: int, height: int, title: str, description: str, charts: Sequence[Chart]) -> str:
    """A picture with a title and a description for screen readers, on a ground that suits light and dark pages."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title description">'
    )
    about = f'<title id="title">{escape(title)}</title><desc id="description">{escape(description)}</desc>'
    ground = f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>'
    return "\n".join(
        [
            head,
            about,
            f"<style>{STYLE}</style>",
            ground,
            *(piece for chart in charts for piece in chart.pieces),
            "</svg>\n",
        ]
    )


def key(chart: Chart, left: float, top: float, rows: Sequence[tuple[str, str, str]]) -> None:
    """A key beside a chart: text, what stands before it, and its colour."""
    for place, (text, sign, colour) in enumerate(rows):
        y = top + 22 * place
        if sign == "area":
            chart.pieces.append(
                f'<rect x="{left}" y="{y - 11}" width="24" height="14" fill="{colour}" stroke="#566070"/>'
            )
        elif sign in ("line", "bound"):
            chart.pieces.append(f'<path class="{sign}" stroke="{colour}" d="M{left} {y - 4}h24"/>')
        title = not sign and bool(text)
        chart.text(left + (0 if title else 32), y, text, style="title" if title else "")
