"""What the stages of a check and all cases catch: `python -m tests.measure.sample_power [N [SEED]]`.

Prints a line for each: of the deviations of the catalogue, and of N conditional mutants (none without N), how many are
caught. A conditional mutant counts that acts in some case, be it one that is fitted to its condition. With `compiles`
for N it is instead said what the sample of plain cases misses that is asked of what compiles.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from tests.support.good_numpy import EVERYTHING
from tests.support.judge_layers import supported

from bn_conformance.catalogue import all_cases
from bn_conformance.matrix.sample import sampled_plain, sampled_sweeps
from bn_conformance.mutation.attack import attack, first_catches
from bn_conformance.mutation.power import Power, judged_cases
from bn_conformance.mutation.sampling import sample
from bn_reference.deviations import catalogue


def parts() -> dict[str, list[str]]:
    """The ids of what a check asks first, of all that it asks, of this with all plain cases, and of all cases."""
    everything = judged_cases()
    cases = [all_cases()[case_id] for case_id in everything]
    plain, sweeps = ([case for case in cases if case.sweep is kind] for kind in (False, True))
    first = sampled_plain(plain)
    later = sampled_sweeps(sweeps, (case for case in plain if case.id in first))
    chosen = {
        "the first stage": first,
        "both stages": first | later,
        "these and all plain cases": {case.id for case in plain} | later,
        "all cases": {*everything},
    }
    return {name: [case_id for case_id in everything if case_id in ids] for name, ids in chosen.items()}


def surviving(case_ids: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The deviations that no case catches."""
    if not names:
        return ()
    *_, power = first_catches(names, case_ids)
    assert isinstance(power, Power)
    return tuple(name for name in names if power.first(name) is None)


def print_of_what_compiles() -> None:
    """Print what plain cases catch of what compiles, and what the sample of them misses."""
    judged = {*judged_cases()}
    plain = [case for case in supported(replace(EVERYTHING, compiles=True)) if case.id in judged]
    sample = sampled_plain(plain, compiles=True)
    left = surviving(sorted(sample), tuple(catalogue()))
    never = surviving([case.id for case in plain if case.id not in sample], left)
    caught, missed = len(catalogue()) - len(never), [name for name in left if name not in never]
    print(f"plain cases of what compiles ({len(plain):,}): {caught} of {len(catalogue())} deviations")
    print(f"their sample ({len(sample):,}): {caught - len(missed)}", *missed)


def main(arguments: Sequence[str]) -> None:
    """Print the lines."""
    if arguments == ["compiles"]:
        print_of_what_compiles()
        return
    count, seed = int(arguments[0]) if arguments else 0, int(arguments[1]) if len(arguments) > 1 else 1
    left, mutants = tuple(catalogue()), sample(count, seed, tuple(catalogue())) if count else ()
    found: dict[str, set[str]] = {}
    acting: set[str] = set()
    for name, case_ids in parts().items():
        left = surviving(case_ids, left)
        print(f"{name} ({len(case_ids):,}): {len(catalogue()) - len(left)} of {len(catalogue())} deviations", *left)
        fates = list(attack(mutants, case_ids))
        found[name] = {fate.mutant.text for fate in fates if fate.caught_by}
        acting |= {fate.mutant.text for fate in fates if fate.caught_by or fate.shown_by}
        sys.stdout.flush()
    for name, caught in found.items() if count else ():
        print(f"{name}: {len(caught)} of {len(acting)} conditional mutants that act (seed {seed})")


if __name__ == "__main__":
    main(sys.argv[1:])
