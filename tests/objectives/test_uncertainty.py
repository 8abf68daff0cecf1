"""Intervals and tests whose right answers are known: simulated, or computed by hand."""

import numpy as np
import pytest
from arch.bootstrap import MovingBlockBootstrap
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal, stats

from objectives.judging import uncertainty
from objectives.judging.metrics import Yardstick, scores, standardised_scores
from objectives.judging.uncertainty import (
    adjusted_for_looks,
    block_length,
    diebold_mariano,
    interval,
    losses,
    resampled_metrics,
    window_means,
)
from objectives.windows import target_windows

UNIT = Yardstick(np.ones(1), np.ones(1))


def persistent(rows, dependence, generator):
    """An AR(1) process with innovations of deviation 1, after it has forgotten its start."""
    noise = generator.normal(size=rows + 200)
    return signal.lfilter([1.0], [1.0, -dependence], noise)[200:]


def window_errors(windows, horizon, dependence, generator):
    """Errors (windows, horizon, 1) of overlapping windows over one AR(1) process."""
    rows = persistent(windows + horizon - 1, dependence, generator)
    return sliding_window_view(rows, horizon)[:, :, None]


@pytest.fixture
def study():
    """Truth and two forecasts of 200 windows, 4 steps and 3 targets of unlike scales."""
    generator = np.random.default_rng(5)
    scale = np.array([1.0, 30.0, 0.2])
    rows = scale * generator.normal(size=(203, 3)).cumsum(axis=0)
    truth = target_windows(rows, np.arange(200), 4, 3)
    forecasts = {
        "good": truth + scale * generator.normal(size=truth.shape),
        "bad": truth + 2 * scale * generator.normal(size=truth.shape),
    }
    return truth, forecasts, Yardstick(scale, 1.3 * scale)


def test_the_figures_without_resampling_are_the_scores(study):
    truth, forecasts, measure = study
    found = resampled_metrics(window_means(truth, forecasts), measure, 10, 0)
    for name, forecast in forecasts.items():
        for unit, score in (("data", scores), ("standardised", standardised_scores)):
            overall, _ = score(truth, forecast, measure)
            figures = {metric: draws[0] for metric, draws in found[name][unit].items()}
            assert figures == pytest.approx(dict(overall))


def test_a_resample_is_scored_as_if_its_windows_were_the_test_set(study):
    truth, forecasts, measure = study
    draws = resampled_metrics(window_means(truth, forecasts), measure, 7, 3)
    blocks = MovingBlockBootstrap(7, np.arange(len(truth)), seed=3)
    for index, ((rows,), _) in enumerate(blocks.bootstrap(2), start=1):
        for name, forecast in forecasts.items():
            overall, _ = scores(truth[rows], forecast[rows], measure)
            figures = {metric: values[index] for metric, values in draws[name]["data"].items()}
            # R² is about the mean of the resample, and so is the score's
            assert figures == pytest.approx(dict(overall))


def test_two_forecasts_are_judged_on_the_same_resamples(study):
    truth, forecasts, measure = study
    shifted = {"one": forecasts["good"], "same": forecasts["good"].copy()}
    found = resampled_metrics(window_means(truth, shifted), measure, 10, 0)
    assert found["one"]["data"]["mae"] == pytest.approx(found["same"]["data"]["mae"], rel=1e-12)


def test_losses_are_standardised_squared_errors_by_window(study):
    truth, forecasts, measure = study
    found = losses(window_means(truth, forecasts), measure)["bad"]
    error = (forecasts["bad"] - truth) / measure.deviation
    assert found == pytest.approx((error**2).mean(axis=(1, 2)))


def test_interval_moves_percentiles_outwards_by_what_students_distribution_asks():
    draws = np.arange(100_001) / 1000.0
    far = stats.t.ppf(0.975, 9) * np.sqrt(10 / 9)
    low, high = interval(draws, 10.0)
    assert (low, high) == pytest.approx((100 * stats.norm.cdf(-far), 100 * stats.norm.cdf(far)))
    assert interval(draws, 1e9) == pytest.approx((2.5, 97.5), abs=1e-4)


