"""A recorded step is judged against goldens that an oracle confirms, read as it was made, and its mistake is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.oracle import Channel, exact, exact_row
from tests.support.recorded_steps import EPS, WEIGHT, Arrays, eps_outside_root, inference, step, wide_step

from bn_conformance.explain import goldens
from bn_conformance.explain.explanation import ExplainedStep, explain_arrays
from bn_conformance.explain.reading import SaidOfStep
from bn_conformance.explain.roles import Taken
from bn_conformance.user_error import UserError


def explained(arrays: Arrays, **said: Any) -> ExplainedStep:
    more = {name: said.pop(name) for name in ("dtype", "error") if name in said}
    return explain_arrays(arrays, tuple(Taken(role, role) for role in arrays), SaidOfStep(**said), **more)


def settings(told: ExplainedStep) -> dict[str, Any]:
    return {one.name: one.value for one in told.settings}


def hows(told: ExplainedStep) -> dict[str, str]:
    return {one.name: one.how for one in told.settings}


def causes(told: ExplainedStep) -> dict[tuple[str, ...], list[str]]:
    assert told.cause is not None
    return {one.arrays: [deviation.name for deviation in one.deviations] for one in told.cause.found}


@pytest.mark.parametrize(("shape", "axis"), [((6, 4, 3, 5), 1), ((6, 3, 5, 4), 3), ((40, 4), 1), ((6, 4, 7), 1)])
def test_a_right_step_is_read_as_it_was_made(shape: tuple[int, ...], axis: int) -> None:
    told = explained(step(shape, axis))
    assert told.within
    assert [one.role for one in told.arrays] == [
        "y", "dx", "dgamma", "dbeta", "running_mean_after", "running_var_after",
    ]  # fmt: skip
    assert all(one.level in ("exact", "tight") for one in told.arrays)
    assert settings(told) == {
        "mode": "training", "channel_axis": axis, "eps": EPS, "running_variance": "unbiased", "momentum": WEIGHT,
    }  # fmt: skip
    assert set(hows(told).values()) == {"found"}
    assert told.cause is None


def test_inference_is_told_from_training() -> None:
    told = explained(inference())
    assert told.within
    assert settings(told) == {"mode": "inference", "channel_axis": 1, "eps": EPS}


def test_without_vectors_the_axis_is_found_from_y() -> None:
    arrays = step((6, 3, 5, 4), 3)
    ones = np.ones(4, np.float32)
    arrays |= {"gamma": ones, "beta": 0 * ones}
    made = wide_step(arrays, 3, arrays["dy"])
    told = explained({"x": arrays["x"], "y": made["y"]})
    assert told.within
    assert settings(told)["channel_axis"] == 3


def test_a_momentum_that_weighs_the_old_statistic_is_found_out() -> None:
    told = explained(step(), momentum=1 - WEIGHT)
    assert told.within
    (note,) = (one.note for one in told.settings if one.name == "momentum")
    assert "weighs the old statistic" in note


def test_an_eps_that_does_not_show_is_not_claimed() -> None:
    arrays = step()
    arrays["x"] = (arrays["x"] * 1e6).astype(np.float32)
    told = explained(
        {name: arrays[name] for name in ("x", "gamma", "beta")} | {"y": wide_step(arrays, 1, arrays["dy"])["y"]}
    )
    assert told.within
    assert hows(told)["eps"] == "undecided"


def channel_of(arrays: Arrays, row: int) -> Channel:
    x = arrays["x"][:, row].reshape(-1)
    return Channel(exact_row(x), exact(arrays["gamma"][row]), exact(arrays["beta"][row]), exact(EPS))


def test_the_worst_elements_are_those_of_an_oracle() -> None:
    arrays = step()
    told = explained(arrays)
    by_role = {one.role: one for one in told.arrays}
    rows = {row: channel_of(arrays, row) for row in range(4)}
    for one in by_role["y"].worst:
        first, row, *rest = one.index
        place = int(np.ravel_multi_index((first, *rest), (6, 3, 5)))
        assert float(rows[row].y[place]) == pytest.approx(one.expected, rel=1e-15)
        assert one.got == float(arrays["y"][one.index])
        assert one.error == pytest.approx(abs(float(rows[row].y[place]) - one.got), rel=1e-6)
    for row, channel in rows.items():
        dy = exact_row(arrays["dy"][:, row].reshape(-1))
        golden = {one.index[0]: one.expected for one in by_role["dgamma"].worst}.get(row)
        assert golden is None or float(channel.dgamma(dy)) == pytest.approx(golden, rel=1e-15)
    ratios = [one.ratio for one in by_role["y"].worst]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize("wrong", [False, True])
def test_groups_of_channels_say_what_one_piece_says(wrong: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = step((6, 4, 3, 5))
    arrays = eps_outside_root(arrays) if wrong else arrays
    whole = explained(arrays).to_json()
    monkeypatch.setattr(goldens, "GROUP", 1)
    monkeypatch.setattr(goldens, "KEPT", 1)
    assert explained(arrays).to_json() == whole


@pytest.mark.slow
def test_one_channel_that_is_off_is_named_with_its_element() -> None:
    arrays = step()
    arrays["y"] = arrays["y"].copy()
    arrays["y"][2, 3, 1, 4] += 0.25
    told = explained(arrays, eps=EPS, mode="training")
    assert told.exit_code == 1
    (off,) = told.off
    assert off.role == "y"
    assert off.channels == (3,)
    assert off.worst[0].index == (2, 3, 1, 4)
    assert off.worst[0].error == pytest.approx(0.25, rel=1e-4)


def test_a_nan_is_the_worst_element() -> None:
    arrays = step(backward=False)
    arrays["y"] = arrays["y"].copy()
    arrays["y"][0, 1, 0, 0] = np.nan
    told = explained(arrays)
    assert told.exit_code == 1
    assert told.off[0].worst[0].index == (0, 1, 0, 0)


@pytest.mark.slow
def test_the_mistake_is_named() -> None:
    arrays = eps_outside_root(step(backward=False))
    told = explained({name: arrays[name] for name in ("x", "y", "gamma", "beta")})
    assert told.exit_code == 1
    assert causes(told) == {("y",): ["eps-outside-root"]}
    assert hows(told)["eps"] == "explained"


@pytest.mark.slow
def test_what_is_wrong_alone_is_explained_where_the_rest_is_right() -> None:
    told = explained(eps_outside_root(step()))
    assert causes(told) == {("y",): ["eps-outside-root"]}
    assert settings(told)["eps"] == EPS


@pytest.mark.slow
def test_a_convention_that_was_said_is_held_to() -> None:
    arrays = step(backward=False)
    arrays |= {name: wide_step(arrays, 1, arrays["x"], bessel=False)[name] for name in ("running_var_after",)}
    assert explained(arrays).within
    told = explained(arrays, convention={"running_variance": "unbiased"}, momentum=WEIGHT)
    assert [one.role for one in told.off] == ["running_var_after"]
    (names,) = causes(told).values()
    assert "running-var-biased" in names


@pytest.mark.slow
def test_inference_that_moves_its_statistics_is_off() -> None:
    arrays = inference()
    arrays |= {"running_mean_after": arrays["running_mean"], "running_var_after": arrays["running_var"] * np.float32(2)}
    told = explained(arrays)
    assert [one.role for one in told.off] == ["running_var_after"]


def test_a_masked_step_counts_what_the_mask_counts() -> None:
    arrays = step((8, 4, 6), backward=False)
    mask = np.random.default_rng(3).random((8, 6)) < 0.7
    kept = np.where(mask[:, None], arrays["x"], 0).astype(np.float64)
    mean = kept.sum((0, 2)) / mask.sum()
    var = (np.where(mask[:, None], arrays["x"] - mean[:, None], 0) ** 2).sum((0, 2)) / mask.sum()
    y = arrays["gamma"][:, None] * (arrays["x"] - mean[:, None]) / np.sqrt(var + EPS)[:, None] + arrays["beta"][:, None]
    given = {name: arrays[name] for name in ("x", "gamma", "beta")} | {"y": y.astype(np.float32), "mask": mask}
    assert explained(given).within
    del given["mask"]
    assert not explained(given).within


def test_only_what_went_in_is_no_pass() -> None:
    told = explained({"x": step()["x"]})
    assert told.exit_code == 3
    assert not told.within
    assert "nothing could be judged" in str(told)


def test_numbers_that_were_saved_wider_are_judged_in_their_format() -> None:
    arrays = step(backward=False)
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert not explained(wide, eps=EPS).within
    told = explained(wide, eps=EPS, dtype="float32")
    assert told.within
    assert any("y was saved as float64 and holds numbers of float32" in remark for remark in told.remarks)


def test_statistics_in_float64_beside_parameters_in_float32_are_judged_as_they_are() -> None:
    arrays = {name: array.astype(np.float64) if "running" in name else array for name, array in step().items()}
    assert explained(arrays).within
    arrays["running_var_after"] *= 1.01
    assert not explained(arrays, eps=EPS, momentum=WEIGHT).within


@pytest.mark.parametrize(
    ("changed", "said", "match"),
    [
        ({"x": None}, {}, "there is no x"),
        ({"x": np.ones(3)}, {}, "x has 1 axes; allowed are 2 to 5"),
        ({"x": np.ones((2, 0))}, {}, "no values"),
        ({"x": np.ones((2, 2), int)}, {}, "x is int64; allowed are"),
        ({"x": np.ones((2, 2), complex)}, {}, "x is complex128; allowed are"),
        ({"y": np.ones((1, 2))}, {}, r"y has the shape \(1, 2\); allowed is that of x"),
        ({"gamma": np.ones((2, 3))}, {}, "gamma has the shape .* one number per channel"),
        ({"gamma": np.ones(7, np.float32)}, {}, "different lengths"),
        ({"dy": None}, {}, "gradients and no dy"),
        ({"mask": np.full((6, 3, 5), 2)}, {}, "other values than 0 and 1"),
        ({"mask": np.ones((9, 9), bool)}, {}, "mask has the shape"),
        ({"eps": np.ones(3)}, {}, "give one number"),
        ({"dx": np.ones((6, 4, 3, 5), np.float16)}, {}, "dx is float16 and should be float32"),
        ({}, {"mode": "eval"}, "mode is 'eval'; allowed are training and inference"),
        ({}, {"channel_axis": 4}, "channel_axis is 4; allowed are 1 to 3"),
        ({}, {"channel_axis": 2}, "no axis of x"),
        ({}, {"eps": -1.0}, "eps is -1; allowed"),
        ({}, {"momentum": 2.0}, "momentum is 2; allowed"),
        ({}, {"convention": {"debiasing": "zero-debias"}}, "nobody recorded"),
        ({}, {"convention": {"running_variance": "odd"}}, "running_variance is 'odd'"),
        ({"running_mean": None}, {"mode": "inference"}, "inference needs running_mean and running_var"),
        ({}, {"error": 0.0}, "the relative error of x is 0"),
        ({}, {"dtype": "int8"}, "dtype is 'int8'"),
    ],
)
def test_what_does_not_fit_is_one_line(changed: dict[str, Any], said: dict[str, Any], match: str) -> None:
    arrays = {name: array for name, array in (step() | changed).items() if array is not None}
    with pytest.raises(UserError, match=match) as raised:
        explained(arrays, **said)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_an_unusual_eps_is_no_excuse_and_is_hinted_at() -> None:
    """One number more fits more: a mistake in y may look like an eps that nobody has."""
    arrays = step((64, 3), backward=False)
    x = arrays["x"].astype(np.float64)
    y = arrays["gamma"] * (x - x.mean(0)) / np.sqrt(x.var(0) + 0.0008) + arrays["beta"]
    given = {name: arrays[name] for name in ("x", "gamma", "beta")} | {"y": y.astype(np.float32)}
    told = explained(given)
    assert not told.within
    assert any("0.0008 would fit: say it" in one.note for one in told.settings)
    assert explained(given, eps=0.0008).within
