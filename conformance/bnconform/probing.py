"""`probe` and `diff`: what layers do, measured from Python, and how two implementations differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.diff.difference import Diff, diff_sides
from bn_conformance.diff.html import diff_html
from bn_conformance.diff.sides import Side, convention_side, is_convention, measured_as
from bn_conformance.diff.terminal import print_diff
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import shipped_and_own
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.options import DEFAULTS
from bn_conformance.probe.experiments import EXPERIMENTS
from bn_conformance.probe.finding import AGREED, Finding, Status, exit_code
from bn_conformance.probe.findings_output import findings_json, print_findings
from bn_conformance.probe.measuring import Measured, measured_on
from bn_conformance.user_error import UserError
from bnconform.keywords import Choices, Paths, request_of
from bnconform.opening import OpenedLayers, opened_layers
from bnconform.pages import ShownResult, printed
from bnconform.subject import subject_of

TIMEOUT = 60.0
"""Seconds that a call of an isolated layer may take."""


@dataclass(frozen=True, eq=False, repr=False)
class Probed(ShownResult):
    """What was measured of an implementation. `print` shows all.

    Attributes:
        implementation: what was measured, as it declares itself.
        findings: a finding for each property: `property`, `measured`, `declared`, `status`, `detail`.
        values: the fields of the convention that were measured, by name.
        notes: what was found of the code before.
        seconds: that it took.
    """

    implementation: Implementation
    findings: tuple[Finding, ...]
    values: Mapping[str, Any]
    notes: tuple[str, ...]
    seconds: float

    @property
    def name(self) -> str:
        """What the implementation is called."""
        return self.implementation.name

    @property
    def agrees(self) -> bool:
        """Whether something was measured, and all of it is as declared and no fault."""
        return exit_code(self.findings) == AGREED

    @property
    def convention(self) -> Convention:
        """The declared convention, with what was measured in its place.

        Raises:
            UserError: the measured values are not declarable together.
        """
        try:
            return replace(self.implementation.convention, **self.values)
        except ValueError as error:
            raise UserError(f"{self.name}: {error}") from None

    def of(self, status: str) -> tuple[Finding, ...]:
        """The findings of a status, such as `"contradicts"` or `"fault"`.

        Raises:
            ValueError: there is no such status.
        """
        wanted = Status(status)
        return tuple(finding for finding in self.findings if finding.status is wanted)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as `bnconform probe --format json` writes it."""
        document: dict[str, Any] = json.loads(findings_json(self.implementation, self.findings, self.seconds))
        return document

    def __str__(self) -> str:
        return printed(lambda console: print_findings(self.implementation, self.findings, console))


@dataclass(frozen=True, eq=False, repr=False)
class Difference(ShownResult):
    """How two implementations differ. `print` shows all; `html()` is a page.

    Attributes:
        diff: the comparison: `choices`, `effects`, `outputs` and `directions`, the conversion both ways.
    """

    diff: Diff

    @property
    def headline(self) -> str:
        """The comparison in a sentence."""
        return self.diff.headline

    @property
    def verified(self) -> bool:
        """Whether the conversion was run in both directions and holds."""
        return self.diff.verified

    @property
    def choices(self) -> dict[str, tuple[str, str]]:
        """The fields of the convention that differ: the value of each side."""
        return {one.field: (one.a, one.b) for one in self.diff.choices}

    def html(self) -> str:
        """All of it as one page that needs no other file."""
        return diff_html(self.diff)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as `bnconform diff --format json` writes it."""
        return self.diff.to_json()

    def __str__(self) -> str:
        return printed(lambda console: print_diff(self.diff, console))


def probe(
    obj: Any,
    *,
    as_: str = "",
    convention: Choices = (),
    names: Mapping[str, str] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
    device: str = DEFAULTS["device"],
    known_faults: Paths = (),
    timeout: float | None = None,
    isolated: bool = False,
) -> Probed:
    """Measure the convention of an implementation from its behaviour, and set it beside the declared one.

    Args:
        obj: what is measured; see `check`.
        as_: see `check`.
        convention: see `check`.
        names: see `check`.
        arguments: see `check`.
        device: see `check`.
        known_faults: files of known faults of your own, which are told as such.
        timeout: seconds that a call of an isolated layer may take; 60 without it.
        isolated: see `check`.

    Returns:
        What was measured.

    Raises:
        UserError: as for `check`; or the code cannot be loaded.
    """
    request = request_of(
        as_=as_,
        convention=convention,
        names=names,
        arguments=arguments,
        device=device,
        known_faults=known_faults,
        timeout=timeout,
        isolated=isolated,
    )
    subject = subject_of(obj, request.kind, request.choices, device)
    faults = shipped_and_own(request.options.known_faults)
    with opened_layers(subject, isolated, device, timeout or TIMEOUT) as layers:
        measured = _measured(layers, lambda: measured_on(layers.open_host, layers.implementation, faults, EXPERIMENTS))
    return Probed(
        layers.implementation, tuple(measured.findings), dict(measured.values), layers.notes, measured.seconds
    )


def diff(
    a: Any,
    b: Any,
    *,
    device: str = DEFAULTS["device"],
    timeout: float | None = None,
    isolated: bool = False,
) -> Difference:
    """Show how two implementations differ, and convert the state of one to the other, verified by running both.

    Of what is not registered the convention is measured: nobody has tested what such code declares.

    Args:
        a: an implementation, as `check` takes it; or a convention, `{"running_variance": "biased"}`, over torch's.
        b: likewise.
        device: that layers run on.
        timeout: seconds that a call of an isolated layer may take; 60 without it.
        isolated: run each in a process of its own. The code must be importable.

    Raises:
        UserError: as for `check`; or one of the two cannot be loaded, or does not declare float32.
    """
    request_of(device=device, timeout=timeout, isolated=isolated)
    with ExitStack() as stack:
        sides = [_side(one, device, timeout or TIMEOUT, isolated, stack) for one in (a, b)]
        (side_a, open_a), (side_b, open_b) = sides
        try:
            return Difference(diff_sides(side_a, side_b, open_a, open_b))
        except LayerError as error:
            raise UserError(f"one of the two cannot be loaded: {error.message}") from None


def _side(thing: Any, device: str, timeout: float, isolated: bool, stack: ExitStack) -> tuple[Side, Callable[[], Host]]:
    if isinstance(thing, Mapping):
        thing = ",".join(f"{name}={value}" for name, value in thing.items()) or "running_variance=unbiased"
    if isinstance(thing, str) and is_convention(thing):
        side = convention_side(thing)
        return side, lambda: LocalHost(PlainAdapter(convention=side.convention))
    subject = subject_of(thing, device=device)
    layers = stack.enter_context(opened_layers(subject, isolated, device, timeout))
    known = layers.implementation
    if known.registered:
        side = Side(known.name, known.convention, known.capabilities, known)
    else:
        side = measured_as(known, _measured(layers, lambda: measured_on(layers.open_host, known)))
    if "float32" not in side.capabilities.dtypes:
        raise UserError(f"{side.name} does not declare float32, in which the comparison runs")
    return side, layers.open_host


def _measured(layers: OpenedLayers, measure: Callable[[], Measured]) -> Measured:
    try:
        return measure()
    except LayerError as error:
        raise UserError(f"{layers.implementation.name} cannot be loaded: {error.message}") from None
