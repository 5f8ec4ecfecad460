"""Mutants as an adapter: the plain layer with any deviations, or without one. The suite is tested on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np

from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.cases.tensors import CaseData
from bn_reference.deviations import Deviation, combined
from bn_reference.layer.layer import PlainLayer

ALL_CAPABILITIES = Capabilities(
    dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
    mixed=frozenset({("float16", "float32"), ("bfloat16", "float32"), ("float32", "float64")}),
    layouts=frozenset({"first", "last", "between"}),
    affine=frozenset({"both", "none", "gamma", "beta"}),
    cumulative=True,
    freeze=True,
    masks=True,
    second_order=frozenset({"training", "inference"}),
    saved_statistics=frozenset({"forward", "backward"}),
    shards=frozenset({"equal", "unequal", "empty", "masked"}),
    original=True,
)
"""What the plain layer can do: everything that a case may ask for."""


def usual_precision(dtype: str) -> np.dtype[Any]:
    """The dtype in which implementations compute on data of a dtype: float64 for float64, else float32."""
    return np.dtype(np.float64 if dtype == "float64" else np.float32)


class PlainAdapter(Adapter):
    """The plain layer under a convention, with any deviations; without one it is the reference layer.

    Args:
        deviations: outermost first. Where they change the convention, they change that of the layer alone: the adapter
            goes on declaring what it is given.
        convention: what the adapter declares, the default one if None.
        work: dtype of all arithmetic; None for float64.
        base: the layer that deviations change.
    """

    name = "plain"
    convention = Convention()
    capabilities = ALL_CAPABILITIES

    def __init__(
        self,
        deviations: Sequence[Deviation] = (),
        convention: Convention | None = None,
        work: np.dtype[Any] | None = None,
        base: type[PlainLayer] = PlainLayer,
    ) -> None:
        super().__init__()
        self.convention = convention or Convention()  # type: ignore[misc]
        self.name = "+".join(deviation.name for deviation in deviations) or "plain"  # type: ignore[misc]
        convention_of_layer = self.convention
        for deviation in deviations:
            convention_of_layer = deviation.under(convention_of_layer) or convention_of_layer
        self._work, self._convention_of_layer = work, convention_of_layer
        self._layer = combined(deviations, base)

    def working_dtype(self, config: LayerConfig) -> np.dtype[Any] | None:
        """The dtype of a layer's arithmetic; None for float64."""
        return self._work

    def build(self, config: LayerConfig) -> Layer:
        """A layer; `PlainLayer` has the methods of the contract."""
        return cast(Layer, self._layer(config, self._convention_of_layer, dtype_of, self.working_dtype(config)))

    def build_original(self, config: LayerConfig) -> Layer:
        """The plain layer, without any deviation."""
        return cast(Layer, PlainLayer(config, self.convention, dtype_of, self.working_dtype(config)))

    def call_once(self, case: Case, data: CaseData) -> None:
        """Call a fresh layer once, to change whatever all layers of this adapter share: counters, buffers, first uses.

        Nobody recorded in which state these were when an implementation was observed. A second try after this call
        starts in another state.
        """
        if data.batches:
            with np.errstate(all="ignore"), suppress(Exception):  # a layer may refuse the case's input
                self.build(case.config).forward(data.batches[0].x.copy(), case.batches[0].training)
