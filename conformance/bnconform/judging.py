"""`check` and `assert_conforms`: an implementation judged from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from types import MappingProxyType
from typing import Any, Unpack

from bn_conformance.cases.model import Case
from bn_conformance.matrix.stages import FIRST, LATER, asks_later, passage
from bn_conformance.options import DEFAULTS
from bn_conformance.results.records import Item
from bnconform.keywords import Choices, Keywords, Paths, Request, Texts, request_of
from bnconform.progress import Progress
from bnconform.session import Session
from bnconform.subject import subject_of
from bnconform.verdict import Verdict


def check(
    obj: Any,
    *,
    as_: str = "",
    convention: Choices = (),
    names: Mapping[str, str] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
    cases: Texts = (),
    clauses: Texts = (),
    level: str = DEFAULTS["level"],
    set: str = DEFAULTS["case_set"],  # noqa: A002 - the name of the option
    profile: str = DEFAULTS["profile"],
    thorough: bool = False,
    device: str = DEFAULTS["device"],
    known_faults: Paths = (),
    regressions: Paths = (),
    timeout: float | None = None,
    isolated: bool = False,
) -> Verdict:
    """Judge an implementation of batch normalisation.

    Layers run in this process, so what a notebook, a test or a script has defined is judged where it is. What a layer
    raises is an error of its case, `SystemExit` and `KeyboardInterrupt` too; Ctrl-C ends the check. Random numbers,
    NumPy's error state, environment variables and the threads of torch are afterwards as they were. What a layer
    prints is left alone. A layer that hangs or crashes takes this process along: judge it with `isolated=True`.

    On a terminal, standard error shows the progress, and the first failure as soon as there is one.

    Args:
        obj: an adapter (class or instance); a class, a function that makes layers, or a layer, of torch, Keras or Flax;
            a pair of NumPy functions (forward, backward); a path or target such as `"my_layers.py:MyBatchNorm"`; or
            the name of a registered implementation such as `"torch.nn"`. Of a layer, fresh ones of its class are
            judged.
        as_: the wrapper that takes code without an adapter, such as `"torch-module"`; found where it is left out.
        convention: choices of code without an adapter, `{"running_variance": "biased"}`; see `docs/conventions.md`.
        names: what code without an adapter calls things, `{"weight": "gamma"}`; found where they are left out.
        arguments: values of arguments that such code is built with, `{"num_dims": 4}`.
        cases: patterns of case ids, such as `"num/*"`, or `"*"` for all; a sample of all without one.
        clauses: clauses or families, such as `"STAT-3"` or `"GRAD"`, whose cases are all asked.
        level: the worst level that passes: `"tight"`, `"stable"` or `"degraded"`.
        set: a published set of cases, such as `"2026.1"`: what is newer than the set only warns.
        profile: `"standard"` fails nonstandard conventions.
        thorough: ask all cases, whatever fails, and sizes and tours of what compiles, too, which takes it long.
            Without it a sample is asked: plain cases, and sizes and tours where these conform or fail at usual edges
            alone.
        device: that layers run on, as the adapter names it.
        known_faults: files of known faults of your own.
        regressions: files or folders that `bnconform fuzz` wrote, to be replayed as cases.
        timeout: seconds that a call of an isolated layer may take; 120 without it.
        isolated: judge in a process of its own, which a hang or a crash does no harm. The code must be importable.

    Returns:
        The verdict.

    Raises:
        UserError: `obj` is nothing that can be judged, or a keyword has a value that is not allowed. The message says
            what to do.
        KeyboardInterrupt: a person interrupted it.
    """
    request = request_of(
        as_=as_,
        convention=convention,
        names=names,
        arguments=arguments,
        cases=cases,
        clauses=clauses,
        level=level,
        set=set,
        profile=profile,
        thorough=thorough,
        device=device,
        known_faults=known_faults,
        regressions=regressions,
        timeout=timeout,
        isolated=isolated,
    )
    return _judged(opened(obj, replace(request, options=replace(request.options, plain_first=True))))


def assert_conforms(obj: Any, **keywords: Unpack[Keywords]) -> Verdict:
    """Assert that an implementation conforms, in a test of one's own.

    Args:
        obj: what is judged; see `check`.
        **keywords: those of `check`.

    Returns:
        The verdict.

    Raises:
        AssertionError: it does not conform, or too little was judged. The message is the verdict as text: what fails,
            by how much, and how to run it again.
        UserError: as for `check`.
    """
    __tracebackhide__ = True
    verdict = check(obj, **keywords)
    if not verdict.conforms:
        raise AssertionError(str(verdict))
    return verdict


def opened(obj: Any, request: Request) -> Session:
    """A session that judges an object as was asked for.

    Raises:
        UserError: as for `check`.
    """
    return Session(subject_of(obj, request.kind, request.choices, request.options.device), request)


def _judged(session: Session) -> Verdict:
    start = perf_counter()
    first, later = session.stages()
    items: list[Item] = []
    try:
        with session.running(), Progress(session.implementation.name, len(first)) as progress:

            def judge(cases: list[Case]) -> None:
                for case in cases:
                    items.append(session.judge(case))
                    progress.advance(items[-1])

            if later:
                progress.stage(FIRST, len(first))
            judge(first)
            goes_on = bool(later) and asks_later(session.plan, items)
            if goes_on:
                progress.stage(LATER, len(later), passage(items, len(later), perf_counter() - start))
                judge(later)
            items += session.not_asked(goes_on)
            return session.verdict(items, perf_counter() - start)
    finally:
        session.close()
