"""bnconform: is an implementation of batch normalisation right?

>>> import bnconform
>>> verdict = bnconform.check(MyBatchNorm)  # doctest: +SKIP

`check` gives a verdict. `assert_conforms` is for a test of one's own. `parametrize` makes pytest items of the cases.
All three take the same things and the same keywords. `convert` carries the layers of trained weights to another
framework. `explain` says what recorded tensors of a step are, and why. `probe`, `diff`, `fuzz`, `compare`, `publish`,
`repro`, `export_vectors` and `check_vectors` do what the commands of these names do; `command_line` runs any other.
"""

from bn_conformance.explain.explanation import ExplainedStep as ExplainedStep
from bn_conformance.results.coverage import Coverage as Coverage
from bn_conformance.results.coverage import FamilyCoverage as FamilyCoverage
from bn_conformance.user_error import UserError
from bnconform.commanding import CommandResult, command_line
from bnconform.converting import convert
from bnconform.explaining import explain
from bnconform.fuzzing import Fuzzed, fuzz
from bnconform.judging import assert_conforms, check
from bnconform.probing import Difference, Probed, diff, probe
from bnconform.pytest_items import CaseCheck, parametrize
from bnconform.results import RunComparison, VectorsVerdict, check_vectors, compare, publish, repro
from bnconform.vectors import export_vectors
from bnconform.verdict import CaseResult, Verdict

__all__ = [
    "CaseCheck",
    "CaseResult",
    "CommandResult",
    "Coverage",
    "Difference",
    "ExplainedStep",
    "FamilyCoverage",
    "Fuzzed",
    "Probed",
    "RunComparison",
    "UserError",
    "VectorsVerdict",
    "Verdict",
    "assert_conforms",
    "check",
    "check_vectors",
    "command_line",
    "compare",
    "convert",
    "diff",
    "explain",
    "export_vectors",
    "fuzz",
    "parametrize",
    "probe",
    "publish",
    "repro",
]
