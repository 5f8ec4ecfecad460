"""`parametrize`: the cases of an implementation as the items of one's own test function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, cast

from bn_conformance.cases.model import Case
from bn_conformance.report.failure import item_text
from bn_conformance.results.outcomes import SILENT
from bn_conformance.results.outcomes import ItemVerdict as ItemVerdict
from bnconform.judging import opened
from bnconform.keywords import Keywords, request_of
from bnconform.session import Session

Test = TypeVar("Test", bound=Callable[..., object])

ARGUMENT = "case"
"""The name of the argument that a test function takes."""


class CaseCheck:
    """One case of one implementation, which a test function calls.

    Attributes:
        id: of the case.
        title: what it tests.
        clauses: ids of the clauses that it tests.
    """

    def __init__(self, session: Session, case: Case) -> None:
        self._session, self._case = session, case
        self.id, self.title, self.clauses = case.id, case.title, case.clauses

    def __call__(self) -> None:
        """Judge the case: the test passes, fails, is expected to fail (a known fault), or is skipped.

        What was refused, as it may be, or not judged, is skipped: it is no pass.
        """
        __tracebackhide__ = True
        import pytest

        with self._session.running():
            item = self._session.judge(self._case)
        if item.verdict == ItemVerdict.KNOWN.value:
            pytest.xfail(f"known fault: {item.known_fault}")
        if item.verdict == ItemVerdict.FAIL.value:
            pytest.fail(item_text(item, self._case), pytrace=False)
        if item.verdict in (ItemVerdict.REFUSED, *SILENT):
            pytest.skip(f"{item.outcome}: {item.message}")

    def __repr__(self) -> str:
        return f"<case {self.id} of {self._session.implementation.name}>"


def parametrize(obj: Any, **keywords: Unpack[Keywords]) -> Callable[[Test], Test]:
    """A decorator that makes one pytest item of each case that is asked and that an implementation supports.

    The test function takes `case`, calls it, and may do more::

        @bnconform.parametrize(MyBatchNorm, clauses=["STAT", "GRAD"])
        def test_batch_norm(case):
            case()

    A sample of the cases is asked; `cases="*"` asks all. Ids of the items are those of the cases, so that
    `-k 'stat and float32'` selects. What the implementation does not
    support is not collected. A known fault is an expected failure.

    Args:
        obj: what is judged; see `check`.
        **keywords: those of `check`.

    Raises:
        UserError: as for `check`, when the test module is imported; or the implementation supports no case.
    """
    import pytest

    session = opened(obj, request_of(**keywords))
    checks = [pytest.param(CaseCheck(session, case), id=case.id) for case in session.supported()]
    return cast(Callable[[Test], Test], pytest.mark.parametrize(ARGUMENT, checks))
