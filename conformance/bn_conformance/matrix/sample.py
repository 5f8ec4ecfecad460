"""The sample of cases that is asked: at least one of every class, so that a verdict takes seconds.

Plain cases repeat questions in several places and formats, and sweeps over many sizes and settings as well. A run or
a check asks a part in which every single class occurs: each question; each clause in each rank and each width of
format; each place of the channels in each format; and in each mode each class of sizes and each kind of memory. What is
left out repeats these in other pairs. `--case '*'` asks it. What compiles is asked no sweeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from heapq import heapify, heappop, heapreplace
from itertools import chain, islice
from math import prod

from bn_conformance.cases.model import Batch, Case
from bn_conformance.catalogue.far import FAR
from bn_reference.arithmetic.formats import FORMATS
from bn_reference.specification.enough import minimums

ALONE = frozenset(
    {
        "num/nc-65536x3/float32/long-dy-constant",  # sequential-sums, sequential-gradient-sums
        "num/nc-32769x1/float32/seams",  # seam-twice-in-variance, seam-dropped-from-variance
        "num/nc-4099x2/float64/length",  # float64-statistics-in-float32-beyond-4096, the same of gradients
        "num/nc-5000x2/float32/exact-long-dbeta",  # dbeta-over-n-minus-1-beyond-4096
        "stat/nchw/float16/crossed-momentum-0",  # 16-bit-momentum-0-as-default
        "fwd/ncl/float32/crossed-no-affine",  # dx-detached-without-parameters-at-rank-3
        "fwd/ncdhw/float32/crossed-no-affine",  # dx-detached-without-parameters-at-rank-5
        "edge/nchw/float16/crossed-nan",  # 16-bit-nan-becomes-zero
        "edge/nchw-1x3x1x1/float64/crossed-one-value",  # float64-one-value-unchanged
    }
)
"""Sweeps that are in every sample: nothing else in a sample shows these deviations of the catalogue."""

ALONE_OF_PLAIN = (
    "fwd/*/random",
    "eval/*/random",  # reciprocal-root-of-20-bits-in-inference
    "grad/*/random",
    "stat/*/float32/momentum-1",  # momentum-one-as-zero
    "grad/*/float32/momentum-[01]",  # gradient-past-statistics-at-momentum-0, -1
    "state/*/float32/backward-after-set-statistics-inference",  # inference-gradient-by-mean-of-now, -by-variance-of-now
    "layout/*/float32/view-channels-last",  # channels-last-read-as-c
    "num/*/float32/exact-statistics-inference-gradients",  # reciprocal-root-of-20-bits-in-backward
    "num/*/bfloat16/scale-1e+12",  # bfloat16-through-float16
    "edge/*/float64/nan-in-training",  # float64-infinity-in-every-channel
)
"""Patterns of plain cases that are in every sample of these: what says most, and what alone shows a deviation."""

FEW_PLAIN = 300
"""Plain cases that are asked without a sample."""

LONGEST_PLAIN = 300
"""Effort of plain cases beyond which a sample leaves them out: they ask many steps of what others ask a few."""

LONGEST_FAR = 50
"""Effort of a far case beyond which no sample asks it for its question alone, which plain cases ask at usual places."""

EFFORT_OF_A_CASE = 3.0
"""What every case takes beside its effort, in the same small steps."""

_NUMBERS = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")

_LONG = (1, 32, 1024, 4999, 60_000)
"""The largest numbers of values a channel of each class but the last: code has other paths beyond some of them.

