"""Scores of classifiers against scikit-learn, and how certain they are."""

import numpy as np
import pytest
from sklearn import metrics as reference

from objectives.classification.metrics import (
    calibration_error,
    class_scores,
    confusion_matrix,
    predicted_labels,
    reliability,
    scores,
)
from objectives.classification.uncertainty import clusters_in_time, mcnemar, resampled_scores

GENERATOR = np.random.default_rng(5)
TRUTH = GENERATOR.integers(3, size=300)
LOGITS = GENERATOR.normal(size=(300, 3)) + 1.5 * np.eye(3)[TRUTH]
GIVEN = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def test_scores_are_those_of_scikit_learn() -> None:
    found, predicted = scores(TRUTH, GIVEN, 3), GIVEN.argmax(axis=1)
    macro = reference.precision_recall_fscore_support(TRUTH, predicted, average="macro")
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(TRUTH, predicted),
            "balanced_accuracy": reference.balanced_accuracy_score(TRUTH, predicted),
            "precision_macro": macro[0],
            "recall_macro": macro[1],
            "f1_macro": macro[2],
            "log_loss": reference.log_loss(TRUTH, GIVEN),
            "roc_auc": reference.roc_auc_score(TRUTH, GIVEN, multi_class="ovr"),
        }
    )
    matrix = confusion_matrix(TRUTH, predicted, 3)
    assert (matrix == reference.confusion_matrix(TRUTH, predicted)).all()
    by_class = reference.precision_recall_fscore_support(TRUTH, predicted)
    assert [each.f1 for each in class_scores(matrix, ("a", "b", "c"))] == pytest.approx(by_class[2])


def test_labels_alone_have_no_log_loss_and_no_area() -> None:
    found = scores(TRUTH, TRUTH, 3)
    assert found["accuracy"] == 1.0
    assert np.isnan([found["log_loss"], found["roc_auc"]]).all()


def test_one_sure_mistake_does_not_make_the_log_loss_infinite() -> None:
    assert np.isfinite(scores(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), 2)["log_loss"])


def test_reliability_compares_confidence_with_what_came_true() -> None:
    given = np.array([[0.75, 0.25]] * 4 + [[0.0, 1.0]])
    bins = reliability(np.array([0, 0, 1, 1, 1]), given)
    assert [(each.low, each.count, each.accuracy) for each in bins] == [
        (0.7, 4, 0.5),
        (0.9, 1, 1.0),
    ]
    assert calibration_error(bins) == pytest.approx(0.25 * 4 / 5)


def test_mcnemar_counts_what_only_one_has_right() -> None:
    truth = np.zeros(20, int)
    first, second = np.r_[np.zeros(19, int), 1], np.r_[np.ones(9, int), np.zeros(11, int)]
    found = mcnemar(truth, first, second)
    assert (found.first_only, found.second_only) == (9, 1)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)


def test_resamples_of_clusters_are_wider_than_of_single_sequences() -> None:
    truth, predicted = np.zeros(200, int), np.repeat(GENERATOR.integers(2, size=20), 10)
    spread = [
        resampled_scores(truth, {"m": predicted}, clusters, 2, seed=0)["m"]["accuracy"].std()
        for clusters in (np.arange(200), np.arange(200) // 10)
    ]
    assert spread[1] > 2 * spread[0]


def test_figures_as_they_are_come_first_in_resamples() -> None:
    drawn = resampled_scores(TRUTH, {"m": GIVEN}, np.arange(300), 3, seed=0)["m"]
    found = scores(TRUTH, GIVEN, 3)
    assert {name: values[0] for name, values in drawn.items()} == pytest.approx(
        {name: found[name] for name in drawn}
    )
    assert predicted_labels(GIVEN).dtype == np.int64


def test_blocks_of_a_stream_are_as_long_as_windows_overlap() -> None:
    clusters = clusters_in_time(TRUTH, {"m": GIVEN}, overlap=7)
    assert np.bincount(clusters).max() >= 7
