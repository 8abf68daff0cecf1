"""The linear part of a classifier: logistic regression as scikit-learn has it, and what it is worth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from objectives.classification.linear import (
    STRENGTHS,
    choose_linear,
    fit_linear,
    has_linear_part,
)

STEPS = 5  # of the 9 that sequences have


@pytest.fixture(scope="module", params=[2, 3])
def task(make_sequence_task, request):
    return make_sequence_task(classes=request.param)


def windows(task, numbers) -> np.ndarray:
    """(some, timesteps, features)."""
    rows = task.load_rows()
    return np.stack([rows[end - STEPS : end] for end in task.ends[numbers]])


def theirs(task, strength, fitted, asked) -> np.ndarray:
    """Probabilities (asked, classes) by scikit-learn."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    model.fit(windows(task, fitted).reshape(len(fitted), -1), task.labels[fitted])
    return model.predict_proba(windows(task, asked).reshape(len(asked), -1))


def test_a_linear_part_is_logistic_regression_in_the_units_of_the_data(task):
    fitted, asked = np.arange(70), task.split.test
    part = fit_linear(task, STEPS, 0.1, fitted)
    logits = np.tensordot(windows(task, asked), part.kernel, axes=2) + part.bias
    np.testing.assert_allclose(softmax(logits, axis=1), theirs(task, 0.1, fitted, asked), atol=1e-9)


def test_a_class_that_does_not_train_is_not_expected(make_sequence_task):
    task = make_sequence_task(classes=3)
    fitted = np.flatnonzero(task.labels != 1)[:40]
    part = fit_linear(task, STEPS, 1.0, fitted)
    logits = np.tensordot(windows(task, task.split.test), part.kernel, axes=2) + part.bias
    assert softmax(logits, axis=1)[:, 1].max() < 1e-6


def test_penalty_and_share_have_the_least_log_loss_on_validation(task):
    validating = np.concatenate([fold.validation for fold in task.split.folds])
    labels = task.labels[validating]
    noise = np.random.default_rng(0).normal(size=(70, task.classes))
    networks = softmax(4 * np.eye(task.classes)[labels] + 2 * noise, axis=1)
    linear = {
        strength: np.concatenate(
            [theirs(task, strength, fold.train, fold.validation) for fold in task.split.folds]
        )
        for strength in STRENGTHS
    }

    def loss(share, strength):
        mixed = (1 - share) * networks + share * linear[strength]
        prior = 2 / 3 * np.log(share) + 4 / 3 * np.log(1 - share)
        return -np.log(mixed[np.arange(70), labels]).sum() - prior

    chosen = choose_linear(task, STEPS, networks)
    best = loss(chosen.share, chosen.strength)
    others = [loss(share, each) for share in np.linspace(0.01, 0.99, 21) for each in STRENGTHS]
    assert 0.02 < chosen.share < 0.98
    assert best <= min(others) + 1e-9
    found = softmax(chosen.logits, axis=1)
    np.testing.assert_allclose(found, linear[chosen.strength], atol=1e-9)


def test_what_tells_nothing_has_little_share(task):
    validating = np.concatenate([fold.validation for fold in task.split.folds])
    drawn = replace(task, labels=np.random.default_rng(1).permutation(task.labels))
    sure = 0.01 / task.classes + 0.99 * np.eye(task.classes)[drawn.labels[validating]]
    assert 0 < choose_linear(drawn, STEPS, sure).share < 0.1


def test_sequences_that_need_padding_have_no_linear_part(make_sequence_task):
    padded = make_sequence_task(padded=True)
    assert has_linear_part(make_sequence_task(), 9)
    assert has_linear_part(padded, 3)
    assert not has_linear_part(padded, 9)
