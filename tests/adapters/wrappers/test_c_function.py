"""C functions: built from a source, read from a prototype or a line, with a backward, and a crash that costs itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from tests.support.command_line import bnconform
from tests.support.wrapped_code import assert_right, code_in, judged, said_of

from bn_adapters.wrappers.c_library import built_library
from bn_adapters.wrappers.c_signature import prototype_said, prototypes_in
from bn_conformance.results.file import read_results
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

PAIR = """
    /* x of shape (n, c, hw); running statistics are written in place. */
    #include <math.h>
    #include <stddef.h>

    static double mean_of(const double *x, int n, int c, int hw, int j) {
        double sum = 0;
        for (int i = 0; i < n; i++) for (int k = 0; k < hw; k++) sum += x[(i * c + j) * (size_t)hw + k];
        return sum / (n * hw);
    }

    int bn_forward(const double *x, const double *gamma, const double *beta, double *running_mean, double *running_var,
                   double *y, double *save_mean, double *save_invstd, int n, int c, int hw, int training,
                   double momentum, double eps) {
        if (n == 0) return 3;
        for (int j = 0; j < c; j++) {
            double mean = running_mean[j], var = running_var[j];
            if (training) {
                mean = mean_of(x, n, c, hw, j), var = 0;
                for (int i = 0; i < n; i++) for (int k = 0; k < hw; k++) {
                    double d = x[(i * c + j) * (size_t)hw + k] - mean;
                    var += d * d;
                }
                var /= n * hw;
                running_mean[j] += momentum * (mean - running_mean[j]);
                running_var[j] += momentum * (var - running_var[j]);
            }
            save_mean[j] = mean, save_invstd[j] = 1 / sqrt(var + eps);
            for (int i = 0; i < n; i++) for (int k = 0; k < hw; k++) {
                size_t place = (i * c + j) * (size_t)hw + k;
                y[place] = (x[place] - mean) * save_invstd[j] * gamma[j] + beta[j];
            }
        }
        return 0;
    }

    void bn_backward(const double *dy, const double *x, const double *gamma, const double *save_mean,
                     const double *save_invstd, double *dx, double *dgamma, double *dbeta, int n, int c, int hw) {
        for (int j = 0; j < c; j++) {
            double sum = 0, dot = 0, count = n * hw;
            for (int i = 0; i < n; i++) for (int k = 0; k < hw; k++) {
                size_t place = (i * c + j) * (size_t)hw + k;
                sum += dy[place];
                dot += dy[place] * (x[place] - save_mean[j]) * save_invstd[j];
            }
            dbeta[j] = sum, dgamma[j] = dot;
            for (int i = 0; i < n; i++) for (int k = 0; k < hw; k++) {
                size_t place = (i * c + j) * (size_t)hw + k;
                double hat = (x[place] - save_mean[j]) * save_invstd[j];
                dx[place] = gamma[j] * save_invstd[j] * (dy[place] - sum / count - hat * dot / count);
            }
        }
    }
"""

CRASH = """
    #include <math.h>
    #include <stdlib.h>
    void norm(const float *x, const float *gamma, const float *beta, float *y, int n, int c, float eps) {
        if (n > 1000) abort();
        for (int j = 0; j < c; j++) {
            double mean = 0, var = 0;
            for (int i = 0; i < n; i++) mean += x[i * c + j];
            mean /= n;
            for (int i = 0; i < n; i++) var += (x[i * c + j] - mean) * (x[i * c + j] - mean);
            for (int i = 0; i < n; i++) y[i * c + j] = gamma[j] * (x[i * c + j] - mean) / sqrt(var / n + eps) + beta[j];
        }
    }
"""


@needs_compiler
def test_a_pair_in_a_source_is_judged(tmp_path: Path) -> None:
    adapter = load_adapter(code_in(tmp_path, PAIR, file="layer.c"))
    can = adapter.capabilities
    assert (adapter.name, set(can.dtypes), set(can.ranks)) == ("layer.bn_forward", {"float64"}, {2, 3, 4, 5})
    assert (set(can.gradients), set(can.affine)) == ({"training"}, {"both"})
    assert adapter.convention.momentum_weighs == "new"
    assert "running variance: running_var; after a step in place" in said_of(adapter)
    assert_right(adapter, "fwd/*/float64/*", "eval/*/float64/*", "grad/*/float64/random", "edge/nc-0x5/*/empty-batch")


@needs_compiler
def test_what_is_built_of_a_source_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, folder = Path(code_in(tmp_path, PAIR, file="pair.c")), tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert built_library(str(source)).bn_forward
    assert list(folder.iterdir()) == []


@needs_compiler
def test_a_mistake_in_c_is_judged(tmp_path: Path) -> None:
    adapter = load_adapter(code_in(tmp_path, PAIR.replace("- hat * dot / count", ""), "bn_forward", "layer.c"))
    assert {item.verdict for item in judged(adapter, "grad/*/float64/random")} == {"fail"}


@needs_compiler
def test_a_signature_says_what_names_do_not(tmp_path: Path) -> None:
    code = code_in(tmp_path, CRASH.replace("n > 1000", "0"), "norm", "named.c")
    said = f"{code}+argument.signature=x:in gamma:in beta:in y:out n c eps:float"
    assert is_target(said)
    assert_right(load_adapter(said), "fwd/nc/float32/*")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x:in gamma:in beta:in n c", "has no pointer that is written"),
        ("x:inn y:out", "'x:inn' is no parameter"),
        ("x-1:in y:out", "'x-1:in' is no parameter"),
    ],
)
def test_a_mistake_in_a_signature_is_said(line: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        prototype_said("solve", line)


def test_prototypes_are_read_whatever_comments_and_spaces_there_are() -> None:
    source = """
    /* int no(float *x) { */ static void mine(float *x) {}
    int  solve (const  float x[], float* y,
        unsigned int n){}
    """
    found = prototypes_in(source)
    assert [(entry.name, entry.type, entry.way) for entry in found["solve"].parameters] == [
        ("x", "float", "in"),
        ("y", "float", "out"),
        ("n", "unsigned", ""),
    ]
    assert (list(found), found["solve"].returns) == (["solve"], "int")


@needs_compiler
@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("void f(const float *x, float *y, int n) { oops }", "f", "does not compile: .*error"),
        (
            "void f(const float *x, float *y) {}\nvoid g(const float *x, float *y) {}",
            "",
            "defines 2 functions of arrays",
        ),
        ("void f(const float *x, float *y) {}", "g", "has no function g whose parameters are arrays and numbers"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_line(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        load_adapter(code_in(tmp_path, text, name, "f.c"))
    assert "\n" not in str(caught.value)


@needs_compiler
@pytest.mark.slow
def test_a_crash_costs_only_itself(tmp_path: Path) -> None:
    code_in(tmp_path, CRASH, file="crash.c")
    cases = ("--case", "fwd/nc/float32/random", "--case", "num/nc-65536x3/float32/long-constant")
    bnconform(tmp_path, "check", "crash.c", "-n", "0", "--results", "o.jsonl", *cases)
    outcomes = {item.case: item.outcome for item in read_results(tmp_path / "o.jsonl").items}
    assert outcomes["num/nc-65536x3/float32/long-constant"] == "crashed"
    assert outcomes["fwd/nc/float32/random"] in ("exact", "tight")