The last class is one for all widths of format: each of its cases takes as long as thirty others.
"""


def sampled_sweeps(sweeps: Iterable[Case], plain: Iterable[Case]) -> frozenset[str]:
    """Ids of sweeps in which every class of all sweeps occurs that no plain case has.

    The next sweep is always that with the most new classes for its effort.

    Args:
        sweeps: that could be asked.
        plain: cases that are asked anyway.
    """
    asked, cases = chain.from_iterable(map(classes_of, plain)), {case.id: case for case in sweeps}
    return _sample(cases, [case_id for case_id in cases if case_id in ALONE], asked)


def sampled_plain(plain: Iterable[Case], compiles: bool = False) -> frozenset[str]:
    """Ids of plain cases in which every class of all of them occurs, but for those of very long ones.

    Enough of them are chosen for each claim that a layer may make: twice what SPEC.md asks for, since some may turn out
    to be refused or not judged. What compiles is asked in few shapes and formats, as each takes as long as a hundred
    cases.

    Args:
        plain: that could be asked.
        compiles: whether a case is dear in a shape or format that no other case has.
    """
    cases = {case.id: case for case in plain}
    if len(cases) <= FEW_PLAIN:
        return frozenset(cases)
    cases = {case_id: case for case_id, case in cases.items() if case.effort <= LONGEST_PLAIN}
    chosen = [case_id for case_id in cases if any(fnmatchcase(case_id, pattern) for pattern in ALONE_OF_PLAIN)]
    if compiles:
        signatures = _few_signatures(cases.values(), [cases[case_id] for case_id in chosen])
        cases = {case_id: case for case_id, case in cases.items() if case.signature in signatures}
    for minimum in minimums():
        claimed = (case.id for case in cases.values() if minimum.clause in case.clauses)
        chosen += islice(claimed, 2 * minimum.cases)
    return _sample(cases, chosen)


def with_classes_of(lost: Iterable[Case], asked: Iterable[Case], others: Iterable[Case]) -> list[Case]:
    """The cases which have classes that nothing has that is asked, since what had them is declined.

    Args:
        lost: what is declined of a sample.
        asked: what is not, and what is asked beside the sample.
        others: outside the sample.
    """
    classes = {*chain.from_iterable(map(classes_of, lost))} - {*chain.from_iterable(map(classes_of, asked))}
    return [case for case in others if classes & classes_of(case)] if classes else []


def _sample(cases: Mapping[str, Case], chosen: Collection[str], asked: Iterable[Hashable] = ()) -> frozenset[str]:
    """Cases that are chosen, and more in which every class occurs that these and what is asked do not have."""
    known = {*asked, *chain.from_iterable(classes_of(cases[case_id]) for case_id in chosen)}
    new = {case_id: classes_of(case) - known for case_id, case in cases.items()}
    return frozenset((*chosen, *_cover(new, {case_id: case.effort for case_id, case in cases.items()})))


def _few_signatures(cases: Iterable[Case], asked: Iterable[Case]) -> frozenset[str]:
    """The signatures of what is asked anyway, and few more, so that every class occurs in the cases that have one."""
    classes: dict[str, frozenset[Hashable]] = {}
    for case in cases:
        classes[case.signature] = classes.get(case.signature, frozenset()) | classes_of(case)
    known = frozenset(case.signature for case in asked)
    found = frozenset(chain.from_iterable(classes[signature] for signature in known))
    left = {signature: held - found for signature, held in classes.items()}
    return known.union(_cover(left, dict.fromkeys(left, 0.0)))


def _cover(classes: dict[str, frozenset[Hashable]], efforts: dict[str, float]) -> Iterator[str]:
    """A cover of all classes by few members. A member that has lost worth is weighed again when its turn comes."""

    def weighed(member: str) -> tuple[float, str]:
        return -len(classes[member] - found) / (EFFORT_OF_A_CASE + efforts[member]), member

    found: set[Hashable] = set()
    queue = [weighed(member) for member in classes]
    heapify(queue)
    while queue:
        now = weighed(queue[0][1])
        if now > queue[0]:
            heapreplace(queue, now)
            continue
        member = heappop(queue)[1]
        if classes[member] <= found:
            continue
        found |= classes[member]
        yield member


def classes_of(case: Case) -> frozenset[Hashable]:
    """Every class that a case is a member of."""
    config, width = case.config, FORMATS[case.config.dtype].precision
    classes: set[Hashable] = {
        ("place", config.rank, config.channel_axis, config.dtype, config.parameter_dtype),
        ("affine", config.gamma, config.beta, width),
        ("affine", config.gamma, config.beta, "rank", config.rank),
        ("eps", config.eps),
        ("momentum", config.momentum),
    }
    if FAR not in case.axes or case.effort <= LONGEST_FAR:
        classes.add(("question", _NUMBERS.sub("", case.title)))
    for clause in case.clauses:
        classes |= {(clause, "rank", config.rank), (clause, "width", width)}
    for batch in {_look(batch): batch for batch in case.batches}.values():
        classes |= _of_batch(batch, config.channel_axis, width)
    return frozenset(classes)


def _look(batch: Batch) -> Sequence[Hashable]:
    """What of a batch its classes depend on."""
    return batch.shape, _mode(batch), batch.view, batch.dy_view, batch.x.kind


def _of_batch(batch: Batch, axis: int, width: int) -> set[Hashable]:
    shape, mode = batch.shape, _mode(batch)
    channels = shape[axis] if axis < len(shape) else 0
    count = prod(shape) // max(channels, 1)
    return {
        ("channels", _class_of(channels), mode),
        ("count", _class_of(count)),
        ("length", longer := sum(count > limit for limit in _LONG), mode, width if longer < len(_LONG) else "any"),
        ("entries", _class_of(shape[0] if shape else 0)),
        ("rank", len(shape), axis, mode),
        ("width", width, mode),
        ("view", batch.view, mode),
        ("dy view", batch.dy_view),
        ("data", batch.x.kind),
    }


def _mode(batch: Batch) -> str:
    if batch.second is not None:
        return "second order"
    if batch.mask is not None:
        return "masked"
    return "training" if batch.training else "inference"


def _class_of(size: int) -> tuple[int, bool]:
    """The class of a size: its power of two, and whether it is just that power."""
    return size.bit_length(), size & (size - 1) == 0
