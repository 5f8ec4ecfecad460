"""Cases of a plan, judged one after the other on one subject, by one process that keeps its goldens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.operations import SupportsCall
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.implementations.registry import find
from bn_conformance.judging.item import reproduce
from bn_conformance.matrix.closing import conclude, stale_faults
from bn_conformance.matrix.diagnosing import diagnoses
from bn_conformance.matrix.opening import environment_record as environment_record
from bn_conformance.matrix.opening import header, unsupported_items
from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.matrix.stages import not_asked_items
from bn_conformance.results.coverage import coverage_in
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict as ItemVerdict
from bn_conformance.results.records import End, Item, Record
from bn_conformance.targets.naming import TargetError
from bnconform.host import GuardedHost
from bnconform.keywords import Request
from bnconform.process_state import Interrupts, environment, restored, seldom_searched
from bnconform.subject import Subject
from bnconform.verdict import Verdict


class Session:
    """Judges cases on one subject. Its host is opened for the first case and kept.

    Args:
        subject: what is judged.
        request: what was asked for.

    Raises:
        UserError: the options name something that does not exist, or no other process can import an isolated subject.
    """

    def __init__(self, subject: Subject, request: Request) -> None:
        self._subject, self._request = subject, request
        self._interrupts = Interrupts()
        implementation = (
            isolated_implementation(subject, request.options.device) if request.isolated else subject.implementation
        )
        self.plan = _plan(request, implementation)
        self._runner = Runner(self.plan, open_host=None if request.isolated else self._open)

    @property
    def implementation(self) -> Implementation:
        """What is judged, as data."""
        return self.plan.implementations[0]

    def items(self) -> dict[str, Case]:
        """The cases that the declaration covers, by id, in the order in which they are best judged."""
        return {case.id: case for _, case in self.plan.items.values()}

    def stages(self) -> tuple[list[Case], list[Case]]:
        """The cases that are asked first, and those that follow where these allow it (`matrix/stages.py`)."""
        first: list[Case] = []
        later: list[Case] = []
        for item, (_, case) in self.plan.items.items():
            (later if item in self.plan.later else first).append(case)
        return first, later

    def not_asked(self, later: bool) -> list[Item]:
        """The items that are not asked, which depends on whether the later stage is."""
        return [self._addressed(item) for item in not_asked_items(self.plan, later=later)]

    def supported(self) -> list[Case]:
        """The cases that the declaration covers and that the adapter does not decline.

        An isolated adapter is not asked here, since that would start its process.
        """
        cases = list(self.items().values())
        if self._request.isolated:
            return cases
        with self.running():
            host = self._open(self.implementation)
            return [case for case in cases if not _declined(host, case)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The block in which layers run: afterwards the process is as it was before."""
        with ExitStack() as stack:
            if not self._request.isolated:
                stack.enter_context(restored())
                stack.enter_context(seldom_searched())
                stack.enter_context(environment(self.implementation.variables()))
                stack.enter_context(self._interrupts.watched())
            yield

    def judge(self, case: Case) -> Item:
        """The item of a case, with what runs it again."""
        return self._addressed(self._runner.run(self.implementation, case))

    def explaining(self, case: Case) -> tuple[str, ...]:
        """Names of the deviations that explain a case that fails; none where it ends its process."""
        from bn_conformance.diagnosis.explaining import explaining  # loads the catalogue of deviations

        known = self.implementation
        runs = self._runner.observe(known, case)
        return () if runs is None else explaining(case, runs, known.convention, known.capabilities)

    def verdict(self, items: Sequence[Item], seconds: float) -> Verdict:
        """The verdict that the items of all cases amount to.

        Args:
            items: of the cases that the declaration covers.
            seconds: that it took.
        """
        plan = self.plan
        undeclared = [*unsupported_items(plan)]
        planned = [*plan.items, *plan.beyond_sample, *(item.id for item in undeclared)]
        stale = stale_faults(plan, items)
        diagnosed = diagnoses(plan, items, self._runner)
        conclusion = conclude(plan, list(plan.items), items, stale, partial=False, interrupted=False)
        end = End(exit_code=conclusion.exit_code, seconds=round(seconds, 3), message=conclusion.message)
        records: list[Record] = [environment_record(self.implementation), *undeclared, *items, *stale, *diagnosed, end]
        known = plan.known_cases
        cases = {case_id: known[case_id] for case_id in plan.cases}
        results = Results.of("", [header(plan, planned), *records])
        covered = coverage_in(results, self.implementation.name, Counter(case.family for case in all_cases().values()))
        return Verdict(results, covered, self._subject.notes, cases)

    def close(self) -> None:
        """End the process of the layers, if they have one."""
        self._runner.close()

    def _open(self, implementation: Implementation) -> Host:
        return GuardedHost(self._subject.make(), self._interrupts)

    def _addressed(self, item: Item) -> Item:
        if not item.reproduce:
            return item
        if self._subject.command:
            target = self._subject.target
            return replace(item, reproduce=reproduce(target, item.case) + self._further())
        keywords = [f"cases={item.case!r}"]
        keywords += [f"as_={self._request.kind!r}"] * bool(self._request.kind)
        keywords += self._request.said
        paths = self.plan.options.regressions
        keywords += [f"regressions={list(paths)!r}"] * bool(paths) + ["thorough=True"] * self._thorough
        return replace(item, reproduce=f"bnconform.check({self._subject.expression}, {', '.join(keywords)})")

    @property
    def _thorough(self) -> bool:
        """Whether cases are asked that only a thorough check asks."""
        return self.plan.options.thorough and self.implementation.capabilities.compiles

    def _further(self) -> str:
        """Options without which the command would not know or not ask the case."""
        paths = "".join(f" --regressions '{path}'" for path in self.plan.options.regressions)
        return paths + " --thorough" * self._thorough


def _plan(request: Request, implementation: Implementation) -> Plan:
    """The plan of one implementation, found here and not by its name."""
    options = replace(request.options, implementations=(implementation.address,))
    return make_plan(options, (implementation,))


def _declined(host: Host, case: Case) -> bool:
    try:
        return host.ask(SupportsCall(case.config)) is not None
    except LayerError:
        return False  # an error of its item


def isolated_implementation(subject: Subject, device: str) -> Implementation:
    """The implementation that another process imports.

    Raises:
        UserError: no other process can import it, or it cannot run here.
    """
    if not subject.target:
        raise TargetError(
            f"{subject.expression} cannot be imported by another process, which isolated=True needs; "
            "define it in a module, or leave isolated out"
        )
    (implementation,) = find([subject.target], device)
    if implementation.status != OK:
        raise TargetError(f"{implementation.name}: {implementation.message}")
    return implementation
