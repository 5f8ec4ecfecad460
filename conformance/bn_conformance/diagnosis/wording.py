"""A diagnosis in words: what explains the failures, what is set aside, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bn_conformance.diagnosis.candidates import Found
from bn_conformance.diagnosis.edges import Edge, edge_of, edge_sentence
from bn_conformance.diagnosis.errors import errors_sentence
from bn_conformance.diagnosis.examined import Examined
from bn_conformance.diagnosis.shared_traits import shared_sentence
from bn_conformance.diagnosis.subject import JudgedImplementation
from bn_conformance.results.outcomes import ERRORED, RIGHT
from bn_conformance.results.records import Item
from bn_conformance.text import counted


@dataclass(frozen=True)
class Explained:
    """What a search gave.

    Attributes:
        found: deviations, those that explain most first.
        examined: the cases that were examined.
        failing: how many cases fail that can be examined.
        rest: ordinary items that were examined and that nothing explains.
        terms: what is known of a dx in the rest; empty where nothing is.
        unseen: ordinary items that were not examined.
        edges: items at edges, those edges alone of which something is unexplained.
        stopped: whether the search ended at its budget, so that more may explain the rest.
        at_edges_alone: whether every failing case is at an edge.
    """

    found: tuple[Found, ...]
    examined: tuple[Examined, ...]
    failing: int
    rest: tuple[Item, ...]
    unseen: tuple[Item, ...]
    edges: Mapping[Edge, Sequence[Item]]
    stopped: bool = False
    at_edges_alone: bool = False
    terms: str = ""


def message(subject: JudgedImplementation, explained: Explained) -> str:
    """The diagnosis, a line for each thing that is said, the cause of most failures first."""
    of_edges = [found for found in explained.found if all(edge_of(one.case) for one in found.explained)]
    sentences = [_found(found, explained) for found in explained.found if found not in of_edges]
    sentences += [_rest(subject, explained)] * bool(explained.rest)
    sentences += [_found(found, explained) for found in of_edges]
    if explained.rest and not explained.found:
        sentences += [_edges_too(explained.edges)] * bool(explained.edges)
    else:
        sentences += [edge_sentence(edge, items) for edge, items in explained.edges.items()]
    sentences += [_edges_alone(subject)] * explained.at_edges_alone
    return "\n".join(sentences)


def _found(found: Found, explained: Explained) -> str:
    """What a deviation is, what to declare if it is meant, and what speaks for it."""
    what = " and ".join(
        f"{deviation.name}: {deviation.sentence[0].lower()}{deviation.sentence[1:].rstrip('.')}"
        for deviation in found.deviations
    )
    declared = [f"{name}={value!r}" for deviation in found.deviations for name, value in deviation.convention.items()]
    advice = f"; if that is meant, declare {', '.join(declared)}" if declared else ""
    alike = f" (these cases cannot tell it from {' or '.join(found.alike)})" if found.alike else ""
    count, of = len(found.explained), len(explained.examined)
    if of == 1:
        cases = "the one failing case that was examined"
    elif count == of:
        cases = f"all {of} failing cases that were examined"
    else:
        cases = f"{count} of the {of} failing cases that were examined, such as {found.explained[0].case.id}"
    against = f" and contradicts {found.contradictions}" if found.contradictions else ""
    agrees = f"agrees with {counted(found.witnesses, 'passing case')}{against}"
    return f"{what}{advice}. It explains {cases}{alike} and {agrees}."


def _edges_alone(subject: JudgedImplementation) -> str:
    """That nothing but edges fails."""
    ordinary = [item for item in subject.with_verdict(*RIGHT) if edge_of(subject.cases[item.case]) is None]
    return f"Every failing case is at one of these edges: all {counted(len(ordinary), 'case')} beside them pass."


def _edges_too(edges: Mapping[Edge, Sequence[Item]]) -> str:
    """The edges at which cases fail too, where the ordinary cases are not understood."""
    places = [f"{edge.name} ({len(items)})" for edge, items in edges.items()]
    return f"Cases with {'; '.join(places)} fail too, for this reason or another."


def _rest(subject: JudgedImplementation, explained: Explained) -> str:
    """What the cases share that nothing explains; those that nobody examined count where nothing at all was found."""
    items = [*explained.rest, *(() if explained.found else explained.unseen)]
    if all(item.outcome == ERRORED for item in items):
        return errors_sentence([(item, subject.cases[item.case]) for item in items])
    passing = [subject.cases[item.case] for item in subject.with_verdict(*RIGHT)]
    shared = shared_sentence([(item, subject.cases[item.case]) for item in items], passing)
    what = "the rest" if explained.found else "it"
    shared = " ".join(filter(None, (shared, explained.terms)))
    if explained.stopped:
        return f"The search for what explains {what} ended at its limit of work: {shared}"
    return f"No known deviation explains {what}: {shared}"
