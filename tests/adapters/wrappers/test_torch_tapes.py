"""What torch layers keep between a forward and its backward, and from step to step, judged as users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.torch_kinds import SOURCE

import bnconform

pytestmark = pytest.mark.framework

TAPES = '''

class SavingY(torch.autograd.Function):
    """Works backwards from its own result."""
    @staticmethod
    def forward(ctx, x, mean, var, eps, training, watched):
        inverse = torch.rsqrt(var + eps)[:, None, None]
        y = (x - mean[:, None, None]) * inverse
        ctx.training = training
        ctx.save_for_backward(*((y, inverse) if watched else (inverse,)))
        ctx.behind = None if watched else y.detach()
        return y

    @staticmethod
    def backward(ctx, dy):
        y, inverse = ctx.saved_tensors if ctx.behind is None else (ctx.behind, *ctx.saved_tensors)
        if ctx.training:
            dy = dy - dy.mean((0, 2, 3), True) - y * (dy * y).mean((0, 2, 3), True)
        return dy * inverse, None, None, None, None, None


class Watched(nn.Module):
    watched = True

    def __init__(self, width, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x):
        mean, var = self.running_mean.clone(), self.running_var.clone()
        if self.training:
            var, mean = torch.var_mean(x.detach(), (0, 2, 3), correction=0)
            n = x.numel() // x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
        return SavingY.apply(x, mean, var, self.eps, self.training, self.watched)


class Behind(Watched):
    """Keeps its result where autograd does not see that it is written over."""
    watched = False


class Growing(Plain):
    """Averages its statistics with the graph of each batch."""
    def forward(self, x):
        if not self.training:
            return self.normalise(x, False)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        column = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        var, mean = torch.var_mean(x, axes, correction=0)
        n = x.numel() // x.shape[1]
        self.running_mean = self.running_mean * (1 - self.momentum) + mean * self.momentum
        self.running_var = self.running_var * (1 - self.momentum) + var * (self.momentum * n / (n - 1))
        y = (x - mean.view(column)) / torch.sqrt(var.view(column) + self.eps)
        return y * self.weight.view(column) + self.bias.view(column)
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tapes") / "tapes.py"
    path.write_text(SOURCE + TAPES)
    return path


def judged(file: Path, name: str, *cases: str) -> bnconform.Verdict:
    return bnconform.check(f"{file}:{name}", cases=cases)


def test_a_result_that_the_caller_writes_over_may_be_refused_to_go_backwards(file: Path) -> None:
    verdict = judged(file, "Watched", "pure/nchw/float32/overwritten")
    (item,) = verdict.results.items
    assert item.outcome == "refused"
    assert "modified by an inplace operation" in item.message


def test_a_result_that_is_written_over_unseen_spoils_the_gradient(file: Path) -> None:
    (failure,) = judged(file, "Behind", "pure/nchw/float32/overwritten").failures
    assert failure.outcome == "wrong"


def test_a_layer_that_keeps_no_result_goes_backwards_whatever_is_written_over_it(file: Path) -> None:
    verdict = judged(file, "Plain", "pure/nchw/float32/*")
    assert not verdict.failures
    assert all(item.outcome != "refused" for item in verdict.results.items if item.case.endswith("overwritten"))


def test_statistics_that_keep_the_graph_are_seen(file: Path) -> None:
    (failure,) = judged(file, "Growing", "pure/nchw/float32/nothing-but-numbers").failures
    assert "Trying to backward through the graph a second time" in failure.message
    assert failure.clause == "PURE-8"


def test_a_layer_whose_statistics_keep_the_graph_cannot_be_copied(file: Path) -> None:
    failures = judged(file, "Growing", "state/nchw/float32/save-and-load").failures
    assert any("deepcopy" in failure.message for failure in failures)
