"""Naive forecasts by hand, and ridge against scikit-learn's on explicit matrices."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from objectives.judging import baselines
from objectives.judging.baselines import (
    PENALTIES,
    fit_ridge,
    persistence,
    refit_ridge,
    seasonal_naive,
)

TIMESTEPS, HORIZON, TARGETS = 6, 3, 2
SHAPE = (TIMESTEPS, HORIZON, TARGETS)
TRAIN = np.arange(TIMESTEPS, 140 - HORIZON + 1)
VALIDATION = np.arange(140, 180 - HORIZON + 1)
TEST = np.arange(180, 220 - HORIZON + 1)


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """(220 rows, 3 columns) on different scales, the first two being targets."""
    generator = np.random.default_rng(5)
    time = np.arange(220)[:, None]
    waves = np.sin(2 * np.pi * time / [12, 7, 30]) + 0.5 * generator.normal(size=(220, 3))
    return waves * [1.0, 200.0, 0.01] + [3.0, 1e4, 0.0]


def flat_changes(values, origins):
    """Flat windows less their last row, one by one, (windows, timesteps * columns)."""
    return np.array([(values[o - TIMESTEPS : o] - values[o - 1]).ravel() for o in origins.tolist()])


def target_changes(values, origins):
    return np.array(
        [
            (values[o : o + HORIZON, :TARGETS] - values[o - 1, :TARGETS]).ravel()
            for o in origins.tolist()
        ]
    )


def reference(values, penalty, train=TRAIN, unit_rows=140):
    """A function from origins to forecasts, made with scikit-learn."""
    seen = values[:unit_rows]
    deviation = np.where(np.ptp(seen, axis=0) > 0, seen.std(axis=0), 1.0)
    scaled = values / deviation
    model = SklearnRidge(alpha=penalty, solver="cholesky")
    model.fit(flat_changes(scaled, train), target_changes(scaled, train))

    def forecast(origins):
        change = model.predict(flat_changes(scaled, origins)).reshape(-1, HORIZON, TARGETS)
        return (change + scaled[origins - 1, None, :TARGETS]) * deviation[:TARGETS]

    return forecast


def standardised_mse(values, forecast, origins):
    truth = target_changes(values, origins).reshape(-1, HORIZON, TARGETS)
    truth = truth + values[origins - 1, None, :TARGETS]
    return np.mean(((forecast - truth) / values[:140, :TARGETS].std(axis=0)) ** 2)


def test_persistence_repeats_the_last_observed_value():
    rows = np.array([[1.0, 9.0], [2.0, 8.0], [4.0, 7.0], [6.0, 6.0]])
    np.testing.assert_array_equal(
        persistence(rows, np.array([1, 3]), 2, 1), [[[1.0], [1.0]], [[4.0], [4.0]]]
    )


@pytest.mark.parametrize(
    ("season", "horizon", "steps"),
    [
        (3, 2, [4, 5]),
        (3, 3, [4, 5, 6]),
        (3, 7, [4, 5, 6, 4, 5, 6, 4]),  # longer than a season: what was observed is repeated
        (1, 3, [6, 6, 6]),
        (7, 2, [0, 1]),
    ],
)
def test_seasonal_naive_repeats_the_last_observed_season(season, horizon, steps):
    rows = np.arange(20.0)[:, None]
    rows[7:] = np.nan  # not observed yet at origin 7
    forecast = seasonal_naive(rows, np.array([7]), horizon, 1, season)
    np.testing.assert_array_equal(forecast[0, :, 0], steps)


def test_seasonal_naive_forecasts_every_target_column():
    rows = np.arange(30.0).reshape(10, 3)
    forecast = seasonal_naive(rows, np.array([4, 8]), 1, 2, 4)
    np.testing.assert_array_equal(forecast, [[[0, 1]], [[12, 13]]])


def test_ridge_is_scikit_learns_on_the_explicit_matrices(values):
    model = fit_ridge(values, TRAIN, VALIDATION, SHAPE)
    expected = reference(values, model.penalty)
    for origins in (VALIDATION, TEST):
        forecast = model.forecast(values, origins)
        assert forecast.shape == (len(origins), HORIZON, TARGETS)
        np.testing.assert_allclose(forecast, expected(origins), rtol=1e-8)


def test_the_penalty_is_the_best_on_validation_in_standardised_units(values):
    errors = [
        standardised_mse(values, reference(values, penalty)(VALIDATION), VALIDATION)
        for penalty in PENALTIES
    ]
    chosen = fit_ridge(values, TRAIN, VALIDATION, SHAPE).penalty
    assert chosen == PENALTIES[int(np.argmin(errors))]
    assert PENALTIES[0] < chosen < PENALTIES[-1]  # otherwise this says nothing


def test_a_target_s_unit_has_no_say_in_the_penalty():
    # A wave that can be forecast, and a random walk that cannot, in numbers two hundred times larger:
    # their errors in the data's units would ask for the penalty that suits the walk.
    generator, time = np.random.default_rng(3), np.arange(220)
    wave = np.sin(2 * np.pi * time / 12) + 0.1 * generator.normal(size=220)
    walk = 0.5 * generator.normal(size=220).cumsum()
    other = np.cos(2 * np.pi * time / 30)
    small, large = (
        fit_ridge(np.stack([wave, unit * walk, other], axis=1), TRAIN, VALIDATION, SHAPE)
        for unit in (1.0, 200.0)
    )
    assert small.penalty == large.penalty


def test_test_rows_change_nothing(values):
    altered = values.copy()
    altered[180:] = 1e6 * np.random.default_rng(8).normal(size=(40, 3))
    ours, theirs = (fit_ridge(rows, TRAIN, VALIDATION, SHAPE) for rows in (values, altered))
    assert ours.penalty == theirs.penalty
    np.testing.assert_array_equal(ours.kernel, theirs.kernel)
    np.testing.assert_array_equal(ours.intercept, theirs.intercept)


def test_validation_rows_choose_the_penalty_and_nothing_else(values):
    altered = values.copy()
    altered[140:180] = 10 * np.random.default_rng(8).normal(size=(40, 3)) * [1.0, 200.0, 0.01]
    model = fit_ridge(altered, TRAIN, VALIDATION, SHAPE)
    assert model.penalty != fit_ridge(values, TRAIN, VALIDATION, SHAPE).penalty
    expected = reference(values, model.penalty)(TRAIN)
    np.testing.assert_allclose(model.forecast(values, TRAIN), expected, rtol=1e-8)


def test_the_refit_keeps_penalty_and_units_and_sees_more_windows(values):
    chosen = fit_ridge(values, TRAIN, VALIDATION, SHAPE)
    more = np.arange(TIMESTEPS, 180 - HORIZON + 1)
    refitted = refit_ridge(values, more, chosen)
    assert refitted.penalty == chosen.penalty
    expected = reference(values, chosen.penalty, train=more)(TEST)
    np.testing.assert_allclose(refitted.forecast(values, TEST), expected, rtol=1e-8)


@pytest.mark.parametrize("windows", [1, 7, 50])
def test_chunks_do_not_change_it(values, windows, monkeypatch):
    whole = fit_ridge(values, TRAIN, VALIDATION, SHAPE)
    expected = whole.forecast(values, TEST)
    monkeypatch.setattr(baselines, "_CHUNK_CELLS", windows * TIMESTEPS * 3)
    chunked = fit_ridge(values, TRAIN, VALIDATION, SHAPE)
    assert chunked.penalty == whole.penalty
    np.testing.assert_allclose(chunked.kernel, whole.kernel, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(chunked.forecast(values, TEST), expected, rtol=1e-9)


def test_no_chunk_is_larger_than_the_limit(monkeypatch):
    monkeypatch.setattr(baselines, "_CHUNK_CELLS", 100)
    chunks = baselines._chunks(np.arange(23), 18)
    assert max(len(chunk) for chunk in chunks) * 18 <= 100
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(23))


@pytest.mark.parametrize("constant", [4.0, 0.1])
def test_a_column_that_is_constant_in_training_does_no_harm(values, constant):
    # Many equal numbers can have a deviation of 1e-15; divided by it, any later change is huge.
    flat = values.copy()
    flat[:, 2] = constant
    flat[150:, 2] = constant + 1.0
    forecast = fit_ridge(flat, TRAIN, VALIDATION, SHAPE).forecast(flat, VALIDATION)
    without = fit_ridge(flat[:, :2], TRAIN, VALIDATION, SHAPE).forecast(flat[:, :2], VALIDATION)
    np.testing.assert_allclose(forecast, without, rtol=1e-6)
    chosen = fit_ridge(flat, TRAIN, VALIDATION, SHAPE)
    assert chosen.deviation[2] == 1.0
    more = np.arange(TIMESTEPS, 180 - HORIZON + 1)  # the refit sees the column change
    expected = reference(flat, chosen.penalty, train=more)(TEST)
    refitted = refit_ridge(flat, more, chosen)
    np.testing.assert_allclose(refitted.forecast(flat, TEST), expected, rtol=1e-8)
