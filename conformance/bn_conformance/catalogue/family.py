"""The builder of cases: what a family module reads like a table with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import Case, Step
from bn_conformance.catalogue.build import PARAMETERS
from bn_conformance.catalogue.places import Place, formats_slug


class Family:
    """Makes the cases of one module of the catalogue.

    A module has one, called `FAMILY`, beside a function `cases` that gives its cases; that is how the module is found.

    Args:
        name: the clause family of its cases. Empty where each case belongs to the family of its first clause.
        order: where the module's cases come among those of the others, which schedules and reports follow; 0 for a
            family of no module, as in a test.
        fields: fields of each of its cases, where a case does not give its own.
    """

    def __init__(self, name: str = "", *, order: int = 0, **fields: Any) -> None:
        self.name = name
        self.order = order
        self._fields: dict[str, Any] = {"parameters": PARAMETERS, **fields}

    def case(
        self,
        place: Place,
        variant: str,
        title: str,
        clauses: str,
        *steps: Step,
        config: Mapping[str, Any] | None = None,
        axes: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Case:
        """A case; its id is `family/layout/formats/variant`.

        Args:
            place: where it is tried.
            variant: what is tried, in the last part of its id.
            title: what it tests, in a sentence.
            clauses: ids of the clauses that it tests, the deciding one first, with spaces between them.
            steps: what happens to the layer.
            config: settings of the layer, beside those of the place.
            axes: what the variant spells, for reports.
            fields: other fields of `Case`; a `family` of its own, too.

        Raises:
            TypeError: a field or setting does not exist.
        """
        dtype, parameter_dtype = place.formats
        layer = LayerConfig(
            num_channels=place.channels,
            rank=place.rank,
            channel_axis=place.axis,
            dtype=dtype,
            parameter_dtype=parameter_dtype,
            **(config or {}),
        )
        family = fields.pop("family", "") or self.name or clauses.partition("-")[0]
        slug = formats_slug(place.formats)
        spelled = {"layout": place.slug, "shape": list(place.shape), "dtype": slug, "n": place.count, **(axes or {})}
        return Case(
            id=f"{family.lower()}/{place.slug}/{slug}/{variant}",
            family=family,
            title=title,
            clauses=tuple(clauses.split()),
            config=layer,
            steps=steps,
            axes=spelled,
            **self._fields | fields,
        )
