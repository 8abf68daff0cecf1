import math
from dataclasses import replace

import numpy as np
import pytest

from reports.certainty import BETTER, UNCLEAR, outcome, p_in_words
from reports.classification.contents import ClassificationReport, FoldScores, Reliability
from reports.classification.verdict import class_verdict
from reports.contents import Estimate
from reports.verdict import comparisons, headline, verdict


def test_a_win_names_the_best_naive_forecast_first_then_the_others(report_of):
    report = report_of(2.13, persistence=4.26, ridge=2.77)
    assert verdict(report) == (
        "Test RMSE 2.13 data units: 23 % lower than the best naive forecast (ridge, 2.77); "
        "50 % lower than persistence (4.26). The test set is too short to tell chance from skill."
    )


def test_several_targets_are_compared_in_standardised_units(report_of):
    text = verdict(report_of(4.25, targets=2, ridge=8.5))
    assert text.startswith("Test RMSE 0.500 in standardised units: 50 % lower")
    assert "(ridge, 1.00)" in text


@pytest.mark.parametrize("model", [1.97, 1.961])
def test_a_narrow_win_is_called_level(report_of, model):
    report = report_of(model, persistence=4.0, ridge=2.0)
    assert "about level with the best naive forecast (ridge, 2.00)" in verdict(report)
    assert "lower" in verdict(report)
    assert headline(report).startswith("About level with")


def test_a_clear_win_is_not_called_level(report_of):
    assert "level" not in verdict(report_of(1.95, ridge=2.0))


def test_a_loss_to_any_baseline_comes_first(report_of):
    report = report_of(3.0, persistence=4.0, ridge=2.0)
    text = verdict(report)
    assert text.split()[0] == "WORSE"
    assert text.startswith("WORSE than ridge: test RMSE 3.00 data units, 50 % higher than ridge")
    assert "25 % lower than persistence (4.00)" in text
    assert headline(report).startswith("WORSE than ridge")


def test_every_baseline_that_won_is_named(report_of):
    report = report_of(5.0, persistence=4.0, seasonal_naive=4.5, ridge=2.0)
    assert verdict(report).startswith("WORSE than ridge, persistence and seasonal naive:")


def test_a_narrow_loss_is_a_loss_too(report_of):
    text = verdict(report_of(2.02, persistence=4.0, ridge=2.0))
    assert text.split()[0] == "WORSE"
    assert "about level with ridge (2.00): 1.0 % higher" in text


def test_equal_to_a_baseline_is_no_loss(report_of):
    text = verdict(report_of(2.0, persistence=2.0))
    assert text.startswith("Test RMSE 2.00 data units: equal to the best naive forecast")


def test_a_baseline_without_error_is_lost_to(report_of):
    assert verdict(report_of(2.0, persistence=0.0)).startswith("WORSE than persistence:")


def test_a_model_without_a_finite_score_is_worse(report_of):
    report = report_of(math.nan, ridge=2.0)
    assert verdict(report).split()[0] == "WORSE"
    assert headline(report).split()[0] == "WORSE"


def test_a_baseline_without_a_finite_score_decides_nothing(report_of):
    report = report_of(2.0, seasonal_naive=math.nan, ridge=4.0)
    assert [comparison.baseline for comparison in comparisons(report)] == ["ridge"]


def test_the_share_is_one_of_rmse_not_of_mse(report_of):
    (comparison,) = comparisons(report_of(1.0, ridge=2.0))
    assert comparison.change == pytest.approx(-0.5)


def test_without_baselines_it_says_so(report_of):
    assert "no naive forecast to compare" in verdict(report_of(2.0))


def test_a_certain_win_says_how_certain_it_is(report_of, certain):
    report = report_of(2.0, persistence=4.0, ridge=2.5)
    text = verdict(certain(report, persistence=0.00001, ridge=0.0123))
    assert text == (
        "Test RMSE 2.00 data units (95 % interval 1.00 to 3.00): better than ridge (p = 0.012; the "
        "strongest naive forecast on validation), 20 % below its 2.50; better than persistence "
        "(p < 0.001), 50 % below its 4.00."
    )
    assert headline(certain(report, persistence=0.0, ridge=0.01)).endswith("forecast (ridge)")


