"""The verdicts of other suites as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bn_conformance.judges.measuring import SuiteVerdicts
from bn_conformance.judges.own import NAME, PLACES, algorithm_cases
from bn_conformance.judges.suite import Suite, SuiteTrial, suites
from bn_conformance.judges.verdict import Word
from bn_conformance.text import counted

FAMOUS: Mapping[str, str] = {
    "eps-missing-in-training": "no eps",
    "eps-outside-root": "eps outside the root",
    "default-eps-0.001": "another default eps",
    "y-unbiased": "unbiased variance in y",
    "raw-moments": "E[x^2] - E[x]^2",
    "running-var-biased": "biased running variance",
    "momentum-swapped": "momentum the wrong way round",
    "training-flag-ignored": "training in inference",
    "statistics-per-sample": "statistics of each image",
    "dx-without-mean-term": "dx without the mean's term",
    "gradients-zero": "every gradient zero",
    "relu-built-in": "a ReLU built in",
}
"""Mistakes that people make often, with a name for readers."""

SIGNS = {Word.CAUGHT: "caught", Word.PASSES: "**passes**", Word.NOT_ASKED: "·"}

METHOD = """\
Each suite is rebuilt from facts about it: the inputs by its recipe, the comparison by its rule. No code of it is run.
Every deviation of the catalogue is a layer in NumPy with one mistake. The right algorithms are 25 ways to compute a
batch normalisation well, most of them in float32.

- **Caught**: one of the suite's comparisons fails, or the layer raises.
- **Passes**: something that the suite compares differs from the right result, within the tolerance.
- **Not asked**: all that it compares is right bit for bit, or its own convention makes that choice. A suite for a
  forward kernel cannot be blamed for gradients.

What is expected is the reference layer in float64, rounded once. Most suites compare with a float32 result instead,
which differs from it by a few roundings. Large inputs are judged with fewer channels and pixels (see the sources), so
that deviations that act at large sizes alone are not asked.

The catalogue is this suite's own. Its cases were written to catch every deviation, and its tests demand it, so its own
row is no measure against the others. What is of use is which mistakes a pass of another suite leaves open.

The suites have other aims than this one: a benchmark asks whether a fast kernel computes the right thing at all, a
test of a framework whether a change broke something. The table says what a pass of each means for a batch
normalisation. It is no judgement of the suites."""


def against_text(verdicts: Sequence[SuiteVerdicts], seconds: float) -> str:
    """A row a suite, in aligned columns."""
    rows = [["suite", "caught", "passes", "not asked", "right algorithms failed"]]
    for each in verdicts:
        counts = [str(each.count(word)) for word in (Word.CAUGHT, Word.PASSES, Word.NOT_ASKED)]
        rows.append([each.name, *counts, f"{len(each.alarms)} of {each.algorithms}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(f"{each.name} passes: {passing}" for each in verdicts if (passing := _famous_passing(each)))]
    lines += [f"{each.name} fails: {', '.join(each.alarms)}" for each in verdicts if each.alarms]
    count = len(verdicts[0].deviations) if verdicts else 0
    return "\n".join([*lines, "", f"{counted(count, 'deviation')} judged by {len(verdicts)} suites in {seconds:.0f} s"])


def against_markdown(verdicts: Sequence[SuiteVerdicts], seconds: float) -> str:
    """The page: the tables, the method and the sources. It says nothing of the machine or the time."""
    names = [name for name in FAMOUS if verdicts and name in verdicts[0].deviations]
    compared = ["suite", "compares", "tolerance", "caught", "passes", "not asked", "right algorithms failed"]
    rows = [[_title(each.name), _compares(each.name), _tolerance(each.name), *_counts(each)] for each in verdicts]
    famous = [[_title(each.name), *(SIGNS[each.deviations[name]] for name in names)] for each in verdicts]
    known = [suites()[each.name] for each in verdicts if each.name != NAME]
    alarms = [[_title(each.name), ", ".join(each.alarms)] for each in verdicts if each.alarms]
    sources = [[suite.title, suite.source, suite.read, _inputs(suite), suite.uncertain] for suite in known]
    count = counted(len(verdicts[0].deviations) if verdicts else 0, "deviation")
    failing = ["## Right algorithms that a suite fails", "", *_table(["suite", "fails"], alarms), ""]
    return "\n".join(
        [
            "# Judges judged",
            "",
            f"What other suites would say of the {count} of the catalogue, and of right algorithms.",
            "`bnconform power --against all --format markdown -o docs/judges.md` makes this page.",
            "",
            "## How many mistakes each would catch",
            "",
            *_table(compared, rows),
            "",
            "## Mistakes that people make often",
            "",
            "`·` is not asked.",
            "",
            *_table(["suite", *(FAMOUS[name] for name in names)], famous),
            "",
            *(failing if alarms else []),
            "## Method",
            "",
            METHOD,
            "",
            f"The row of bnconform is by all its cases for the deviations, and for the right algorithms by the "
            f"{len(algorithm_cases())} cases of one step in float32 and {', '.join(PLACES)}; "
            "`python -m tests.measure.false_alarms` judges them on thousands of batches in every format.",
            "",
            "## Sources",
            "",
            *_table(["suite", "source", "read", "inputs", "uncertain, or our choice"], sources),
        ]
    )


def against_json(verdicts: Sequence[SuiteVerdicts], seconds: float) -> str:
    """Every word of every suite, as a JSON document."""
    document = {
        "seconds": round(seconds, 3),
        "suites": {each.name: _as_data(each) for each in verdicts},
    }
    return json.dumps(document, indent=2)


def _as_data(each: SuiteVerdicts) -> dict[str, Any]:
    suite = suites().get(each.name)
    return {
        "title": _title(each.name),
        "source": suite.source if suite else "",
        "read": suite.read if suite else "",
        "uncertain": suite.uncertain if suite else "",
        "caught": each.count(Word.CAUGHT),
        "passes": each.count(Word.PASSES),
        "not_asked": each.count(Word.NOT_ASKED),
        "deviations": {name: word.value for name, word in each.deviations.items()},
        "right_algorithms": each.algorithms,
        "right_algorithms_failed": list(each.alarms),
    }


def _famous_passing(each: SuiteVerdicts) -> str:
    return ", ".join(name for name in FAMOUS if each.deviations.get(name) is Word.PASSES)


def _counts(each: SuiteVerdicts) -> list[str]:
    words = (Word.CAUGHT, Word.PASSES, Word.NOT_ASKED)
    return [*(str(each.count(word)) for word in words), f"{len(each.alarms)} of {each.algorithms}"]


def _title(name: str) -> str:
    return suites()[name].title if name in suites() else "bnconform"


def _compares(name: str) -> str:
    return ", ".join(suites()[name].compares) if name in suites() else "all that a layer does"


def _tolerance(name: str) -> str:
    return suites()[name].tolerance if name in suites() else "derived for each number"


def _inputs(suite: Suite) -> str:
    """Its inputs in few words."""
    shapes = ", ".join(dict.fromkeys(_shape(trial) for trial in suite.trials))
    count = sum(trial.seeds * len(trial.formats) for trial in suite.trials)
    modes = dict.fromkeys(step.mode for trial in suite.trials for step in trial.steps)
    return f"{counted(count, 'input')} in {' and '.join(suite.formats)}, {' and '.join(modes)}: {shapes}"


def _shape(trial: SuiteTrial) -> str:
    own = "×".join(map(str, trial.shape))
    return f"{own} (for {'×'.join(map(str, trial.original))})" if trial.original else own


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
