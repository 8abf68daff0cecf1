import json
import math
from dataclasses import replace

import numpy as np
import pytest

from reports.counts import trial_counts
from reports.numbers import report_json, report_numbers

SCORE_NAMES = {"mse", "mae", "rmse", "mase", "r2", "per_step"}


def with_trial(study, number, **changes):
    trials = [replace(t, **changes) if t.number == number else t for t in study.trials]
    return replace(study, trials=tuple(trials))


def test_every_key_that_scripts_rely_on_is_there(report):
    numbers = report_numbers(report)
    assert set(numbers) == {
        "study", "task", "metric", "verdict", "best", "validation", "validation_standardised",
        "test", "test_standardised", "train_only", "baselines", "trials", "refit", "seconds",
        "paths", "facts", "targets", "curves", "importances", "pruning", "residuals", "effort",
        "configuration", "ledger", "optimism", "uncertainty", "intervals",
        "intervals_in_words", "audit", "audit_in_words",
    }  # fmt: skip
    assert set(numbers["best"]) == {"params", "value", "trial"}
    assert set(numbers["train_only"]) == {"test", "test_standardised"}
    assert set(numbers["baselines"]) == {"persistence", "seasonal_naive", "ridge"}
    assert set(numbers["trials"]) == {"total", "complete", "pruned", "failed"}
    assert set(numbers["refit"]) == {"rule", "epochs", "updates", "seconds"}
    assert set(numbers["seconds"]) == {"search", "refit", "total"}
    assert set(numbers["paths"]) == {"database", "model", "report"}


@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize("suffix", ["", "_standardised"])
def test_scores_carry_every_metric_over_all_and_by_step(report, name, suffix):
    scores = report_numbers(report)[name + suffix]
    assert set(scores) == SCORE_NAMES
    assert set(scores["per_step"]) == SCORE_NAMES - {"per_step"}
    assert all(len(steps) == 24 for steps in scores["per_step"].values())


def test_each_score_stands_under_the_forecast_and_the_unit_that_it_belongs_to(report):
    numbers = report_numbers(report)
    assert numbers["test"]["mse"] == report.test.data_units.overall["mse"]
    assert numbers["test_standardised"]["mse"] == report.test.standardised.overall["mse"]
    assert numbers["validation"]["mse"] == report.validation.data_units.overall["mse"]
    train_only, ridge = numbers["train_only"], numbers["baselines"]["ridge"]
    assert train_only["test"]["mae"] == report.train_only.data_units.overall["mae"]
    assert train_only["test_standardised"]["mae"] == report.train_only.standardised.overall["mae"]
    assert ridge["test"]["mae"] == report.baselines["ridge"].data_units.overall["mae"]
    assert (
        ridge["test_standardised"]["mae"] == report.baselines["ridge"].standardised.overall["mae"]
    )


def test_figures_that_are_not_finite_become_null(report):
    scores = replace(report.test.data_units, overall={"mse": math.inf, "r2": math.nan})
    broken = replace(report, test=replace(report.test, data_units=scores))
    test = json.loads(report_json(broken))["test"]
    assert (test["mse"], test["r2"]) == (None, None)


def test_json_has_no_constant_that_strict_readers_refuse(report):
    seconds = {"search": math.nan, "total": -math.inf}

    def refuse(constant):
        raise ValueError(constant)

    read = json.loads(report_json(replace(report, seconds=seconds)), parse_constant=refuse)
    assert read["seconds"] == {"search": None, "refit": None, "total": None}


def test_numpy_values_become_plain_ones(report):
    params = {"units": np.int64(64), "rate": np.float32(0.5), "bias": np.bool_(True), "k": (1, 2)}
    winner = replace(report.winner, params=params)
    plain = report_numbers(replace(report, winner=winner))["best"]["params"]
    assert plain == {"units": 64, "rate": 0.5, "bias": True, "k": [1, 2]}
    assert [type(value) for value in plain.values()] == [int, float, bool, list]


def test_a_failed_trial_that_was_tried_again_is_counted_once(report):
    states = [trial.state for trial in report.study.trials]
    assert (len(states), states.count("failed"), states.count("running")) == (49, 2, 1)
    counts = trial_counts(report.study)
    assert counts["failed"] == 1
    assert counts["total"] == 47 == counts["complete"] + counts["pruned"] + counts["failed"]


def test_a_failed_trial_that_was_not_tried_again_is_counted(report):
    study = with_trial(report.study, 9, attributes={})
    assert trial_counts(study)["failed"] == 2


def test_only_a_failed_trial_can_be_superseded(report):
    before = trial_counts(report.study)
    study = with_trial(report.study, 9, attributes={"retry_of": report.winner.trial})
    assert trial_counts(study)["complete"] == before["complete"]


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_trials_that_have_not_ended_are_not_counted(report, state):
    total = trial_counts(report.study)["total"]
    assert trial_counts(with_trial(report.study, 48, state=state))["total"] == total


def test_uncertainty_has_an_interval_for_each_metric_and_each_difference(report, certain):
    found = report_numbers(certain(report, persistence=0.001, ridge=0.2))["uncertainty"]
    metrics = SCORE_NAMES - {"per_step"}
    assert set(found["test"]) == set(found["test_standardised"]) == metrics
    assert found["test"]["mse"]["figure"] == report.test.data_units.overall["mse"]
    assert found["strongest_on_validation"] == "ridge"
    persistence, ridge = found["differences"]["persistence"], found["differences"]["ridge"]
    assert set(persistence["test"]) == set(persistence["test_standardised"]) == metrics
    assert persistence["test"]["mae"]["figure"] == pytest.approx(
        report.test.data_units.overall["mae"]
        - report.baselines["persistence"].data_units.overall["mae"]
    )
    assert (persistence["outcome"], ridge["outcome"]) == ("better", "not distinguishable")
    assert set(ridge["diebold_mariano"]) == {"statistic", "p", "adjusted_p"}


def test_without_certainty_the_key_is_there_and_null(report):
    assert report_numbers(report)["uncertainty"] is None


def test_intervals_are_laid_out_by_level_and_step(report):
    (level,) = report_numbers(report)["intervals"]
    assert set(level) == {
        "level", "coverage", "mean_width", "mean_width_standardised", "per_step",
    }  # fmt: skip
    assert (level["level"], level["coverage"], level["mean_width"]) == (0.9, 0.887, 12.5)
    assert {name: len(values) for name, values in level["per_step"].items()} == {
        "coverage": 24, "mean_width": 24, "mean_width_standardised": 24,
    }  # fmt: skip
