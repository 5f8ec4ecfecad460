"""A case: a layer configuration and a sequence of steps, with the recipes of its data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Literal, TypeGuard

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.recipes import DataRecipe

View = str
Quantities = frozenset[str]

OUTPUTS: Quantities = frozenset({"y"})
GRADIENTS: Quantities = frozenset({"dx", "dgamma", "dbeta"})
STATISTICS: Quantities = frozenset({"running_mean", "running_var"})
ALL_QUANTITIES: Quantities = OUTPUTS | GRADIENTS | STATISTICS
LARGE_SIZE = 1 << 20
"""Values of x from which on a step is large."""

LONG_STEPS, VALUES_OF_A_STEP = 20, 550
"""Steps from which on a case is long, and the values of x that take as long to judge as a step does by itself."""

SAVED: Quantities = frozenset({"saved_mean", "saved_invstd", "dx_given", "dgamma_given", "dbeta_given"})
"""What is judged of saved statistics: they themselves, and the gradients from exact ones."""

SECOND_ORDER: Quantities = frozenset({"ds_dx", "ds_dgamma", "ds_ddy"})

PARAMETER_GRADIENTS: Quantities = frozenset({"dgamma", "dbeta", "dgamma_given", "dbeta_given", "ds_dgamma"})
"""Gradients of gamma and beta, of the first and the second order."""


@dataclass(frozen=True, kw_only=True)
class Second:
    """Weights of the gradients in the scalar of the second order (SPEC.md, SECOND).

    Attributes:
        v_dx: recipe of a tensor of the shape of x.
        v_dgamma: recipe of a vector, for a layer that has gamma; None for nothing.
        v_dbeta: recipe of a vector, for a layer that has beta; None for nothing.
    """

    v_dx: DataRecipe
    v_dgamma: DataRecipe | None = None
    v_dbeta: DataRecipe | None = None


@dataclass(frozen=True, kw_only=True)
class EarlierBackward:
    """A backward before the step's own, through the same forward. It is not judged, and must leave no trace.

    Attributes:
        dy: recipe of its dy.
        second: what weighs the gradients of the second order, taken after it; None for no second order.
    """

    dy: DataRecipe
    second: Second | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A step with data: forward in training or inference, and backward where there is a `dy`.

    Attributes:
        training: whether the forward is in training.
        shape: shape of x.
        x: recipe of x.
        dy: recipe of dy; None for no backward.
        view: how x lies in memory, one of `bn_conformance.cases.views.VIEWS`.
        dy_view: how dy lies in memory; None for as x does (read-only where x is broadcast).
        interrupt: recipe of an x of the same shape, on which another layer of the same configuration is trained
            between the forward and the backward; None for no such layer. Where two layers infer at once, it infers.
        between: what happens to the layer between the forward (and the update and the interruption) and the backward,
            in order: a reload is of its own state into the layer itself. Cases that overwrite have none.
        judge: whether the step's numbers are judged; a training step in a long sequence may only move statistics.
        dtype: format of x where it is not the configuration's (bad input).
        dy_shape: shape of dy where it is not that of x (bad input).
        mask: which positions count; None for a call without a mask.
        second: what weighs the gradients of the second order, taken after the backward; None for no second order.
        saved: what is asked of the statistics that the forward keeps for its backward: `forward` reads them, `backward`
            takes a second backward, from exact ones; None for neither.
        shards: sizes on axis 0 of the shards that x and dy are split into; None for a call without.
    """

    training: bool
    shape: tuple[int, ...]
    x: DataRecipe
    dy: DataRecipe | None = None
    view: View = "contiguous"
    dy_view: View | None = None
    interrupt: DataRecipe | None = None
    between: tuple[Between, ...] = ()
    judge: bool = True
    dtype: str | None = None
    dy_shape: tuple[int, ...] | None = None
    mask: MaskRecipe | None = None
    second: Second | None = None
    saved: Literal["forward", "backward"] | None = None
    shards: tuple[int, ...] | None = None

    @property
    def large(self) -> bool:
        """Whether x is too large to be spread out in binary128 many times over."""
        return prod(self.shape) >= LARGE_SIZE


@dataclass(frozen=True)
class SetStatistics:
    """Set the running statistics.

    Attributes:
        mean, variance: recipes of vectors.
        view: how these lie in memory.
        lengths: of mean and variance, where one has not a value for each channel (bad input).
    """

    mean: DataRecipe
    variance: DataRecipe
    view: View = "contiguous"
    lengths: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class ParameterRecipes:
    """Recipes of gamma and beta, and how these vectors lie in memory."""

    gamma: DataRecipe
    beta: DataRecipe
    view: View = "contiguous"


@dataclass(frozen=True, kw_only=True)
class SetParameters(ParameterRecipes):
    """Set gamma and beta, those of them that the layer has, from here on.

    Attributes:
        lengths: of gamma and beta, where one has not a value for each channel (bad input).
    """

    lengths: tuple[int, int] | None = None


