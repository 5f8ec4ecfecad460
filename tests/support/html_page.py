"""An HTML page as its reader's programs see it: well-formed or not, with its elements, anchors and links."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = frozenset({"meta", "br", "wbr", "input", "path"})


@dataclass
class Element:
    """An element with its attributes and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str | Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own and its children's text."""
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)

    def find(self, name: str) -> list[Element]:
        """Elements of a name within this one, in order."""
        found: list[Element] = []
        for child in self.children:
            found += [child] * (child.name == name) + child.find(name)
        return found

    def classes(self) -> set[str]:
        """The element's classes."""
        return set(self.attributes.get("class", "").split())


class Page(HTMLParser):
    """A parsed page; an element that is not closed, or closed wrongly, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.elements: list[Element] = []
        self._open = [self.root]
        self.feed(text)
        self.close()
        assert self._open == [self.root], f"not closed: {[element.name for element in self._open[1:]]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        self._open[-1].pieces.append(element)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].pieces.append(data)

    def find(self, name: str) -> list[Element]:
        """Elements of a name, in order."""
        return [element for element in self.elements if element.name == name]

    def by_id(self, anchor: str) -> Element:
        """The element with an id."""
        (found,) = (element for element in self.elements if element.attributes.get("id") == anchor)
        return found

    def data(self) -> dict[str, Any]:
        """The numbers of every case, which the page's script unpacks."""
        unpacked: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(self.by_id("data").text.strip())))
        return unpacked

    def results_of_case(self, place: int = 0) -> list[list[str]]:
        """The results of a case: implementation, outcome with its sign and verdict, then what is told."""
        data = self.data()
        return [
            [
                data["names"][name],
                f"{data['marks'][mark][2]} {data['marks'][mark][0]}",
                data["verdicts"][verdict],
                data["texts"][text],
                *rest,
            ]
            for name, mark, verdict, text, *rest in data["cases"][place][6]
        ]

    def section(self, name: str) -> Element:
        """A part of the report."""
        (found,) = (element for element in self.find("section") if element.attributes["aria-labelledby"] == name)
        return found