def test_a_win_that_may_be_chance_is_not_called_better(report_of, certain):
    report = certain(report_of(2.0, persistence=4.0, ridge=2.5), persistence=0.001, ridge=0.41)
    text = verdict(report)
    assert "not distinguishable from ridge (p = 0.41; the strongest" in text
    assert "better than ridge" not in text
    assert "better than persistence (p = 0.001), 50 % below its 4.00" in text
    assert headline(report) == "Not distinguishable from ridge on the test set"


def test_a_certain_loss_comes_first_and_loudly(report_of, certain):
    report = certain(report_of(3.0, persistence=2.0, ridge=4.0), persistence=0.04, ridge=0.01)
    text = verdict(report)
    assert text.startswith("WORSE than persistence: test RMSE 3.00 data units (95 %")
    assert "WORSE than persistence (p = 0.040), 50 % above its 2.00; better than ridge" in text
    assert headline(report) == "WORSE than persistence on the test set"


def test_a_loss_that_may_be_chance_is_not_better(report_of, certain):
    report = certain(report_of(2.02, persistence=4.0, ridge=2.0), persistence=0.001, ridge=0.7)
    text = verdict(report)
    assert text.startswith("NOT BETTER than ridge: test RMSE 2.02")
    assert "not distinguishable from ridge (p = 0.70" in text
    assert "1.0 % above its 2.00" in text


def test_a_test_set_that_is_rather_short_is_warned_of(report_of, certain):
    report = certain(report_of(2.0, ridge=2.5), ridge=0.01)
    assert "CAUTION" not in verdict(report)
    short = replace(report, uncertainty=replace(report.uncertainty, short=True))
    assert verdict(short).startswith(verdict(report))
    assert "CAUTION: the test set is short" in verdict(short)


def test_a_small_p_with_zero_in_the_interval_is_chance(report_of, certain):
    report = certain(report_of(2.0, ridge=2.5), ridge=0.01)
    difference = report.uncertainty.differences["ridge"]
    assert outcome(difference) == BETTER
    zero = {**difference.standardised, "mse": Estimate(-0.1, -0.2, 0.01)}
    assert outcome(replace(difference, standardised=zero)) == UNCLEAR


@pytest.mark.parametrize(
    ("p", "words"), [(0.0001, "p < 0.001"), (0.0499, "p = 0.050"), (0.5, "p = 0.50")]
)
def test_p_values_in_words(p, words):
    assert p_in_words(p) == words


def test_the_adjusted_p_value_decides_and_not_the_plain_one(report, certain):
    difference = certain(report, ridge=0.03).uncertainty.differences["ridge"]
    assert outcome(difference) != UNCLEAR
    assert difference.p < 0.05
    assert outcome(replace(difference, adjusted_p=0.06)) == UNCLEAR


@pytest.mark.parametrize(
    ("confusion", "said"), [([[5, 0], [1, 4]], False), ([[0, 0], [1, 9]], True)]
)
def test_a_test_set_of_one_class_is_warned_of(report, confusion, said):
    tested = ClassificationReport(
        study=report.study, task="tell rest from walk", metric="log_loss", seconds={}, paths={},
        facts={}, winner=report.winner, labels=("rest", "walk"), validation=FoldScores({}, {}, 5),
        test={"accuracy": 0.9, "log_loss": 0.3}, train_only={}, per_class=(), refit=report.refit,
        baselines={"majority_class": {"accuracy": 0.6}}, confusion=np.array(confusion),
        reliability=Reliability((), 0.1), uncertainty=None,
    )  # fmt: skip
    caution = (
        "CAUTION: every test sequence is of class walk, so that always saying so would be right"
    )
    assert (caution in class_verdict(tested)) is said