@dataclass(frozen=True)
class Reload:
    """Save the layer's state, build another layer, load the state into it and go on with that.

    Attributes:
        also: a forward that the other layer makes before it loads, and the saved one after that; their numbers
            are not judged, and neither may leave a trace.
        spoil: what is wrong with the state (bad input): its longest vector is `missing` or a value `longer`, or there
            is an `extra` one; None for nothing.
    """

    also: Batch | None = None
    spoil: Literal["missing", "longer", "extra"] | None = None


@dataclass(frozen=True)
class Freeze:
    """Freeze the layer."""


Step = Batch | SetStatistics | SetParameters | Reload | Freeze
Between = SetStatistics | SetParameters | Reload | Freeze | EarlierBackward


def has_data(step: Step | Between) -> TypeGuard[Batch]:
    """Whether a step has data of its own: it is a forward, with a backward or without one."""
    return isinstance(step, Batch)


def batches_of(steps: Iterable[Step | Between]) -> tuple[Batch, ...]:
    """The steps that have data, in order."""
    return tuple(step for step in steps if has_data(step))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case of the matrix.

    Attributes:
        id: spells its axes, for example `grad/nchw/float32/offset-1e4`.
        family: the family of its first clause.
        title: what it tests, in a sentence.
        clauses: ids of the clauses it tests, the deciding one first.
        config: the layer.
        steps: what happens to it, in order.
        parameters: gamma and beta at the beginning, or None for the layer's defaults (1 and 0).
        judges: kinds of quantities that are judged.
        expects: `numbers`; `numbers-or-refusal`, where a clear error is as good; or `refusal`, where nothing else is.
        exact_statistics: mean and variance are exact in any order of summation; in inference x less the running mean
            is exact. What is left is a few counted roundings.
        exact: every result is exact; no unit in the last place is allowed.
        tight: y must be at level `tight`: a rounding of parameters to the format of x is not allowed.
        finite_statistics: running statistics are judged for being finite alone.
        nonfinite_alike: where the golden is NaN or infinite any NaN or infinity is right.
        repeat: the whole sequence runs twice, on two fresh layers, and must give the same bits.
        band: output statistics that are judged in a derived band (the two-layer network), else None.
        threads: how many threads the implementation computes with.
        concurrent: rounds in which two layers, one on x and one on the `interrupt` of the only step, run forward and
            backward at the same time; 0 for none. A step in inference has a forward alone.
        shared: whether both threads call one layer, in inference; None for no.
        overwrites: whether the caller writes over each of its arrays as soon as it may: those that it set when that
            call is over, y before backward, everything after backward.
        same_arrays: whether the caller has one array for each argument, and passes it again with other numbers in it:
            x, dy, gamma, beta, and the statistics that it sets; None for no.
        companions: how many other layers of this configuration are built before this one, and how many after it. They
            live as long, and take each of its steps with data too, on data of their own, as the layers of a network
            do: forwards in the order in which the layers were built, backwards in the opposite order. Their numbers
            are not judged. None for no other layers.
        laws: names of the laws that are held against its last step with data (`bn_conformance.laws`).
        original: whether the steps run a second time, on the layer that this one was compiled or exported from.
        any_value: names of settings (eps, momentum) that belong to the place where the case is tried, so that an
            implementation's own literal does as well; None for none.
        sweep: one of many sizes, left out for implementations that compile for each shape.
        axes: what the id spells, for reports.
    """

    id: str
    family: str
    title: str
    clauses: tuple[str, ...]
    config: LayerConfig
    steps: tuple[Step, ...]
    parameters: ParameterRecipes | None = None
    judges: Quantities = ALL_QUANTITIES
    expects: Literal["numbers", "numbers-or-refusal", "refusal"] = "numbers"
    exact_statistics: bool = False
    exact: bool = False
    tight: bool = False
    finite_statistics: bool = False
    nonfinite_alike: bool = False
    repeat: bool = False
    band: bool = False
    threads: int = 1
    concurrent: int = 0
    shared: bool | None = None
    overwrites: bool = False
    same_arrays: bool | None = None
    companions: tuple[int, int] | None = None
    laws: tuple[str, ...] = ()
    original: bool | None = None
    any_value: frozenset[str] | None = None
    sweep: bool = False
    axes: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """The steps that have data."""
        return batches_of(self.steps)

    @cached_property
    def changes(self) -> tuple[Step | Between, ...]:
        """All that happens to the layer, between steps and within them."""
        return (*self.steps, *(change for batch in self.batches for change in batch.between))

    @property
    def large(self) -> bool:
        """Whether a step is large: then the case runs only where it is named, and nothing is made of its failures."""
        return any(batch.large for batch in self.batches)

    @property
    def effort(self) -> float:
        """What judging it takes, about, in small steps."""
        return sum(1 + prod(batch.shape) / VALUES_OF_A_STEP for batch in self.batches)

    @property
    def long(self) -> bool:
        """Whether judging it takes many times as long as most cases take: such a case is better judged late."""
        return self.effort > LONG_STEPS

    @property
    def signature(self) -> str:
        """What a compiling implementation compiles anew for: shapes, formats and channel axis."""
        shapes = sorted({"x".join(map(str, batch.shape)) for batch in self.batches})
        return f"{'+'.join(shapes)}/{self.config.dtype}/{self.config.parameter_dtype}/{self.config.channel_axis}"
