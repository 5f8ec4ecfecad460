"""Support: whether an implementation declares what a case needs.

`NEEDS` is a table with a row for each capability. A row says what a case needs, and whether an implementation declares
it. A case runs where the implementation declares all that it needs. Otherwise it is `unsupported`, and the first need
that is not declared is the reason on record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bn_conformance.adapter import Capabilities, Convention, LayerConfig
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.course import course_of
from bn_conformance.cases.literals import needed_names, own_value
from bn_conformance.cases.model import (
    PARAMETER_GRADIENTS,
    STATISTICS,
    Batch,
    Case,
    EarlierBackward,
    Freeze,
    Reload,
    SetStatistics,
)

AFFINE = {(True, True): "both", (False, False): "none", (True, False): "gamma", (False, True): "beta"}
"""How a capability names whether a layer has gamma and beta."""

ANY_LAYOUT = "first or last"
FROZEN = "a frozen layer"
"""The mode of a training step of a frozen layer."""

LITERAL = "a choice of {}"
NONDETERMINISTIC = "declared nondeterministic"
OF_PARAMETERS = ("GRAD-2", "GRAD-3", "SECOND-2")
"""Clauses about the gradients of gamma and beta."""


@dataclass(frozen=True)
class Need:
    """One capability: a row of `NEEDS`.

    Attributes:
        capabilities: the fields of `Capabilities` that the row reads.
        of: gives the needs of a case, each in a word; none where the case does not use the capability.
        declared: whether an implementation declares a need.
        reason: what is not declared, a sentence without its end; `{}` stands for the needs that are not.
    """

    capabilities: tuple[str, ...]
    of: Callable[[Case], Iterable[Any]]
    declared: Callable[[Capabilities, Any], bool]
    reason: str

    def lack(self, case: Case, can: Capabilities) -> str:
        """Say what is lacking, in words; empty where nothing is."""
        for need in self.of(case):
            if not self.declared(can, need):
                lacking = sorted(str(undeclared) for undeclared in self.of(case) if not self.declared(can, undeclared))
                return self.reason.format(" and ".join(lacking))
        return ""


def _flag(name: str, needed: Callable[[Case], bool], reason: str) -> Need:
    """Make the row of a capability that is True or False."""
    return Need((name,), lambda case: (name,) if needed(case) else (), lambda can, _: getattr(can, name), reason)


class _Formats(NamedTuple):
    """The format of x, and that of the parameters."""

    dtype: str
    parameter_dtype: str

    def __str__(self) -> str:
        return (
            self.dtype if self.dtype == self.parameter_dtype else f"{self.dtype} with {self.parameter_dtype} parameters"
        )


def _formats(case: Case) -> tuple[_Formats]:
    return (_Formats(case.config.dtype, case.config.parameter_dtype),)


def _declares_formats(can: Capabilities, formats: _Formats) -> bool:
    if formats.dtype == formats.parameter_dtype:
        return formats.dtype in can.dtypes
    return (formats.dtype, formats.parameter_dtype) in can.mixed


def _layout(case: Case) -> tuple[str]:
    """The layout that a case needs. At rank 2 any will do: the channels are on the only axis beside the batch."""
    return (case.config.layout if case.config.rank > 2 else ANY_LAYOUT,)


def _declares_layout(can: Capabilities, layout: str) -> bool:
    return bool(can.layouts) if layout == ANY_LAYOUT else layout in can.layouts


def _both_layouts(case: Case) -> tuple[str, ...]:
    return ("first and last",) if "layouts" in case.laws else ()


def _affine(case: Case) -> tuple[str]:
    return (AFFINE[case.config.gamma, case.config.beta],)


def _masked(case: Case) -> bool:
    return any(batch.mask is not None for batch in case.batches)


def _kinds_of_shards(case: Case) -> set[str]:
    """Which kinds of shards a case has: equal or unequal ones, empty ones among them, and such with masks."""
    kinds = set()
    for batch in (batch for batch in case.batches if batch.shards):
        sizes = batch.shards or ()
        kinds |= {"equal" if len(set(sizes)) == 1 else "unequal"} | ({"empty"} if 0 in sizes else set())
        kinds |= set() if batch.mask is None else {"masked"}
    return kinds


def _sweep(case: Case) -> tuple[str, ...]:
    return ("sweep",) if case.sweep else ()


def _saved(case: Case) -> set[str]:
    """What a case asks of the statistics that a forward saves."""
    return {batch.saved for batch in case.batches if batch.saved}


def _changes_by(kind: type[Any]) -> Callable[[Case], bool]:
    return lambda case: kind in map(type, case.changes)


def _mode(batch: Batch) -> str:
    return "training" if batch.training else "inference"


_latest: tuple[Case | None, tuple[tuple[str, Batch], ...]] = (None, ())
"""The case that `_batches_by_mode` was asked about last, with its answer: most rows of `NEEDS` ask it again."""


def _batches_by_mode(case: Case) -> tuple[tuple[str, Batch], ...]:
    """Every batch of a case with its mode: training, inference, or that of a frozen layer, which infers in training."""
    global _latest
    asked, answer = _latest
    if asked is not case:
        freezes = Freeze in map(type, case.changes)
        frozen = [turn.step for turn in course_of(case) if turn.frozen and turn.step.training] if freezes else []
        answer = tuple(
            (FROZEN if any(batch is step for step in frozen) else _mode(batch), batch) for batch in case.batches
        )
        _latest = case, answer
    return answer


def _modes_of_forwards(case: Case) -> set[str]:
    """The modes in which a case calls the forward, of its own layer or of the one that interrupts it."""
    interrupted = any(batch.interrupt for batch in case.batches) and not case.concurrent
    return {mode for mode, _ in _batches_by_mode(case) if mode != FROZEN} | ({"training"} if interrupted else set())


def _asks_statistics(case: Case) -> bool:
    """Whether a case is about the running statistics: what it judges, or what decides its results."""
    only = bool(case.judges) and case.judges <= STATISTICS
    return only or bool(case.laws) or case.finite_statistics or case.band or _infers_after_training(case)


def _infers_after_training(case: Case) -> bool:
    """Whether what a training step left decides what a later step gives."""
    modes = [batch.training for batch in case.batches]
    return True in modes and not all(modes[modes.index(True) :])


def _modes(case: Case) -> set[str]:
    """The modes in which a case takes gradients."""
    return {mode for mode, batch in _batches_by_mode(case) if batch.dy is not None}


def _is_about_parameter_gradients(case: Case) -> bool:
    """Whether nothing is left of a case without the gradients of gamma and beta."""
    taken = [batch for batch in case.batches if batch.dy is not None]
    only = bool(case.judges) and case.judges <= PARAMETER_GRADIENTS
    weighed = any(batch.second and (batch.second.v_dgamma or batch.second.v_dbeta) for batch in taken)
    return bool(taken) and (only or weighed or bool(case.laws) or case.clauses[0] in OF_PARAMETERS)


def _modes_twice(case: Case) -> set[str]:
    """The modes in which a case takes gradients of gradients, in a step or in an earlier backward of the step."""
    return {mode for mode, batch in _batches_by_mode(case) if _takes_second_order(batch)}


def _in_mode(declared: Collection[str], mode: str) -> bool:
    """Whether a mode is among the declared ones; a frozen layer takes its gradients in either."""
    return bool(declared) if mode == FROZEN else mode in declared


def _takes_second_order(batch: Batch) -> bool:
    earlier = [change.second for change in batch.between if isinstance(change, EarlierBackward)]
    return batch.second is not None or any(second is not None for second in earlier)


def _is_judged_elsewhere(can: Capabilities, config: LayerConfig) -> bool:
    """Whether an implementation that compiles skips a 16-bit case, since it runs the same case in the other layout.

    Images have the same 16-bit cases twice: with their channels first, and with their channels last. An implementation
    that takes both layouts runs one of the two: with channels first where x and parameters have one format, else last.
    """
    if config.rank != 4 or not config.dtype.endswith("float16") or not {"first", "last"} <= can.layouts:
        return False
    return config.layout == ("last" if config.dtype == config.parameter_dtype else "first")


NEEDS: tuple[Need, ...] = (
    Need(("modes",), _modes_of_forwards, lambda can, mode: mode in can.modes, "{} is"),
    Need(
        ("second_order",),
        _modes_twice,
        lambda can, mode: _in_mode(can.second_order, mode),
        "gradients of gradients in {} are",
    ),
    Need(("gradients",), _modes, lambda can, mode: _in_mode(can.gradients, mode), "gradients in {} are"),
    _flag("parameter_gradients", _is_about_parameter_gradients, "gradients of gamma and beta are"),
    _flag("masks", _masked, "masks are"),
    Need(
        ("saved_statistics",),
        _saved,
        lambda can, place: place in can.saved_statistics,
        "saved statistics of the {} are",
    ),
    _flag("original", lambda case: bool(case.original), "the original of a compiled layer is"),
    Need(("shards",), _kinds_of_shards, lambda can, kind: kind in can.shards, "synchronised shards ({}) are"),
    _flag("statistics", _asks_statistics, "running statistics are"),
    _flag("cumulative", lambda case: case.config.momentum == "cumulative", "the cumulative average is"),
    _flag("freeze", _changes_by(Freeze), "freezing is"),
    _flag("state", _changes_by(Reload), "saving and loading is"),
    _flag("set_statistics", _changes_by(SetStatistics), "setting running statistics is"),
    _flag("threads", lambda case: case.threads > 1, "setting the number of threads is"),
    _flag("concurrent", lambda case: case.concurrent > 0, "running in two threads at the same time is"),
    _flag("deterministic", lambda case: case.repeat or case.concurrent > 0, NONDETERMINISTIC),
    Need(("literals",), needed_names, lambda can, name: name not in can.literals, LITERAL),
    Need(("affine",), _affine, lambda can, affine: affine in can.affine, "affine {} is"),
    Need(("ranks",), lambda case: (case.config.rank,), lambda can, rank: rank in can.ranks, "rank {} is"),
    Need(("layouts",), _layout, _declares_layout, "channels {} is"),
    Need(("layouts",), _both_layouts, lambda can, _: {"first", "last"} <= can.layouts, "channels {} is"),
    Need(("dtypes", "mixed"), _formats, _declares_formats, "{} is"),
    Need(("compiles",), _sweep, lambda can, _: not can.compiles, "sweep over sizes (compiles for each shape) is"),
    Need(
        ("compiles", "layouts"),
        lambda case: (case.config,),
        lambda can, config: not (can.compiles and _is_judged_elsewhere(can, config)),
        "this layout in these formats (compiles for each of them) is",
    ),
)
"""What cases need, in the order in which a lack is reported: what a layer can do, then where and in which formats."""


def missing_default(config: LayerConfig, convention: Convention) -> str | None:
    """Name the hyper-parameter that is neither configured nor has a declared default; None where there is none."""
    for name in ("eps", "momentum"):
        if getattr(config, name) is None and getattr(convention, f"default_{name}") is None:
            return f"a default {name} is not declared"
    return None


def unsupported_reason(case: Case, can: Capabilities, convention: Convention | None = None) -> str | None:
    """Say what a case needs that is not declared: the first such need, in a few words; None where nothing lacks.

    Args:
        case: the case.
        can: the declared capabilities.
        convention: the declared convention, which may lack a default of eps or momentum; None for one that has both.
    """
    declared = convention or Convention()
    case = as_declared(case, can, declared)
    if convention and (lack := missing_default(case.config, convention)):
        return lack
    for need in NEEDS:
        if lack := need.lack(case, can):
            if need.reason == LITERAL:
                return _literal(case, can, declared)
            return lack if need.reason == NONDETERMINISTIC else f"{lack} not declared"
    return None


def _literal(case: Case, can: Capabilities, convention: Convention) -> str:
    """Say which literals of an implementation a case would have otherwise, and what they are."""
    names = [name for name in needed_names(case) if name in can.literals]
    values = " and ".join(f"{name} is {own_value(name, convention)}" for name in names)
    needed = f"another {names[0]} is needed" if len(names) == 1 else "others are needed"
    return f"{values} in its code, and {needed}"
