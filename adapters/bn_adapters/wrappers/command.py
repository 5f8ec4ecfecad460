"""Commands of any language that answer on standard output, judged without an adapter: `--as command 'node bn.js'`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar

from bn_adapters.wrappers.command_layers import StatefulLayer, StatelessLayer
from bn_adapters.wrappers.trial import adapter_class, convention_of
from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.hosting.program import VERSION, Program, ProgramRefusal, ProtocolMistake
from bn_conformance.targets.description import capabilities_from_json
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper
from bn_conformance.text import one_line, printable


class CommandAdapter(Adapter):
    """What the adapters of commands share; `adapter` makes a subclass for a command."""

    framework = ""  # a process of its own
    requires = ()
    command: ClassVar[str]
    stateful: ClassVar[bool]
    notes: ClassVar[tuple[str, ...]]

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self._program: Program | None = None

    def build(self, config: LayerConfig) -> Layer:
        if self._program is None:
            self._program = Program(self.command)
        if self.stateful:
            return StatefulLayer(self._program, config)
        return StatelessLayer(self._program, config, self.convention.initial_running_variance)


def adapter(code: str) -> type[CommandAdapter]:
    """The adapter of a command.

    Raises:
        TargetError: it cannot be started, or does not describe itself as the protocol says.
    """
    program = Program(code)
    try:
        given = program.ask("describe", protocol=VERSION)
    except ProtocolMistake as mistake:
        raise TargetError(f"{code!r}: {mistake}; see bnconform protocol-test {code!r}") from None
    except ProgramRefusal as refusal:
        raise TargetError(f"{code!r} refuses describe: {refusal}") from None
    finally:
        program.close()
    return described_command(code, given)


def described_command(code: str, given: Any) -> type[CommandAdapter]:
    """The adapter that a program's description declares.

    Raises:
        TargetError: the description says what nobody can declare.
    """
    if not isinstance(given, Mapping):
        raise TargetError(f"{code!r} describes itself with {one_line(str(given), 80)}; expected an object")
    unknown = sorted(set(given) - {"name", "protocol", "stateful", "convention", "capabilities"})
    if unknown or given.get("protocol") != VERSION:
        what = f"has the unknown field {unknown[0]!r}" if unknown else f"is of protocol {given.get('protocol')!r}"
        raise TargetError(
            f"the description of {code!r} {what}; expected protocol {VERSION}, see conformance/COMMANDS.md"
        )
    name = printable(" ".join(str(given.get("name") or code).split()))[:80]
    convention = _chosen(given.get("convention"), "convention", {field.name for field in fields(Convention)})
    can = _chosen(given.get("capabilities"), "capabilities", {field.name for field in fields(Capabilities)})
    capabilities = capabilities_from_json({**_USUAL, **can})
    stateful = given.get("stateful") is True
    how = "keeps its layers" if stateful else "is told everything in each request"
    attributes = {
        "name": name,
        "command": code,
        "stateful": stateful,
        "convention": convention_of(name, Convention(), **convention),
        "capabilities": capabilities,
        "notes": (f"{code}: a command that {how}; it declares its convention and what it can do",),
    }
    return adapter_class("CommandAdapter", (CommandAdapter,), attributes)


_USUAL: Mapping[str, Any] = {
    "dtypes": ["float32"],
    "affine": ["both"],
    "concurrent": False,
}
"""What a command can do that does not say otherwise, where that is less than an adapter's."""


def _chosen(given: Any, what: str, known: set[str]) -> dict[str, Any]:
    """The fields that a description sets.

    Raises:
        TargetError: there is no such field.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TargetError(f"{what} of a description is {one_line(str(given), 80)}; expected an object")
    unknown = sorted(set(map(str, given)) - known)
    if unknown:
        raise TargetError(f"{what} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
    return dict(given)


WRAPPER = Wrapper(
    expects="a command that speaks the protocol of conformance/COMMANDS.md",
    adapter=adapter,
    requires=(),
    install="pip install bnconform",
)