@pytest.mark.parametrize(
    ("windows", "horizon", "dependence"), [(300, 1, 0.0), (800, 1, 0.7), (1300, 6, 0.9)]
)
def test_intervals_hold_the_true_figure_about_as_often_as_they_say(
    windows, horizon, dependence, monkeypatch
):
    monkeypatch.setattr(uncertainty, "RESAMPLES", 400)
    generator = np.random.default_rng(11)
    repeats, held = 100, {"mse": 0, "mae": 0, "difference": 0}
    variance = 1 / (1 - dependence**2)
    for repeat in range(repeats):
        one, other = (window_errors(windows, horizon, dependence, generator) for _ in range(2))
        means = window_means(np.zeros_like(one), {"one": one, "other": other})
        loss = losses(means, UNIT)
        series = np.column_stack([loss["one"], loss["one"] - loss["other"]])
        block = block_length(series, horizon)
        drawn = resampled_metrics(means, UNIT, block, repeat)
        mine, theirs = drawn["one"]["data"], drawn["other"]["data"]
        known = {
            "mse": (mine["mse"], variance),
            "mae": (mine["mae"], np.sqrt(2 / np.pi * variance)),
            "difference": (mine["mse"] - theirs["mse"], 0.0),
        }
        for name, (draws, true) in known.items():
            low, high = interval(draws[1:], windows / block)
            held[name] += low <= true <= high
    # 95 % is what is aimed at; blocks are known to give a little less where dependence is strong
    assert all(86 <= count <= 100 for count in held.values()), held


def test_blocks_are_longer_where_errors_depend_on_each_other_for_longer():
    generator = np.random.default_rng(0)
    lengths = [
        block_length(persistent(2000, dependence, generator)[:, None], 1)
        for dependence in (0.0, 0.5, 0.9)
    ]
    assert lengths[0] <= 4 < lengths[1] < lengths[2]


def test_blocks_are_no_shorter_than_windows_share_targets():
    noise = np.random.default_rng(0).normal(size=(2000, 1))
    assert block_length(noise, 24) == 24
    assert block_length(noise[:30], 24) == 24
    assert block_length(np.ones((300, 1)), 3) == 3


@pytest.mark.parametrize("dependence", [0.0, 0.6])
def test_equally_good_forecasts_are_told_apart_no_more_often_than_chance_allows(dependence):
    generator = np.random.default_rng(2)
    rejected, repeats = 0, 300
    for _ in range(repeats):
        one, other = (persistent(600, dependence, generator) ** 2 for _ in range(2))
        block = block_length((one - other)[:, None], 1)
        rejected += diebold_mariano(one, other, 1, block).p < 0.05
    assert 0.01 * repeats <= rejected <= 0.1 * repeats


def test_a_better_forecast_is_told_apart():
    generator = np.random.default_rng(2)
    one, other = persistent(600, 0.6, generator) ** 2, 2 * persistent(600, 0.6, generator) ** 2
    test = diebold_mariano(one, other, 1, 10)
    assert test.statistic < -3
    assert test.p < 0.01
    assert diebold_mariano(other, one, 1, 10).statistic == pytest.approx(-test.statistic)


def test_diebold_mariano_by_hand():
    first = np.array([1.0, 4.0, 2.0, 3.0, 6.0, 2.0])
    second = np.array([2.0, 3.0, 5.0, 4.0, 9.0, 3.0])
    difference = np.array([-1.0, 1.0, -3.0, -1.0, -3.0, -1.0])
    mean = -8 / 6
    centred = difference - mean
    # Bartlett's weight of lag 1, of one lag, is 1/2
    variance = (np.sum(centred**2) + 2 * 0.5 * np.sum(centred[1:] * centred[:-1])) / 6 / 6
    small_sample = np.sqrt((6 + 1 - 2 * 2 + 2 * 1 / 6) / 6)
    statistic = small_sample * mean / np.sqrt(variance)
    test = diebold_mariano(first, second, horizon=2, lags=1)
    assert test.statistic == pytest.approx(statistic)
    assert test.p == pytest.approx(2 * stats.t.cdf(statistic, 5))


def test_the_same_losses_are_not_told_apart_and_a_constant_lead_is():
    loss = np.random.default_rng(0).normal(size=50) ** 2
    assert diebold_mariano(loss, loss, 1, 3) == uncertainty.EqualAccuracy(0.0, 1.0)
    assert diebold_mariano(np.zeros(50), np.ones(50), 1, 3).p == 0.0
    assert diebold_mariano(np.zeros(50), np.ones(50), 1, 3).statistic == -np.inf


def test_several_looks_raise_p_values():
    assert adjusted_for_looks([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted_for_looks([]) == []
