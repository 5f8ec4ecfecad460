"""Drawn data: recipes of x and dy, of parameters and of running statistics."""

from __future__ import annotations

from math import inf, nan

from bn_conformance.cases.model import ParameterRecipes, SetStatistics
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.fuzz.source import Source

OFFSETS = (0.0, 0.5, -3.0, 10.0, 100.0, -1e3, 1e4, 1e6)
SCALES = (1.0, 0.25, 1e-3, 30.0, 1e3)
CONSTANTS = (0.0, 1.0, -3.0, 0.1, 1e4 / 3.0)
SPECIALS = (nan, inf, -inf)
_OF_ALL_CHANNELS = ("plus-minus", "plus-minus-fan", "outlier", "mixed-scales", "alike", "signed-zeros")
X_KINDS = ("integers", "centred", "constant", "fill", *_OF_ALL_CHANNELS, "special")
DY_KINDS = ("integers", "centred", "outlier", "constant", "fill", "special")
"""Kinds of data beside the usual ones, the simplest first."""


def drawn_parameters(source: Source) -> ParameterRecipes:
    """Recipes of gamma and beta."""
    view = "strided" if source.one_in(12) else "contiguous"
    return ParameterRecipes(gamma=drawn_vector(source), beta=drawn_vector(source), view=view)


def drawn_vector(source: Source) -> DataRecipe:
    """The recipe of gamma or of beta."""
    kind = source.pick("centred", "fill", "integers", "constant")
    offset = source.pick(0.25, 0.0, 1.0, -2.0, 100.0)
    return DataRecipe(kind=kind, seed=source.seed() if kind in ("centred", "integers") else 0, offset=offset)


def drawn_statistics(source: Source) -> SetStatistics:
    """A step that sets the running statistics; variances are positive."""
    mean = DataRecipe(kind="centred", seed=source.seed(), offset=source.pick(0.25, 0.0, -3.0, 100.0))
    scale = source.pick(1.0, 1e-3, 100.0)
    return SetStatistics(mean, DataRecipe(kind="positive", seed=source.seed(), scale=scale))


def drawn_data(source: Source, dtype: str, gradient: bool = False) -> DataRecipe:
    """The recipe of x, or of dy, whose numbers the format can hold."""
    unusual = source.one_in(2)
    kind = source.pick(*(DY_KINDS if gradient else X_KINDS)) if unusual else "normal"
    if kind == "special":
        return DataRecipe(kind=kind, seed=source.seed(), channel=source.number(0, 4), special=source.pick(*SPECIALS))
    if kind == "fill":
        return DataRecipe(kind=kind, offset=source.pick(*CONSTANTS))
    if kind == "signed-zeros":
        return DataRecipe(kind=kind)
    narrow = dtype == "float16"
    offsets, scales = OFFSETS[: 5 if narrow or gradient else len(OFFSETS)], SCALES[: 3 if narrow else len(SCALES)]
    offset, scale = source.pick(*offsets), source.pick(*scales)
    if kind == "mixed-scales":
        if narrow:  # its variance would overflow running statistics of 16 bits, and what follows means nothing
            return DataRecipe(kind="centred", seed=source.seed())
        offset, scale = 0.0, 1.0
    return DataRecipe(kind=kind, seed=source.seed(), offset=offset, scale=scale)
