"""What a large case costs the process that judges it: `python -m tests.support.large_cost CASE [TARGET]`.

The layer runs in a worker, as in the matrix. The peak of resident memory is the operating system's own, less what the
process had before, when it had judged a small case.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from bn_conformance.cases.recipes import dtype_of
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.process import Process
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.results.outcomes import Threshold
from bn_conformance.targets.loading import load_adapter
from bn_reference.specification.clauses import clauses

ROOT = Path(__file__).parents[2]
GOOD = "tests.support.good_numpy:GoodNumpy"
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the operating system counts the peak."""


@dataclass(frozen=True)
class Cost:
    """What judging took: seconds that passed beside the layer's own calls, seconds of a processor, bytes at the peak.

    `times` is that peak over the size of x.
    """

    case: str
    outcome: str
    levels: dict[str, str]
    seconds: float
    processor: float
    peak: int
    times: float

    def __str__(self) -> str:
        return (
            f"{self.case}: harness and judge {self.processor:.1f} s of a processor ({self.seconds:.1f} s passed), "
            f"peak {self.peak / 1e6:.0f} MB above, {self.times:.1f} times x (goals: 30 s, 6 times)"
        )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def measure(case_id: str, target: str) -> Cost:
    """The cost in this process, which must not have judged anything large before."""
    case, goldens = large_cases()[case_id], Goldens()
    policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
    process, convention = Process({"PYTHONPATH": str(ROOT)}), load_adapter(target)().convention
    try:
        host = IsolatedHost(process, target)
        run_case(target, all_cases()["grad/nchw/float32/random"], host, convention, goldens, policy)
        before, start = _peak(), time.process_time()
        item = run_case(target, case, host, convention, goldens, policy)
        processor, peak = time.process_time() - start, _peak() - before
    finally:
        process.close()
    size = sum(prod(batch.shape) for batch in case.batches) * dtype_of(case.config.dtype).itemsize
    levels = {quantity.name: quantity.outcome for quantity in item.quantities}
    return Cost(case_id, item.outcome, levels, item.harness_seconds, processor, peak, peak / size)


def measured(case_id: str, target: str = GOOD) -> Cost:
    """The cost in a process of its own."""
    command = [sys.executable, "-m", "tests.support.large_cost", case_id, target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return Cost(**json.loads(done.stdout))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure(sys.argv[1], (sys.argv[2:] or [GOOD])[0]))))
