"""The tables and sentences of a comparison, which the terminal, Markdown and HTML share."""

from __future__ import annotations

from bn_conformance.diff.difference import ConventionDifference, Diff, Direction
from bn_conformance.diff.output_differences import OutputDifference
from bn_conformance.diff.verification import Check
from bn_conformance.text import number, percent

OUTPUTS_TITLE = "Outputs: the largest difference in each case"
OUTPUTS_MEANING = (
    "Both sides run the same data, each with its own defaults. Predicted is the difference that the two conventions "
    "give for that number, unexplained is what is left, allowed is the error that rounding may cause, and ratio is "
    "unexplained over allowed."
)
OUTPUTS_HEAD = ("case", "step", "difference", "over std of A", "predicted", "unexplained", "allowed", "ratio")
CHECKS_HEAD = ("check", "largest difference", "allowed", "ratio", "holds")


def choice_row(choice: ConventionDifference) -> tuple[str, str, str]:
    """A choice of convention: its name, and what it is and means on each side."""
    return choice.field.replace("_", " "), _value(choice.a, choice.meaning_a), _value(choice.b, choice.meaning_b)


def _value(value: str, meaning: str) -> str:
    return f"{value}: {meaning}" if meaning else value


def output_row(entry: OutputDifference) -> tuple[str, ...]:
    """One case, as text."""
    digits = {
        3: (entry.difference, entry.relative, entry.predicted),
        2: (entry.unexplained, entry.allowed, entry.ratio),
    }
    numbers = (number(value, count) for count, values in digits.items() for value in values)
    return (entry.case, f"{entry.step}, {entry.mode}", *numbers)


def check_row(check: Check) -> tuple[str, ...]:
    """One check, as text."""
    what = f"{check.what} ({check.note})" if check.note else check.what
    numbers = (number(value, 2) for value in (check.difference, check.allowed, check.ratio))
    return (what, *numbers, "yes" if check.holds else "NO")


def result(direction: Direction) -> str:
    """Whether a conversion holds, in a line."""
    verification = direction.verification
    if verification.verified:
        return "run and verified"
    broken = ", ".join(check.what for check in verification.checks if not check.holds)
    return f"NOT verified: {verification.failure or broken}"


def significance(diff: Diff) -> str:
    """Whether the difference matters to a model, in a sentence or two; empty where nothing could be run."""
    if not diff.outputs:
        return ""
    worst = max(diff.outputs, key=lambda entry: entry.relative)
    if all(entry.small for entry in diff.outputs):
        return "Does it matter? No: with the defaults of each, outputs differ by no more than rounding may cause."
    after = "With the conversion below inference is the same within rounding." if diff.converts else ""
    times = f"{percent(worst.relative, 1.0)} of" if worst.relative <= 1 else f"{number(worst.relative)} times"
    return (
        f"Does it matter? With the defaults of each, outputs differ by {times} their "
        f"standard deviation at most ({worst.mode}, {worst.case}). {after}"
    ).rstrip()


def explanation(diff: Diff) -> str:
    """Whether the conventions explain the differences of the outputs."""
    if not diff.outputs:
        return "No case could be run on both sides."
    worst = max(diff.outputs, key=lambda entry: entry.ratio)
    if diff.explained:
        return (
            "The conventions explain every difference. What they leave unexplained is at most "
            f"{number(worst.ratio)} times what rounding may cause."
        )
    return (
        f"The conventions do not explain a difference of {number(worst.unexplained)} in {worst.case}: that is "
        f"{number(worst.ratio)} times what rounding may cause. Run `bnconform probe` and `bnconform check` on each "
        "side to see which of them is off."
    )
