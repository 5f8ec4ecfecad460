"""`bnconform protocol-test`: whether a command keeps to the protocol, before anything is said of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.commands.declaring import EXIT_CODES, SuiteCommand, check_seconds
from bn_conformance.hosting.program import VERSION, Program, ProgramRefusal, ProtocolMistake
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.text import one_line

CHANNELS, SHAPE = 3, (4, 3)
SECONDS = 10.0


@dataclass(frozen=True)
class ProtocolFinding:
    """What one question showed: empty `mistake` where the program keeps to the protocol."""

    question: str
    mistake: str = ""


@click.command(cls=SuiteCommand, epilog=EXIT_CODES)
@click.argument("program")
@click.option("--timeout", "seconds", default=SECONDS, show_default=True, metavar="SECONDS", help="Of an answer.")
def command(program: str, seconds: float) -> int:
    """Tell mistakes in the protocol of a program from mistakes in its numbers.

    PROGRAM is a command such as 'node bn.js'. It is asked every kind of question, and its answers are checked. Numbers
    are not judged here, but for one line that says whether y is about right: bnconform check --as command judges them.
    """
    check_seconds("--timeout", seconds)
    mistakes = 0
    for finding in findings_of(program, seconds):
        mistakes += bool(finding.mistake)
        click.echo(
            f"{'✕' if finding.mistake else '✓'} {finding.question}" + (f": {finding.mistake}" * bool(finding.mistake))
        )
    if mistakes:
        click.echo(f"{program} does not keep to the protocol; conformance/COMMANDS.md describes it with a transcript.")
        return FAILS
    click.echo(f"{program} keeps to the protocol; judge its numbers: bnconform check --as command '{program}'")
    return CONFORMS


def findings_of(command_line: str, seconds: float = SECONDS) -> Iterator[ProtocolFinding]:
    """Ask a program every kind of question.

    Raises:
        TargetError: it cannot be started.
    """
    program = Program(command_line, seconds)
    try:
        given, finding = _answer("describe", lambda: program.ask("describe", protocol=VERSION), _described)
        yield finding
        if finding.mistake:
            return
        yield _unknown(program)
        yield from _stateful(program) if given.get("stateful") else _stateless(program, given)
        if left := program.left_over():
            yield ProtocolFinding("one line for each request", f"there is another: {left}")
    finally:
        program.close()


def _answer(question: str, ask: Callable[[], Any], wrong: Callable[[Any], str]) -> tuple[Any, ProtocolFinding]:
    try:
        given = ask()
    except ProtocolMistake as mistake:
        return None, ProtocolFinding(question, str(mistake))
    except ProgramRefusal as refusal:
        return None, ProtocolFinding(question, f"it is refused: {refusal}")
    return given, ProtocolFinding(question, wrong(given))


def _described(given: Any) -> str:
    if not isinstance(given, dict):
        return f"the result is {one_line(str(given), 60)}; expected an object"
    if given.get("protocol") != VERSION:
        return f"protocol is {given.get('protocol')!r}; expected {VERSION}"
    return "" if isinstance(given.get("stateful"), bool) else "stateful is missing; expected true or false"


def _unknown(program: Program) -> ProtocolFinding:
    question = "an unknown operation is answered with an error of the type ProtocolError"
    try:
        program.ask("no-such-operation")
    except ProgramRefusal as refusal:
        return ProtocolFinding(question, "" if refusal.kind == "ProtocolError" else f"the type is {refusal.kind!r}")
    except ProtocolMistake as mistake:
        return ProtocolFinding(question, str(mistake))
    return ProtocolFinding(question, "it is answered with a result")


def _config(given: Any = None) -> dict[str, Any]:
    can = given.get("capabilities") if isinstance(given, dict) else None
    dtypes = can.get("dtypes") if isinstance(can, dict) else None
    dtype = dtypes[0] if isinstance(dtypes, list) and dtypes else "float32"
    return asdict(LayerConfig(num_channels=CHANNELS, rank=2, dtype=dtype, parameter_dtype=dtype))


def _stateless(program: Program, given: Any) -> Iterator[ProtocolFinding]:
    config = _config(given)
    vectors = ("gamma", 1.0), ("beta", 0.0), ("running_mean", 0.0), ("running_var", 1.0)
    request: dict[str, Any] = {"config": config, "x": _data(config["dtype"])}
    request |= {name: np.full(CHANNELS, value, config["dtype"]) for name, value in vectors}

    def step(training: bool, dy: Array | None = None) -> Any:
        return program.ask("step", **request, training=training, dy=dy)

    result, finding = _answer("step in training", lambda: step(True), _stepped)
    yield finding
    if not finding.mistake:
        yield _numbers(result["y"], request["x"], config["eps"])
    yield _answer("step in inference", lambda: step(False), _stepped)[1]
    yield _answer("step with dy", lambda: step(True, _data(config["dtype"])), _with_gradients)[1]


def _stateful(program: Program) -> Iterator[ProtocolFinding]:
    x, config = _data("float32"), _config()
    questions: tuple[tuple[str, Callable[[], Any], Callable[[Any], str]], ...] = (
        ("build", lambda: program.ask("build", layer=1, config=config), _nothing),
        ("forward", lambda: program.ask("forward", layer=1, x=x, training=True), lambda got: _array(got, "y", SHAPE)),
        ("backward", lambda: program.ask("backward", layer=1, dy=x), _gradients),
        ("running_statistics", lambda: program.ask("running_statistics", layer=1), _pair),
    )
    for question, ask, wrong in questions:
        yield _answer(question, ask, wrong)[1]


def _data(dtype: str) -> Array:
    return np.arange(12, dtype=dtype).reshape(SHAPE) ** 2 / 16


def _array(given: Any, name: str, shape: tuple[int, ...]) -> str:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, np.ndarray):
        return f"{name} is {one_line(str(found), 60)}; expected an array with dtype, shape and data"
    return "" if found.shape == shape else f"{name} has shape {found.shape}; expected {shape}"


def _stepped(given: Any) -> str:
    wrong = [_array(given, "y", SHAPE), *(_array(given, name, (CHANNELS,)) for name in ("running_mean", "running_var"))]
    return next(filter(None, wrong), "")


def _gradients(given: Any) -> str:
    wrong = [_array(given, "dx", SHAPE), *(_array(given, name, (CHANNELS,)) for name in ("dgamma", "dbeta"))]
    return next(filter(None, wrong), "")


def _with_gradients(given: Any) -> str:
    return _stepped(given) or _gradients(given)


def _nothing(given: Any) -> str:
    return "" if given is None else f"the result is {one_line(str(given), 60)}; expected null"


def _pair(given: Any) -> str:
    arrays = isinstance(given, list) and len(given) == 2 and all(isinstance(part, np.ndarray) for part in given)
    return "" if arrays else f"the result is {one_line(str(given), 60)}; expected a list of two arrays"


def _numbers(y: Array, x: Array, eps: float) -> ProtocolFinding:
    """Whether y is about right: this recognises, the matrix judges."""
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    near = bool(np.abs(y - expected).max() < 0.05 * np.abs(expected).max())
    return ProtocolFinding("the numbers of y are about those of batch normalisation" if near else _FAR)


_FAR = "the messages are right, but the numbers of y are not those of batch normalisation: the check says which"
