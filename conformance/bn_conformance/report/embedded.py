"""The numbers of every case as compact data inside the page, from which its script builds what a reader opens.

A matrix has some twenty thousand results. As elements they would be nine tenths of the page, as data a fifth of it.
All texts are made displayable here, and the script puts them into the page as text alone.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from bn_conformance import text
from bn_conformance.report.breakdown import data_format, data_layout
from bn_conformance.report.entries import Entry
from bn_conformance.report.glossary import anchor_of_outcome
from bn_conformance.report.legend import readable
from bn_conformance.report.pairs import pair_data
from bn_conformance.report.summary import ImplementationSummary, Summary
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import CaseInfo


def embedded(summary: Summary, anchors: Mapping[str, str], shown: tuple[str, ...] = ()) -> str:
    """The data as base64 of deflated JSON.

    Args:
        summary: of the results.
        anchors: of the cases.
        shown: the two implementations that stand side by side at first; of none the first of all, of one alone that one
            beside the reference.

    Returns:
        Letters, digits, `+`, `/` and `=` alone, so that nothing in it is markup.
    """
    data = json.dumps(_Tables(summary).document(anchors, shown), separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(data.encode("utf-8"), 9)).decode("ascii")


class _Table:
    """Values, each told once; its index stands for it elsewhere."""

    def __init__(self) -> None:
        self.values: dict[Any, int] = {}

    def index(self, value: Any) -> int:
        return self.values.setdefault(value, len(self.values))


class _Tables:
    """The document while it is made."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._names = {one.name: place for place, one in enumerate(_judged(summary))}
        self._marks, self._verdicts, self._texts = _Table(), _Table(), _Table()

    def document(self, anchors: Mapping[str, str], shown: tuple[str, ...]) -> dict[str, Any]:
        """Names, tables and cases; each case with its results and who does not support it."""
        cases = [
            self._case(info, anchors[info.id]) for members in self._summary.cases_by_family.values() for info in members
        ]
        pairs = pair_data(_judged(self._summary), lambda words: self._texts.index(text.printable(words)))
        places = [self._names[name] for name in shown if name in self._names]
        pairs["shown"] = (places or [0]) + [-1] * (2 - max(len(places), 1))
        return {
            "names": [text.printable(name) for name in self._names],
            "marks": list(self._marks.values),
            "verdicts": list(self._verdicts.values),
            "texts": list(self._texts.values),
            "cases": cases,
            "pairs": pairs,
        }

    def _case(self, info: CaseInfo, anchor: str) -> list[Any]:
        entries = self._summary.cases[info.id]
        about = f"{info.title}. {info.requirement}; clauses {', '.join(info.clauses)}"
        about += f"; {text.plain(info.axes)}" if info.axes else ""
        return [
            text.printable(info.id),
            anchor,
            self._texts.index(text.printable(info.family)),
            self._texts.index(text.printable(data_format(info))),
            self._texts.index(text.printable(data_layout(info))),
            text.printable(about),
            [self._result(name, entry) for name, entry in entries.items() if _was_run(entry)],
            [
                [self._texts.index(text.one_line(reason or "no reason given")), [self._names[name] for name in names]]
                for reason, names in self._summary.unsupported(info.id).items()
            ],
        ]

    def _result(self, name: str, entry: Entry) -> list[Any]:
        sign, worst = entry.sign, entry.worst
        anchor = anchor_of_outcome(entry.item.outcome)
        shown = (text.printable(readable(entry.item.outcome)), sign.name, sign.symbol, anchor)
        start = [self._names[name], self._marks.index(shown), self._verdicts.index(entry.item.verdict)]
        if worst is None or worst.error is None:
            return [*start, self._texts.index(text.one_line(entry.why, 200))]
        return [
            *start,
            self._texts.index(text.printable(worst.name)),
            text.element(worst.index),
            text.number(worst.ratio),
            text.number(worst.expected, 9),
            text.number(worst.got, 9),
            text.number(worst.error),
            text.number(worst.bound),
            text.number(worst.ulp),
        ]


def _was_run(entry: Entry) -> bool:
    return entry.item.verdict not in (ItemVerdict.UNSUPPORTED, ItemVerdict.NOT_ASKED)


def _judged(summary: Summary) -> list[ImplementationSummary]:
    return [one for one in summary.implementations if one.entries]


def plain_lines(summary: Summary, cases: list[CaseInfo]) -> list[tuple[str, str]]:
    """The id of each case, and a sign for each implementation that was judged: what is read without the script."""
    names = [one.name for one in _judged(summary)]
    return [(case.id, "".join(_symbol(summary.cases[case.id].get(name)) for name in names)) for case in cases]


def _symbol(entry: Entry | None) -> str:
    return "–" if entry is None else entry.sign.symbol
