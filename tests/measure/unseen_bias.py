"""The largest bias that no case sees: `python -m tests.measure.unseen_bias` writes the table of BOUNDS.md.

For each quantity and each range of n a layer is right but for a relative bias of that quantity there, and all default
cases judge it. The bias is a power of two. The smallest that some case sees is kept with that case, in
`tests/support/unseen_bias.json`; the largest that none sees is half of it, and may not become larger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import click
from tests.support.biased_layers import METHODS, biased
from tests.support.tables_in_documents import write_table

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.bench import Bench
from bn_conformance.mutation.power import judged_cases

TABLE = "unseen bias"
KEPT = Path("tests/support/unseen_bias.json")

RANGES = ((2, 8), (9, 32), (33, 128), (129, 512), (513, 2048), (2049, 1 << 20))
"""Values a channel, from and to."""

FORMATS = ("float32", "float32")

SMALLEST = -60


@dataclass(frozen=True)
class Seen:
    """The smallest bias that is seen.

    Attributes:
        exponent: of the bias, a power of two.
        case: id of a case that sees it.
    """

    exponent: int
    case: str


def key(quantity: str, least: int) -> str:
    """How a quantity and a range are named in the file."""
    return f"{quantity} from {least}"


def sees(bench: Bench, case: Case, quantity: str, exponent: int, range_: tuple[int, int]) -> bool:
    """Whether a case sees a bias."""
    return any(True for _ in bench.catches(case, [biased(quantity, exponent, *range_)]))


def smallest_seen(
    bench: Bench, cases: Iterable[Case], quantity: str, range_: tuple[int, int], known: Seen | None
) -> Seen | None:
    """The smallest bias that some case sees; None where no case sees even one of 1/2.

    Args:
        bench: judges.
        cases: the cases.
        quantity: which is biased.
        range_: of values a channel.
        known: what is seen already.
    """
    best = known
    for case in cases:
        exponent = best.exponent - 1 if best else -1
        while exponent > SMALLEST and sees(bench, case, quantity, exponent, range_):
            best = Seen(exponent, case.id)
            exponent -= 1
    return best


def cases_at(range_: tuple[int, int]) -> list[Case]:
    """The cases of these formats with a batch of so many values a channel; those with exact results first."""
    known = [all_cases()[case_id] for case_id in judged_cases()]
    found = [case for case in known if any(range_[0] <= count <= range_[1] for count in _counts(case))]
    return sorted(found, key=lambda case: not (case.exact or case.exact_statistics))


def _counts(case: Case) -> Sequence[int]:
    if (case.config.dtype, case.config.parameter_dtype) != FORMATS or case.expects == "refusal":
        return ()
    return [prod(batch.shape) // max(case.config.num_channels, 1) for batch in case.batches]


def kept() -> dict[str, Seen]:
    """The smallest biases on record, by `key`."""
    return {name: Seen(*entry) for name, entry in json.loads(KEPT.read_text(encoding="utf-8")).items()}


def keep(found: Mapping[str, Seen]) -> None:
    """Put them on record, one a line."""
    lines = [f"  {json.dumps(name)}: {json.dumps([seen.exponent, seen.case])}" for name, seen in found.items()]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def table(found: Mapping[str, Seen]) -> list[str]:
    """The largest bias that no case sees, as a Markdown table."""
    words = [f"n from {least}" + (f" to {most}" if most < RANGES[-1][1] else "") for least, most in RANGES]
    lines = ["| biased | " + " | ".join(words) + " |", "|" + "---|" * (len(words) + 1)]
    for quantity in METHODS:
        cells = (found.get(key(quantity, least)) for least, _ in RANGES)
        texts = (f"2^{cell.exponent - 1}" if cell else "not asked" for cell in cells)
        lines.append(f"| {quantity} | " + " | ".join(texts) + " |")
    return lines


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--anew", is_flag=True, help="Forget what is on record")
def main(anew: bool) -> None:
    """Look for smaller biases that are seen, keep them, and write the table."""
    found = {} if anew or not KEPT.exists() else kept()
    goldens = Goldens()
    for range_ in RANGES:
        bench, cases = Bench(None, goldens), cases_at(range_)
        for quantity in METHODS:
            name = key(quantity, range_[0])
            seen = smallest_seen(bench, cases, quantity, range_, found.get(name))
            if seen is not None:
                found[name] = seen
            print(f"{name}: {seen}", flush=True)
        keep(
            {
                key(quantity, least): found[key(quantity, least)]
                for quantity in METHODS
                for least, _ in RANGES
                if key(quantity, least) in found
            }
        )
    write_table(TABLE, table(found))


if __name__ == "__main__":
    main()
