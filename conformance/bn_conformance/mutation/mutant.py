"""The reference's plain layer as an adapter, right or with deviations: what the suite tries its own cases on."""

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

EVERYTHING = Capabilities(
    dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
    mixed=frozenset({("float16", "float32"), ("bfloat16", "float32"), ("float32", "float64")}),
    layouts=frozenset({"first", "last", "between"}),
    affine=frozenset({"both", "none", "gamma", "beta"}),
    cumulative=True,
    freeze=True,
    masks=True,
    second_order=frozenset({"training", "inference"}),
)
"""What the plain layer can do: all that there is."""


class PlainAdapter(Adapter):
    """The plain layer under a convention, with any deviations.

    Args:
        deviations: outermost first; none for the right layer. The conventions that they change are those of the layer
            alone: the adapter goes on declaring what it is given.
        convention: what the adapter declares.
        work: dtype of all arithmetic, float64 or binary128.
        base: the layer that deviations change.
    """

    name = "plain"
    convention = Convention()
    capabilities = EVERYTHING

    def __init__(
        self,
        deviations: Sequence[Deviation] = (),
        convention: Convention | None = None,
        work: np.dtype[Any] | None = None,
        base: type[PlainLayer] = PlainLayer,
    ) -> None:
        super().__init__()
        self.convention = convention or Convention()  # type: ignore[misc]
        self.name = "+".join(entry.name for entry in deviations) or "plain"  # type: ignore[misc]
        self._work, self._actual = work, self.convention
        for entry in deviations:
            self._actual = entry.under(self._actual) or self._actual
        self._layer = combined(deviations, base)

    def build(self, config: LayerConfig) -> Layer:
        """A layer; `PlainLayer` has the methods of the contract."""
        return cast(Layer, self._layer(config, self._actual, dtype_of, self._work))

    def call_once(self, case: Case, data: CaseData) -> None:
        """One call of a fresh layer, for what all layers of this adapter share: counters, buffers, first uses.

        What state that was in when an implementation was observed is nowhere recorded, so a second try begins in
        another.
        """
        if data.batches:
            with np.errstate(all="ignore"), suppress(Exception):  # a layer may refuse the case's input
                self.build(case.config).forward(data.batches[0].x.copy(), case.batches[0].training)
