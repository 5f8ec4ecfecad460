"""What a reader must know first of a run: that it did not end, what is missing, what is stale, what was reused."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bn_conformance.report.newly_judged import newly_judged
from bn_conformance.report.not_asked import not_asked_line
from bn_conformance.results.file import Results
from bn_conformance.text import counted


def run_notes(results: Results) -> Iterator[str]:
    """What must be known of a run beside its items, a sentence or two each."""
    left = counted(len(results.not_reported()), "planned item") if results.not_reported() else ""
    if results.end is None:
        yield "The run did not end: the results file was cut off. What it holds is shown."
    if left and results.interrupted:
        resume = f" bnconform run --resume {shlex.quote(results.path)} judges them."
        yield f"{left} not run: the run was interrupted.{'' if results.header.options.get('plain_first') else resume}"
    elif left and results.stopped:
        yield f"{left} not run: the run stopped at a failure, as it was asked to."
    elif left:
        yield f"{left} never reported: a process may have crashed. Run these again."
    if results.stale_faults:
        stale = counted(len(results.stale_faults), "known-fault entry", "known-fault entries")
        yield f"{stale} no longer needed: the fault is gone. The run fails until the entry is deleted."
    if reused := sum(item.reused is not None for item in results.items):
        yield f"{counted(reused, 'item')} of an earlier run still hold and were not judged again (--reuse)."
    if newer := newly_judged(results):
        yield newer
    if not_asked := not_asked_line(results):
        yield not_asked
