"""A schedule is made from a case alone, and sent in as few exchanges as its dependencies allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig
from bn_conformance.cases.model import Batch, Case, EarlierBackward, Freeze, Reload, SetParameters, SetStatistics, Step
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.tensors import data_of
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import Call
from bn_conformance.observing.observation import Observation
from bn_conformance.observing.observe import observe
from bn_conformance.observing.operation import InFormatOfStatistics, Operation, SavedState
from bn_conformance.observing.schedule import schedule_of

X, POSITIVE = DataRecipe(seed=1), DataRecipe(kind="positive", seed=2)
TRAIN = Batch(training=True, shape=(4, 2), x=X, dy=DataRecipe(seed=3))
EVALUATE = Batch(training=False, shape=(4, 2), x=X)
SET_STATISTICS = SetStatistics(X, POSITIVE)
SET_PARAMETERS = SetParameters(gamma=DataRecipe(seed=4), beta=X)


def case_of(*steps: Step, **properties: Any) -> Case:
    config = LayerConfig(num_channels=2, rank=2)
    return Case(id="t", family="FWD", title="t", clauses=("FWD-1",), config=config, steps=steps, **properties)


def scheduled(*steps: Step, explicit_update: bool = False, **properties: Any) -> tuple[Operation, ...]:
    case = case_of(*steps, **properties)
    return schedule_of(case, data_of(case), explicit_update)


def names(operations: Sequence[Operation]) -> str:
    short = {"running_statistics": "read", "set_running_statistics": "set-statistics"}
    return " ".join(short.get(operation.name, operation.name) for operation in operations)


class RecordingHost(LocalHost):
    """Remembers which operations were sent together."""

    def __init__(self, layer: type[GoodLayer] = GoodLayer) -> None:
        class Adapter(GoodNumpy):
            def build(self, config: LayerConfig) -> Layer:
                return layer(config)

        super().__init__(Adapter())
        self.exchanges: list[list[str]] = []

    def run(self, calls: Sequence[Call[Any]]) -> tuple[list[Any], LayerError | None]:
        if calls:
            self.exchanges.append([call.name for call in calls])
        return super().run(calls)


def observed(*steps: Step, host: LocalHost, **properties: Any) -> Observation:
    case = case_of(*steps, **properties)
    return observe(case, data_of(case), host, explicit_update=False)


@pytest.mark.parametrize(
    ("steps", "operations"),
    [
        ((TRAIN,), "build read forward read backward read drop"),
        ((EVALUATE,), "build read forward read drop"),
        ((Freeze(), EVALUATE), "build read freeze forward read drop"),
        ((SET_STATISTICS, EVALUATE), "build read set-statistics read forward read drop"),
        ((EVALUATE, SetParameters(gamma=X, beta=X)), "build read forward read set_parameters drop"),
        ((Reload(), EVALUATE), "build read state build load_state read forward read drop drop"),
        (
            (replace(TRAIN, between=(EarlierBackward(dy=X), Reload())),),
            "build read forward read backward state load_state read backward read drop",
        ),
        (
            (replace(TRAIN, interrupt=X),),
            "build read forward read build forward drop read backward read drop",
        ),
    ],
)
def test_a_schedule_lists_the_operations_of_each_step(steps: tuple[Step, ...], operations: str) -> None:
    assert names(scheduled(*steps)) == operations


def test_an_explicit_update_follows_each_forward_in_training() -> None:
    operations = scheduled(TRAIN, EVALUATE, explicit_update=True)
    assert names(operations) == "build read forward read update_statistics read backward read forward read drop"


def test_operations_know_the_step_they_belong_to() -> None:
    assert [operation.step for operation in scheduled(Freeze(), EVALUATE)] == [-1, -1, 0, 1, 1, 1]


def test_an_argument_that_an_earlier_operation_gives_says_so() -> None:
    operations = {operation.name: operation for operation in scheduled(SET_STATISTICS, Reload())}
    assert operations["set_running_statistics"].arguments["mean"] == InFormatOfStatistics(X, 2)
    assert operations["load_state"].arguments["state"] == SavedState()


@pytest.mark.parametrize(("concurrent", "modes"), [(0, [False, True]), (2, [False, False])])
def test_another_layer_trains_unless_two_layers_infer_at_once(concurrent: int, modes: list[bool]) -> None:
    operations = scheduled(replace(EVALUATE, interrupt=X), concurrent=concurrent)
    assert [one.arguments["training"] for one in operations if one.name == "forward"] == modes


def test_what_does_not_wait_is_sent_together() -> None:
    host = RecordingHost()
    observed(TRAIN, TRAIN, EVALUATE, host=host)
    assert len(host.exchanges) == 1


@pytest.mark.parametrize(("step", "exchanges"), [(SET_STATISTICS, 2), (Reload(), 2), (Freeze(), 1)])
def test_a_step_that_needs_an_answer_waits_once(step: Step, exchanges: int) -> None:
    host = RecordingHost()
    observed(step, EVALUATE, host=host)
    assert len(host.exchanges) == exchanges


class RaisesInInference(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if not training:
            raise ValueError("no inference")
        return super().forward(x, training)


def test_an_error_ends_the_observation_at_its_step_and_layers_are_dropped() -> None:
    host = RecordingHost(RaisesInInference)
    observation = observed(TRAIN, EVALUATE, TRAIN, host=host)
    assert (len(observation.steps), observation.error_step) == (1, 1)
    assert "no inference" in str(observation.error)
    assert host.exchanges[-1] == ["drop"]


class SavesAWord(GoodLayer):
    def state(self) -> Any:
        return {"note": "hello"}


def test_a_state_that_is_no_array_is_an_error_of_its_step() -> None:
    observation = observed(Freeze(), Reload(), EVALUATE, host=RecordingHost(SavesAWord))
    assert "state()['note'] is" in str(observation.error)
    assert observation.error_step == 1


class HalvesWhatIsSet(GoodLayer):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        super().set_running_statistics(mean / 2, variance)


def test_statistics_that_were_set_are_read_back() -> None:
    assert observed(SET_STATISTICS, EVALUATE, host=RecordingHost()).kept
    assert not observed(SET_STATISTICS, EVALUATE, host=RecordingHost(HalvesWhatIsSet)).kept


class GivesTheSameArray(GoodLayer):
    """y is written over by the next forward."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if not hasattr(self, "given"):
            self.given = y
        self.given[...] = y
        return self.given


