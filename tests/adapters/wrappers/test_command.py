"""Programs of any language over the protocol of conformance/COMMANDS.md, and mistakes that protocol-test names."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest
from tests.support.wrapped_code import assert_right, judged

import bn_conformance.hosting.program
from bn_conformance.commands.protocol_test import findings_of
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target

ROOT = Path(__file__).parents[3]
NODE = f"node {ROOT / 'adapters' / 'examples' / 'batch_norm.js'}"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

PYTHON = """
    import base64, json, sys
    from array import array

    def decode(value):
        return array("f", base64.b64decode(value["data"]))

    def encode(numbers, shape):
        return {"dtype": "float32", "shape": shape, "data": base64.b64encode(array("f", numbers).tobytes()).decode()}

    layers = {}

    def build(layer, config):
        zeros, ones = [0.0] * config["num_channels"], [1.0] * config["num_channels"]
        eps, keep = config["eps"] or 1e-5, 1 - (config["momentum"] or 0.1)
        layers[layer] = {"eps": eps, "gamma": ones, "beta": zeros, "mean": zeros, "var": ones, "keep": keep}

    def forward(layer, x, training):
        own, (n, c) = layers[layer], x["shape"]
        values, y, mean, var = decode(x), [0.0] * (n * c), own["mean"], own["var"]
        if training:
            mean = [sum(values[j::c]) / n for j in range(c)]
            var = [sum((value - mean[j]) ** 2 for value in values[j::c]) / n for j in range(c)]
            mixed = lambda old, new: [own["keep"] * a + (1 - own["keep"]) * b for a, b in zip(old, new)]
            own["mean"], own["var"] = mixed(own["mean"], mean), mixed(own["var"], var)
        for place, value in enumerate(values):
            j = place % c
            y[place] = (value - mean[j]) / (var[j] + own["eps"]) ** 0.5 * own["gamma"][j] + own["beta"][j]
        return {"y": encode(y, x["shape"])}

    def set_parameters(layer, gamma, beta):
        layers[layer] |= {"gamma": decode(gamma), "beta": decode(beta)}

    def set_running_statistics(layer, mean, variance):
        layers[layer] |= {"mean": list(decode(mean)), "var": list(decode(variance))}

    def running_statistics(layer):
        own = layers[layer]
        return [encode(own["mean"], [len(own["mean"])]), encode(own["var"], [len(own["var"])])]

    def backward(layer, dy):
        raise NotImplementedError("no gradients")

    def describe(protocol):
        return DESCRIPTION

    DESCRIPTION = {
        "protocol": 1, "stateful": True, "name": "by-hand", "convention": {"running_variance": "biased"},
        "capabilities": {"gradients": [], "ranks": [2], "state": False},
    }
    OPERATIONS = dict(build=build, forward=forward, set_parameters=set_parameters, describe=describe, backward=backward,
                      set_running_statistics=set_running_statistics, running_statistics=running_statistics)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": OPERATIONS[request.pop("op")](**request)}
        except KeyError as error:
            answer = {"error": {"type": "ProtocolError", "message": f"there is no operation {error}"}}
        except Exception as error:
            answer = {"error": {"type": type(error).__name__, "message": str(error)}}
        print(json.dumps(answer), flush=True)
"""


def program(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(dedent(text))
    return f"{sys.executable} {path}"


def mistakes(command: str) -> list[str]:
    return [finding.mistake for finding in findings_of(command, 5.0) if finding.mistake]


@needs_node
def test_a_node_program_conforms() -> None:
    assert is_target(f"command={NODE}")
    adapter = load_adapter(f"command={NODE}")
    assert (adapter.name, adapter.convention.running_variance) == ("javascript", "biased")
    assert_right(
        adapter, "fwd/nc*/*", "grad/nc*/*/random", "eval/nc*/*", "state/nc/*", "err/nc/*", "edge/nc*/*", least=50
    )
    assert mistakes(NODE) == []


def test_a_program_that_keeps_its_layers(tmp_path: Path) -> None:
    adapter = load_adapter(f"command={program(tmp_path, PYTHON)}")
    assert_right(adapter, "fwd/nc/float32/random", "eval/nc/float32/random", "stat/nc/float32/first-step", least=3)


def test_a_mistake_in_the_numbers_is_judged_and_is_none_of_the_protocol(tmp_path: Path) -> None:
    wrong = program(tmp_path, PYTHON.replace("** 0.5", "** 0.5 * 1.01"))
    assert [item.verdict for item in judged(load_adapter(f"command={wrong}"), "fwd/nc/float32/random")] == ["fail"]
    assert mistakes(wrong) == ["it is refused: NotImplementedError: no gradients"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"protocol": 1, ', '"protocol": 2, ', "protocol is 2; expected 1"),
        ("flush=True", "flush=True, end='  '", "no answer to describe within"),
        (
            "for line in sys.stdin:",
            "print('hello', flush=True)\n    for line in sys.stdin:",
            "is no message: a line is not JSON",
        ),
        ('"type": "ProtocolError"', '"type": "KeyError"', "the type is 'KeyError'"),
        ('return {"y": encode(y, x["shape"])}', "return y", "y is None; expected an array with dtype, shape and data"),
        ('encode(y, x["shape"])', "encode(y, [12])", r"y has shape (12,); expected (4, 3)"),
        (
            'layers[layer] = {"eps"',
            'sys.exit(3)\n        layers[layer] = {"eps"',
            "ended at build without an answer (exit code 3)",
        ),
    ],
)
def test_mistakes_of_the_protocol_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PYTHON
    command = program(tmp_path, PYTHON.replace(old, new))
    assert message in "\n".join(finding.mistake for finding in findings_of(command, 1.5))


def test_what_cannot_be_started_is_said_in_a_line() -> None:
    with pytest.raises(TargetError, match="'no-such-program x' cannot be started"):
        load_adapter("command=no-such-program x")


def test_the_transcript_is_of_the_schema() -> None:
    page = (ROOT / "conformance" / "COMMANDS.md").read_text(encoding="utf-8")
    transcript = re.search(r"## A transcript\n\n```json\n(.*?)```", page, re.DOTALL)
    assert transcript is not None
    schema = Path(bn_conformance.hosting.program.__file__).with_name("command.schema.json")
    for line in transcript[1].splitlines():
        jsonschema.validate(json.loads(line), json.loads(schema.read_text(encoding="utf-8")))
