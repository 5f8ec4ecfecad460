"""The words of the report, each with a sentence that says what it means, and an anchor that links lead to."""

from __future__ import annotations

from bn_conformance import text
from bn_conformance.report.legend import ALGORITHMS, OUTCOME_KINDS, RATIO_MEANING, VERDICT_MEANINGS, readable

_SETTING = {
    "implementation": "one batch normalisation of one framework in one setting, such as keras[jax]",
    "case": "one test of a layer: a configuration, steps with their data, and the clauses that it tests",
    "item": "one case on one implementation",
    "clause": "a numbered sentence of the specification, such as STAT-3; it MUST, SHOULD or MAY hold",
    "family": "the clauses, and the cases, of one subject, such as STAT for the running statistics",
    "format": "the type of the numbers of the data; float16-p-float32 is data in float16 with parameters in float32",
    "layout": "the order of the axes of the data: N batch, C channels, D depth, H height, W width, L length",
    "convention": "a choice that implementations legitimately make differently; declared, and tested",
    "nonstandard": "said of a convention that may be declared but is unusual",
    "baseline": "the implementation whose convention the others are set beside",
    "running statistics": "running mean and running variance, an average over the training batches",
    "momentum": "the weight of the new statistic in that average, where this suite gives a number; frameworks differ",
}
_JUDGING = {
    "reference": "the same steps computed in binary128, under the convention that the implementation declares",
    "quantity": "one result of a step that is judged, such as y, dx or running_var",
    "bound": "the largest error that is allowed for one number, derived from its condition, size and format",
    "ratio": RATIO_MEANING,
    "ULP": "an error in units in the last place of the expected value; it informs, and judges nothing",
    "offset": "the mean of the data in units of their standard deviation",
    "condition": "how much an error in the data grows in a result; that of a variance grows as the offset does",
    "size": "the number of values of one channel that a statistic is taken over",
    "outcome": "the level of a result, or why it has none",
    "level": "the best class of algorithms that explains an error: exact, tight, stable, degraded or wrong",
    "verdict": "what an outcome means for the run: pass, warn, fail, known fault; refused, not judged or unsupported",
    "diagnosis": "the known mistake, or the pair, that explains what fails and contradicts nothing that passes",
}

WORDS: dict[str, str] = {
    **_SETTING,
    **_JUDGING,
    **{readable(kind.name): kind.meaning for kind in OUTCOME_KINDS},
    **{readable(f"degraded({name})"): meaning for name, meaning in ALGORITHMS.items()},
    **{readable(verdict.value): meaning for verdict, meaning in VERDICT_MEANINGS.items()},
}
"""Every word with its meaning: what is judged, how, the outcomes from best to worst, and the verdicts."""

WORD_ANCHORS = text.slugs("w", WORDS)
"""The anchor of each word."""


def anchor_of_outcome(outcome: str) -> str:
    """The anchor of the word for an outcome; of an unknown algorithm, that for its kind."""
    word = readable(outcome)
    return WORD_ANCHORS.get(word) or WORD_ANCHORS[readable(outcome.partition("(")[0])]