def test_an_array_that_changes_after_its_call_is_named() -> None:
    changed = observed(TRAIN, EVALUATE, host=RecordingHost(GivesTheSameArray)).changed
    assert changed == ("y of forward 1",)


def test_results_are_kept_where_the_caller_overwrites_its_arrays() -> None:
    plain = observed(TRAIN, host=RecordingHost()).steps[0].forward.y
    host = RecordingHost()
    overwritten = observed(TRAIN, host=host, overwrites=True).steps[0].forward.y
    assert "overwrite" in [operation for exchange in host.exchanges for operation in exchange]
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(overwritten))


class KeepsItsArguments(GoodLayer):
    """A layer that keeps every array that it is given, as it was given."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.given: dict[str, list[Array]] = {"x": [], "dy": [], "gamma": [], "mean": []}
        GIVEN.append(self.given)

    def forward(self, x: Array, training: bool) -> Array:
        self.given["x"].append(x)
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        self.given["dy"].append(dy)
        return super().backward(dy)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        assert gamma is not None
        self.given["gamma"].append(gamma)
        super().set_parameters(gamma, beta)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.given["mean"].append(mean)
        super().set_running_statistics(mean, variance)


GIVEN: list[dict[str, list[Array]]] = []

TWICE = (TRAIN, SET_STATISTICS, SET_PARAMETERS, replace(TRAIN, x=POSITIVE), SET_STATISTICS, SET_PARAMETERS)


@pytest.mark.parametrize("same", [True, None])
def test_a_caller_that_passes_its_arrays_again_has_one_of_each(same: bool | None) -> None:
    GIVEN.clear()
    observation = observed(*TWICE, host=RecordingHost(KeepsItsArguments), same_arrays=same)
    for name, arrays in GIVEN[0].items():
        assert (arrays[0] is arrays[1]) == bool(same), name
    assert observation.changed == ()


def test_an_array_that_is_passed_again_holds_the_new_numbers() -> None:
    case = case_of(TRAIN, replace(TRAIN, x=POSITIVE))
    apart, together = (observed(*case.steps, host=RecordingHost(), same_arrays=same) for same in (None, True))
    for one, other in zip(apart.steps, together.steps, strict=True):
        np.testing.assert_array_equal(np.asarray(one.forward.y), np.asarray(other.forward.y))


def test_companions_go_forward_in_the_order_of_a_network_and_back_in_the_opposite_one() -> None:
    operations = [entry for entry in scheduled(TRAIN, companions=(1, 2)) if entry.name in ("forward", "backward")]
    assert [(entry.name, entry.layer) for entry in operations] == [
        *(("forward", layer) for layer in (0, 1, 2, 3)),
        *(("backward", layer) for layer in (3, 2, 1, 0)),
    ]
    assert [entry.layer for entry in operations if entry.position == 0] == [1, 1]


def test_companions_have_data_and_parameters_of_their_own_and_live_to_the_end() -> None:
    operations = scheduled(TRAIN, EVALUATE, companions=(2, 2), parameters=SET_PARAMETERS)
    for name, argument in (("forward", "x"), ("set_parameters", "gamma")):
        given = [entry.arguments[argument].tobytes() for entry in operations if entry.name == name and entry.step < 1]
        assert len(set(given)) == len(given) == 5
    assert [entry.name for entry in operations[-5:]] == ["drop"] * 5
