"""Running statistics in float64 beside narrower parameters: right where that is declared, found out where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.judge_layers import failing, judge_all, lines

from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.mutation.mutant import PlainAdapter, usual_precision
from bn_reference.definition.state import LayerFormats
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

IN_FLOAT64 = Convention(statistics_dtype="float64")
ALL_FAMILIES = sorted({case.family for case in all_cases().values()})


class OfTheParameters(PlainAdapter):
    """Keeps the statistics as its parameters are, whatever it declares."""

    def build(self, config: LayerConfig) -> object:  # type: ignore[override]
        self._convention_of_layer = Convention()
        return super().build(config)


class InSingle(PlainAdapter):
    """Computes in float32, but for float64 data; the statistics are rounded to float32 where they are read."""

    def working_dtype(self, config: LayerConfig) -> np.dtype[np.generic]:
        return usual_precision(config.dtype)


def asked(*families: str) -> list[Case]:
    can, cases = PlainAdapter.capabilities, all_cases().values()
    chosen = [case for case in cases if case.family in families and not case.sweep and not case.large]
    lacking = (unsupported_reason(case, can, IN_FLOAT64) for case in chosen)
    return [as_declared(case, can, IN_FLOAT64) for case, lack in zip(chosen, lacking, strict=True) if not lack]


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float16", "float16"), ("bfloat16", "float32")])
def test_the_statistics_are_float64_whatever_the_parameters_are(dtypes: tuple[str, str]) -> None:
    config = LayerConfig(num_channels=1, dtype=dtypes[0], parameter_dtype=dtypes[1])
    formats = LayerFormats.of(config, IN_FLOAT64)
    assert (formats.parameters.name, formats.statistics.name) == (dtypes[1], "float64")


@pytest.mark.parametrize("adapter", [PlainAdapter, InSingle])
def test_a_right_layer_that_declares_it_is_clean(adapter: type[PlainAdapter]) -> None:
    items = judge_all(adapter(convention=IN_FLOAT64), asked("DTYPE", "STAT", "STATE"))
    assert not failing(items), lines(failing(items))


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [PlainAdapter, InSingle])
def test_it_is_clean_in_every_case(adapter: type[PlainAdapter]) -> None:
    items = judge_all(adapter(convention=IN_FLOAT64), asked(*ALL_FAMILIES))
    assert not failing(items), lines(failing(items))


def test_one_that_declares_it_and_keeps_float32_is_found_out() -> None:
    (item,) = judge_all(OfTheParameters(convention=IN_FLOAT64), [all_cases()["stat/nc/float32/first-step"]])
    assert item.verdict == "fail"
    assert "float64" in item.message
    assert "DTYPE-1" in {clause for quantity in item.quantities for clause in quantity.clauses}


def test_one_that_keeps_float64_and_does_not_declare_it_is_found_out() -> None:
    class Silent(PlainAdapter):
        def build(self, config: LayerConfig) -> object:  # type: ignore[override]
            self._convention_of_layer = IN_FLOAT64
            return super().build(config)

    (item,) = judge_all(Silent(), [all_cases()["stat/nc/float32/first-step"]])
    assert item.verdict == "fail"
