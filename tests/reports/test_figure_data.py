from dataclasses import replace

import numpy as np
import pytest

from reports.figure_data import (
    history_info,
    loss_curves_info,
    spreads_widely,
    step_errors_info,
    stretch_info,
)
from reports.figure_style import baseline_styles, read_times
from storage.records import StudyRecord, TrialRecord


def trial(number, state, value=None, reported=(), attributes=None):
    reports = {epoch + 1: figure for epoch, figure in enumerate(reported)}
    return TrialRecord(number, state, value, {}, reports, attributes or {}, None, None)


def with_trials(report, *trials, minimize=True):
    return replace(report, study=StudyRecord("s", minimize, {}, trials))


def winner_with(report, attributes):
    won = trial(report.winner.trial, "complete", 0.1, attributes=attributes)
    return with_trials(report, won)


def test_history_tells_states_apart_and_stands_pruned_trials_at_their_last_value(report):
    history = history_info(
        with_trials(
            report,
            trial(0, "complete", 0.5),
            trial(1, "pruned", 0.6, reported=(0.6, 0.8)),
            trial(2, "failed"),
            trial(3, "running", reported=(0.1,)),
            trial(4, "pruned"),
        )
    )
    assert (history.complete.numbers, history.complete.values) == ((0,), (0.5,))
    assert (history.pruned.numbers, history.pruned.values) == ((1,), (0.8,))
    assert history.failed == (2,)
    assert history.total == 4


def test_history_leaves_out_a_failed_trial_that_was_tried_again(report):
    again = trial(1, "complete", 0.5, attributes={"retry_of": 0})
    assert history_info(with_trials(report, trial(0, "failed"), again)).failed == ()


@pytest.mark.parametrize(
    ("minimize", "numbers", "values"), [(True, (0, 2), (0.5, 0.3)), (False, (0, 1), (0.5, 0.9))]
)
def test_best_so_far_follows_the_direction_of_the_study(report, minimize, numbers, values):
    trials = [trial(n, "complete", value) for n, value in enumerate((0.5, 0.9, 0.3, 0.4))]
    best = history_info(with_trials(report, *trials, minimize=minimize)).best
    assert (best.numbers, best.values) == (numbers, values)


@pytest.mark.parametrize(
    ("values", "wide"),
    [((1.0, 10.0), False), ((1.0, 10.1), True), ((-1.0, 100.0), False), ((), False),
     ((1.0, float("inf")), False)],
)  # fmt: skip
def test_a_spread_is_wide_from_a_factor_of_ten(values, wide):
    assert spreads_widely(values) is wide


def test_loss_curves_come_from_the_winner(report):
    curves = {"loss": [3.0, 2.0, 1.0], "mse": [3.0, 1.5, 2.0], "learning_rate": [0.1, 0.1, 0.05]}
    info = loss_curves_info(winner_with(report, {"curves": curves, "best_epoch": 2}))
    assert (info.loss, info.validation) == ((3.0, 2.0, 1.0), (3.0, 1.5, 2.0))
    assert info.best_epoch == 2
    assert info.lowered == (3,)
    assert not info.still_improving


def test_a_best_epoch_at_the_end_is_still_improving(report):
    curves = {"mse": [3.0, 1.5]}
    info = loss_curves_info(winner_with(report, {"curves": curves, "best_epoch": 2}))
    assert info.still_improving


def test_a_smoothly_falling_learning_rate_is_not_marked(report):
    curves = {"mse": [1.0] * 20, "learning_rate": [0.9**epoch for epoch in range(20)]}
    info = loss_curves_info(winner_with(report, {"curves": curves, "best_epoch": 1}))
    assert info.lowered == ()


@pytest.mark.parametrize("attributes", [{}, {"curves": {"mse": []}, "best_epoch": 1}])
def test_without_curves_there_is_no_plot_of_them(report, attributes):
    assert loss_curves_info(winner_with(report, attributes)) is None


def test_a_stretch_joins_windows_that_do_not_overlap(report):
    forecasts = report.forecasts
    stretch = stretch_info(forecasts)
    assert len(stretch.truth) == 192
    assert stretch.starts == tuple(range(0, 192, 24))
    expected = forecasts.truth[:192, 0, 0]  # windows start one row apart: their first targets
    np.testing.assert_array_equal(stretch.truth, expected)
    np.testing.assert_array_equal(stretch.refitted[24:48], forecasts.refitted[24, :, 0])
    np.testing.assert_array_equal(stretch.naive["ridge"][:24], forecasts.naive["ridge"][0, :, 0])
    assert stretch.labels == forecasts.times[:192]


def strided(forecasts, stride):
    chosen = slice(None, None, stride)
    return replace(
        forecasts,
        times=forecasts.times[chosen],
        truth=forecasts.truth[chosen],
        refitted=forecasts.refitted[chosen],
        naive={},
        stride=stride,
    )


@pytest.mark.parametrize("stride", [2, 12, 24])
def test_windows_some_rows_apart_are_joined_one_after_the_other(report, stride):
    stretch = stretch_info(strided(report.forecasts, stride))
    np.testing.assert_array_equal(stretch.truth, report.forecasts.truth[:192, 0, 0])
    assert stretch.rows == tuple(range(192))
    assert stretch.labels[::stride] == report.forecasts.times[:192:stride]
    assert sum(map(bool, stretch.labels)) == 192 / stride


def test_rows_between_windows_that_would_overlap_are_left_out(report):
    stretch = stretch_info(strided(report.forecasts, 18))  # every second: 36 rows apart
    assert stretch.rows[:26] == (*range(24), 36, 37)
    np.testing.assert_array_equal(stretch.truth[24:48], report.forecasts.truth[36, :, 0])


@pytest.mark.parametrize(("horizon", "windows", "points"), [(1, 500, 200), (300, 30, 300)])
def test_a_stretch_is_about_two_hundred_points(make_report, horizon, windows, points):
    stretch = stretch_info(make_report(horizon=horizon, windows=windows).forecasts)
    assert len(stretch.truth) == len(stretch.labels) == points


def test_times_beyond_the_last_window_are_left_unknown(make_report):
    stretch = stretch_info(make_report(horizon=24, windows=3).forecasts)
    assert [bool(label) for label in stretch.labels] == [True] * 3 + [False] * 21


def test_errors_by_step_are_in_the_units_of_the_verdict(make_report):
    one, two = make_report(targets=1, windows=60), make_report(targets=2, windows=60)
    assert step_errors_info(one).refitted == one.test.data_units.per_step["rmse"]
    assert step_errors_info(two).refitted == two.test.standardised.per_step["rmse"]
    ridge = one.baselines["ridge"].data_units.per_step["rmse"]
    assert step_errors_info(one).naive["ridge"] == ridge


def test_one_step_has_no_errors_by_step(make_report):
    assert step_errors_info(make_report(horizon=1, windows=60)) is None


def test_digits_alone_are_rows_and_not_dates():
    assert read_times(["20180220"]) == []
    assert read_times(["first"]) == []
    assert read_times(["2018-02-20T03:00:00"])[0].hour == 3


def test_baselines_differ_by_dash_as_well_as_by_colour():
    styles = baseline_styles(["persistence", "seasonal_naive", "ridge"]).values()
    assert len({style["color"] for style in styles}) == 3
    assert len({style["linestyle"] for style in styles}) == 3
