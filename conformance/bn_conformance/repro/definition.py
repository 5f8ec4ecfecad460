"""Code that computes what a case judges, in plain NumPy, to paste and to put a framework's own calls beside.

The code follows SPEC.md step by step: y, the gradients and the running statistics under a convention, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case, Freeze, Reload, SetParameters, SetStatistics, has_data
from bn_conformance.cases.steps import STANDING, handlers, in_words, is_frozen_after
from bn_reference.specification.config import CUMULATIVE

MOST_STEPS = 8
"""Steps that are written out."""


def case_code(case: Case, convention: Convention, source: str = "") -> list[str]:
    """Lines of Python that make the data of a case and compute y, the gradients and the running statistics.

    Args:
        case: the case.
        convention: of the running statistics.
        source: the file of a case that is a regression.

    Returns:
        The lines. After each step with data `y` is what it must give, with a dy `dx`, `dgamma` and `dbeta` too, and
        `running_mean` and `running_var` are what the layer must hold.
    """
    lines = [*_opening(case, source)]
    if case.expects == "refusal":
        return [*lines, "# the layer must raise a clear error on data.batches[0].x"]
    lines += layer_of(case, convention)
    batches, frozen = 0, False
    for index, step in enumerate(case.steps[:MOST_STEPS]):
        lines += ["", f"# step {index}: {in_words(step)}"]
        lines += _STEPS[type(step)](case, convention, step, _Place(index, batches, frozen))
        batches += has_data(step)
        frozen = is_frozen_after([step], frozen)
    more = len(case.steps) - MOST_STEPS
    return [*lines, *(["", f"# and {more} steps more"] if more > 0 else [])]


class _Place:
    """Where a step stands: its index, how many steps with data came before, and whether the layer is frozen."""

    def __init__(self, index: int, batches: int, frozen: bool) -> None:
        self.index, self.batches, self.frozen = index, batches, frozen


def _opening(case: Case, source: str) -> Iterator[str]:
    yield "import numpy as np"
    yield "from bn_conformance.cases.tensors import data_of"
    if source:
        yield "from bn_conformance.catalogue.regressions import read_regression"
        yield f"case = read_regression({source!r})"
    else:
        known = "large_cases" if case.large else "all_cases"
        yield f"from bn_conformance.catalogue import {known}"
        yield f"case = {known}()[{case.id!r}]"
    yield "data = data_of(case)"


def layer_of(case: Case, convention: Convention) -> Iterator[str]:
    """Lines that say what the layer of a case is: its axes, eps, momentum and running statistics."""
    config = case.config
    shape = tuple(-1 if axis == config.channel_axis else 1 for axis in range(config.rank))
    eps = config.eps if config.eps is not None else convention.default_eps
    yield f"axes, shape = {config.reduced_axes}, {shape}  # what is averaged, and how a vector lies along the channels"
    yield f"eps = {eps!r}" + ("  # the default" if config.eps is None else "")
    if config.momentum == CUMULATIVE:
        yield "updates = 0  # the running statistics are averages of all batches"
    else:
        yield f"new = {_weight_of_new(config.momentum, convention)!r}  # weight of the new statistic"
    initial = convention.initial_running_variance
    yield f"running_mean, running_var = np.zeros({config.num_channels}), np.full({config.num_channels}, {initial!r})"


def _weight_of_new(momentum: Any, convention: Convention) -> float | None:
    if momentum is not None:
        return float(momentum)
    default = convention.default_momentum
    return default if default is None or convention.momentum_weighs == "new" else 1 - default


def _batch(case: Case, convention: Convention, step: Batch, place: _Place) -> Iterator[str]:
    if len(step.shape) != case.config.rank:
        yield f"# x has {len(step.shape)} axes, where the layer takes {case.config.rank}: a clear error is allowed"
        return
    channels = case.config.num_channels
    yield f"batch = data.batches[{place.batches}]"
    yield "x = batch.x.astype(np.float64)"
    for name, default in (("gamma", "np.ones"), ("beta", "np.zeros")):
        yield (f"{name} = {default}({channels}) if batch.{name} is None else batch.{name}.astype(np.float64)")
    if step.mask is not None:
        yield "mask = batch.mask"
    if step.dy is not None:
        yield "dy = batch.dy.astype(np.float64)"
    yield from definition_of(case, convention, step, step.training and not place.frozen)


def definition_of(case: Case, convention: Convention, step: Batch, training: bool) -> Iterator[str]:
    """Lines that compute what a step gives, of x, dy, gamma, beta, mask and the running statistics before it.

    Args:
        case: the case of the step.
        convention: of the running statistics.
        step: the step.
        training: whether its batch normalises.
    """
    yield from _normalised(convention, step, training)
    yield "y = gamma.reshape(shape) * xhat + beta.reshape(shape)"
    if training:
        yield from _moved(case, convention)
    if step.between:
        yield f"# before the backward: {'; '.join(map(in_words, step.between))}"
    if step.dy is not None:
        yield from _gradients(step, training)
    if step.second is not None:
        yield "# the gradients of the second order are not in this code; SPEC.md has them as SECOND-1 to SECOND-4"


def _normalised(convention: Convention, step: Batch, training: bool) -> Iterator[str]:
    if not training:
        yield "mean, var = running_mean, running_var"
    elif step.mask is None:
        yield "mean, var, n = x.mean(axis=axes), x.var(axis=axes), x.size // x.shape[shape.index(-1)]"
    else:
        yield "counts = np.broadcast_to(mask, x.shape)"
        yield "mean, var, n = x.mean(axis=axes, where=counts), x.var(axis=axes, where=counts), int(mask.sum())"
    eps = "" if not training and not convention.eps_in_inference else " + eps"
    yield f"deviation = np.sqrt(var{eps})"
    yield "xhat = (x - mean.reshape(shape)) / deviation.reshape(shape)"


def _moved(case: Case, convention: Convention) -> Iterator[str]:
    """The running statistics after a step of training."""
    if convention.debiasing != "none":
        yield f"# the running statistics are debiased ({convention.debiasing}); this code does not move them"
        return
    if convention.statistics_move != "forward":
        yield f"# the running statistics move with the {convention.statistics_move} call"
    estimate = "var" if convention.running_variance == "biased" else "var * n / (n - 1)"
    estimate += " + eps" * convention.eps_in_running_variance
    if case.config.momentum == CUMULATIVE:
        yield "updates += 1"
        yield "new = 1 / updates"
    yield "running_mean = (1 - new) * running_mean + new * mean"
    yield f"running_var = (1 - new) * running_var + new * ({estimate})"


def _gradients(step: Batch, training: bool) -> Iterator[str]:
    yield "dbeta, dgamma = dy.sum(axis=axes), (dy * xhat).sum(axis=axes)"
    if not training:
        yield "dx = (gamma / deviation).reshape(shape) * dy"
        return
    yield "through_statistics = (dbeta.reshape(shape) + xhat * dgamma.reshape(shape)) / n"
    if step.mask is not None:
        yield "through_statistics = np.where(counts, through_statistics, 0)"
    yield "dx = (gamma / deviation).reshape(shape) * (dy - through_statistics)"


def _set_statistics(case: Case, convention: Convention, step: SetStatistics, place: _Place) -> Iterator[str]:
    dtype = case.config.parameter_dtype
    yield f"given = case.steps[{place.index}]"
    for name, part in (("running_mean", "mean"), ("running_var", "variance")):
        yield f"{name} = given.{part}.vector({case.config.num_channels}, {dtype!r}).astype(np.float64)"


def _nothing(case: Case, convention: Convention, step: Any, place: _Place) -> Iterator[str]:
    yield from ()


_Lines = Callable[[Case, Convention, Any, _Place], Iterator[str]]

_STEPS: Mapping[type[Any], _Lines] = handlers(
    STANDING,
    {
        Batch: _batch,
        SetStatistics: _set_statistics,
        SetParameters: _nothing,
        Reload: _nothing,
        Freeze: _nothing,
    },
)
