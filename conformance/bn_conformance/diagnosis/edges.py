"""The usual edges: kinds of cases that much code fails beside its actual mistake.

Cases of an edge are explained by themselves, after all others. What no deviation explains of them is said in one
sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from bn_conformance.cases.model import Batch, Case
from bn_conformance.results import outcomes
from bn_conformance.results.records import Item
from bn_conformance.text import counted, one_line

LONG = 1 << 14
"""Values of a channel from which on the order of a float32 sum decides whether its digits are lost."""


@dataclass(frozen=True)
class Edge:
    """A kind of cases.

    Attributes:
        name: what is unusual in them, to stand after "with".
        covers: whether a case is of this kind.
    """

    name: str
    covers: Callable[[Case], bool]


def _values(case: Case, batch: Batch) -> int:
    """How many values a channel has."""
    return prod(batch.shape) // case.config.num_channels if case.config.num_channels else 0


EDGES = (
    Edge("input that is to be refused, such as one channel where the layer has several", lambda case: _refused(case)),
    Edge("no channels", lambda case: case.config.num_channels == 0),
    Edge("an empty batch", lambda case: any(prod(batch.shape) == 0 for batch in case.batches)),
    Edge("one value per channel in training", lambda case: any(_is_one_value(case, batch) for batch in case.batches)),
    Edge("NaN or an infinity in the data", lambda case: case.nonfinite_alike),
    Edge(
        f"{LONG:,} values a channel or more",
        lambda case: any(_values(case, batch) >= LONG for batch in case.batches),
    ),
)
"""A case belongs to the first that covers it."""


def _refused(case: Case) -> bool:
    return case.expects == "refusal"


def _is_one_value(case: Case, batch: Batch) -> bool:
    return batch.training and _values(case, batch) == 1


def edge_of(case: Case) -> Edge | None:
    """The edge that a case belongs to; None for an ordinary one."""
    return next((edge for edge in EDGES if edge.covers(case)), None)


def edge_sentence(edge: Edge, items: Sequence[Item]) -> str:
    """What goes wrong at an edge, in a sentence."""
    said = Counter(map(_what, items)).most_common(1)[0][0]
    return f"With {edge.name} {said} ({counted(len(items), 'case')}; set aside)."


def _what(item: Item) -> str:
    """What an item says, as the end of a sentence."""
    if item.outcome in (outcomes.ERRORED, outcomes.CRASHED, outcomes.TIMED_OUT):
        return f"it raises an error: {one_line(item.message)[:100]}" if item.message else f"it has {item.outcome}"
    wrong = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    if not wrong:
        return "it gives a result without an error"
    names = sorted({quantity.name.rpartition(".")[2] for quantity in wrong})
    return f"{', '.join(names)} {'is' if len(names) == 1 and names[0] != 'statistics' else 'are'} wrong"
