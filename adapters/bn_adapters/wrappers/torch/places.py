"""Where x may have its channels, and where y is: layers tried on every rank with the channels on every axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

from bn_adapters.torch_tensors import load_torch
from bn_adapters.wrappers.code import error_line, mistake_among
from bn_adapters.wrappers.reading.not_quite import beyond_text
from bn_adapters.wrappers.torch.construction import OF_AXES, OF_SPACE
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.names import RANK
from bn_adapters.wrappers.torch.trial_run import LIKE, LayerTrial, config_of, fresh_x, layer_for, tried, unlike
from bn_adapters.wrappers.trial import CHANNELS
from bn_conformance.targets.naming import TargetError

PLACES = ((4, 1), (4, 3), (2, 1), (3, 1), (3, 2), (5, 1), (5, 4), (4, 2), (5, 2), (5, 3))
"""Ranks and axes of the channels, the likeliest first."""


@dataclass(frozen=True)
class Tries:
    """What layers gave on x of every rank.

    Attributes:
        taken: the trials of the ranks and axes that they take, the likeliest first.
        refusals: of the ranks that they do not take, the reason.
    """

    taken: tuple[LayerTrial, ...]
    refusals: dict[int, str]

    @property
    def best(self) -> LayerTrial:
        """The trial that looks most like batch normalisation."""
        return min(self.taken, key=distance)

    def __str__(self) -> str:
        ranks = sorted({trial.x.ndim for trial in self.taken})
        others = "".join(f"; not {rank} ({why})" for rank, why in self.refusals.items())
        return f"x of rank {', '.join(map(str, ranks))}{others}"


def distance(trial: LayerTrial) -> float:
    """How far a trial is from batch normalisation, in the mode that comes nearest."""
    return min(_distances(trial), default=float("inf"))


def _distances(trial: LayerTrial) -> list[float]:
    expected = {"training": trial.batch, "inference": trial.known}
    return [unlike(y, expected[mode]) for mode, y in trial.y.items()]


def with_result(recipe: ModuleRecipe, expected: str) -> ModuleRecipe:
    """The recipe with the place of y in what a layer gives, what an argument for the rank counts, and a format.

    Raises:
        TargetError: layers cannot be built, or give nothing of the shape of x.
    """
    construction, built = recipe.construction, None
    found: list[tuple[float, ModuleRecipe]] = []
    counts = (OF_AXES, OF_SPACE) if RANK in construction.names else (construction.rank_is,)
    for counted, dtype in product(counts, ("float32", "float64")):
        if found and dtype == "float64":
            continue
        one = replace(recipe, construction=replace(construction, rank_is=counted), tried_in=dtype)
        try:
            found += [(distance(trial), one_with) for one_with, trial in _with_results(one, expected)]
        except TargetError as error:
            built = built or error
    if found:
        return min(found, key=lambda pair: pair[0])[1]
    if built is not None:
        raise built
    return recipe


def _with_results(recipe: ModuleRecipe, expected: str) -> Iterable[tuple[ModuleRecipe, LayerTrial]]:
    """The recipe with each place of y that there is, and a trial of it."""
    for rank, axis in PLACES:
        layer = layer_for(recipe, config_of(rank, axis, recipe.tried_in), expected)
        for training in (True, False):
            x = fresh_x(rank, axis, recipe.tried_in)
            try:
                given = recipe.calling.everything(layer.held, x, training)
            except Exception:
                continue
            paths = recipe.calling.results_like(given, x)
            for path in paths:
                one = replace(recipe, calling=replace(recipe.calling, result=path))
                yield one, tried(one, rank, axis, expected)
            if paths:
                return


def all_places(recipe: ModuleRecipe, name: str, expected: str) -> Tries:
    """The places of the channels that layers take.

    A place is taken where both modes work; where they do nowhere, one is enough. Of several places at one rank those
    are taken whose y is that of batch normalisation.

    Raises:
        TargetError: they take none.
    """
    trials = [tried(recipe, rank, axis, expected) for rank, axis in PLACES]
    taken = [trial for trial in trials if not trial.errors] or [trial for trial in trials if trial.y]
    taken = [trial for trial in taken if not _grows(trial)] or taken
    kept = []
    for trial in taken:
        rivals = [other for other in taken if other.x.ndim == trial.x.ndim]
        near = _usual(trial) and distance(trial) <= max(LIKE, min(map(distance, rivals)))
        if near or max(_distances(trial)) <= LIKE / 10:
            kept.append(trial)
    ranks = {trial.x.ndim for trial in kept}
    refusals: dict[int, str] = {}
    for trial in sorted(trials, key=lambda trial: (trial.x.ndim, trial.axis)):
        if trial.x.ndim not in ranks:
            refusals.setdefault(trial.x.ndim, _words(trial))
    if not kept and (rank := _rank_beyond(recipe, expected)):
        raise TargetError(f"{name} {beyond_text(rank)}")
    if not kept:
        if mistake := mistake_among(refusals):
            raise TargetError(f"{name}: {mistake}")
        reasons = [f"rank {rank} {why}" for rank, why in refusals.items()]
        if len(set(refusals.values())) == 1:
            reasons = [next(iter(refusals.values()))]
        raise TargetError(f"{name} takes no x with {CHANNELS} channels: {'; '.join(reasons)}; {expected}")
    return Tries(tuple(kept), refusals)


def _rank_beyond(recipe: ModuleRecipe, expected: str) -> int:
    """A rank that layers take and the suite has not; 0 where they take none."""
    torch = load_torch()
    layer = layer_for(recipe, config_of(4, 1, recipe.tried_in), expected)
    for shape in ((CHANNELS,), (4, CHANNELS, 2, 2, 2, 2), (4, CHANNELS, 2, 2, 2, 2, 2)):
        try:
            y = recipe.calling.y(layer.held, torch.ones(shape, dtype=getattr(torch, recipe.tried_in)), False)
        except Exception:
            continue
        if tuple(getattr(y, "shape", ())) == shape:
            return len(shape)
    return 0


def _grows(trial: LayerTrial) -> bool:
    """Whether a step makes of the statistics something else than one of each channel."""
    return trial.moved is not None and any(part.shape != (CHANNELS,) for part in trial.moved)


def _usual(trial: LayerTrial) -> bool:
    """Whether the channels are first or last: elsewhere y must be that of batch normalisation, or it is chance."""
    return trial.axis in (1, trial.x.ndim - 1)


def _words(trial: LayerTrial) -> str:
    if _grows(trial) and trial.moved is not None:
        return f"its running mean has shape {trial.moved[0].shape} after a step"
    if not trial.errors:
        return "y is not that of batch normalisation"
    error = next(iter(trial.errors.values()))
    return str(error) if str(error).startswith("y has shape") else error_line(error)
