"""Scores against scikit-learn, and MASE by hand."""

import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from objectives.judging.metrics import Yardstick, scores, standardised_scores, yardstick

NAMES = {"mse", "mae", "rmse", "mase", "r2"}


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """(windows 20, horizon 4, targets 2), the targets on different scales."""
    return np.random.default_rng(0).normal(size=(20, 4, 2)) * [1.0, 30.0] + [5.0, -70.0]


@pytest.fixture(scope="module")
def forecast(truth: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=truth.shape)
    return truth + noise * [0.3, 9.0] * np.arange(1, 5)[None, :, None]


@pytest.fixture(scope="module")
def measure() -> Yardstick:
    return Yardstick(deviation=np.array([2.0, 25.0]), seasonal_error=np.array([0.5, 40.0]))


def test_overall_scores_are_those_of_scikit_learn(truth, forecast, measure):
    overall, _ = scores(truth, forecast, measure)
    flat = truth.reshape(-1, 2), forecast.reshape(-1, 2)  # (windows * horizon, targets)
    assert overall["mse"] == pytest.approx(mean_squared_error(*flat))
    assert overall["mae"] == pytest.approx(mean_absolute_error(*flat))
    assert overall["r2"] == pytest.approx(r2_score(*flat))
    one_target = truth[:, :, :1], forecast[:, :, :1]
    single = Yardstick(measure.deviation[:1], measure.seasonal_error[:1])
    flat_one = tuple(values.reshape(-1, 1) for values in one_target)
    rmse = scores(*one_target, single)[0]["rmse"]
    assert rmse == pytest.approx(root_mean_squared_error(*flat_one))


def test_rmse_is_the_root_of_the_mse_over_all_targets(truth, forecast, measure):
    overall, _ = scores(truth, forecast, measure)
    assert overall["rmse"] == pytest.approx(overall["mse"] ** 0.5)


def test_mase_by_hand():
    training = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 8.0], [5.0, 8.0]])
    measure = yardstick(training, season=2)
    np.testing.assert_allclose(measure.seasonal_error, [(2 + 4) / 2, (8 + 8) / 2])
    truth = np.array([[[10.0, 10.0]], [[20.0, 20.0]]])
    forecast = np.array([[[11.0, 14.0]], [[15.0, 24.0]]])
    overall, _ = scores(truth, forecast, measure)
    assert overall["mase"] == pytest.approx((3.0 / 3.0 + 4.0 / 8.0) / 2)


def test_the_yardstick_is_the_population_deviation_and_one_for_a_constant_target():
    training = np.array([[1.0, 4.0], [3.0, 4.0], [1.0, 4.0], [3.0, 4.0]])
    measure = yardstick(training, season=1)
    np.testing.assert_array_equal(measure.deviation, [1.0, 1.0])
    np.testing.assert_array_equal(measure.seasonal_error, [2.0, 0.0])


def test_a_steps_scores_are_the_overall_scores_of_that_step(truth, forecast, measure):
    _, steps = scores(truth, forecast, measure)
    assert set(steps) == NAMES
    for step in range(4):
        alone, _ = scores(truth[:, step : step + 1], forecast[:, step : step + 1], measure)
        assert {name: values[step] for name, values in steps.items()} == alone


def test_the_steps_errors_average_to_the_overall_error(truth, forecast, measure):
    overall, steps = scores(truth, forecast, measure)
    for name in ("mse", "mae", "mase"):
        assert overall[name] == pytest.approx(np.mean(steps[name]))
    assert steps["mse"][3] > steps["mse"][0]  # the noise grows along the horizon


def test_standardised_scores_are_in_training_deviations(truth, forecast, measure):
    overall, _ = standardised_scores(truth, forecast, measure)
    flat = [(values / measure.deviation).reshape(-1, 2) for values in (truth, forecast)]
    assert overall["mse"] == pytest.approx(mean_squared_error(*flat))
    assert overall["mae"] == pytest.approx(mean_absolute_error(*flat))
    plain, _ = scores(truth, forecast, measure)  # these two have no unit
    assert overall["mase"] == pytest.approx(plain["mase"])
    assert overall["r2"] == pytest.approx(plain["r2"])


def test_standardised_scores_do_not_depend_on_the_data_s_unit(truth, forecast, measure):
    larger = Yardstick(1000 * measure.deviation, 1000 * measure.seasonal_error)
    ours, _ = standardised_scores(1000 * truth, 1000 * forecast, larger)
    assert ours == pytest.approx(standardised_scores(truth, forecast, measure)[0])


def test_a_perfect_forecast(truth, measure):
    overall, _ = scores(truth, truth, measure)
    assert overall == {"mse": 0.0, "mae": 0.0, "rmse": 0.0, "mase": 0.0, "r2": 1.0}


def test_what_has_no_denominator_has_no_figure():
    truth = np.full((3, 2, 1), 4.0)
    overall, _ = scores(truth, truth + 1, Yardstick(np.ones(1), np.zeros(1)))
    assert np.isnan(overall["r2"])
    assert np.isnan(overall["mase"])
    assert overall["mse"] == 1.0


def test_different_shapes_are_refused_rather_than_broadcast(truth, measure):
    with pytest.raises(ValueError, match=r"\(20, 4, 2\) and \(20, 1, 2\)"):
        scores(truth, truth[:, :1], measure)
