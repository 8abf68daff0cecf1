"""The temperature of a classifier's logits: against scikit-learn's, and where there is none to find."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from objectives.classification.calibration import averaged, fit_temperature


def log_loss(logits, labels):
    return -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()


@pytest.fixture(scope="module")
def digits():
    """A classifier that is too sure, and the sequences it has not seen."""
    inputs, labels = load_digits(return_X_y=True)
    known, fresh = slice(0, 120), slice(120, 1500)
    found = LogisticRegression(C=100.0, max_iter=2000).fit(inputs[known], labels[known])
    return found, inputs[fresh], labels[fresh]


def test_the_temperature_is_that_of_scikit_learn(digits):
    found, inputs, labels = digits
    logits = found.decision_function(inputs)
    temperature = fit_temperature(logits[None], labels)
    theirs = CalibratedClassifierCV(
        FrozenEstimator(found), method="temperature", cv=2, ensemble=False
    )
    theirs.fit(inputs, labels)
    np.testing.assert_allclose(
        softmax(logits / temperature, axis=1), theirs.predict_proba(inputs), atol=2e-3
    )
    assert temperature > 1.2


def test_no_other_temperature_has_a_smaller_log_loss(digits):
    found, inputs, labels = digits
    logits = 0.3 * found.decision_function(inputs)
    temperature = fit_temperature(logits[None], labels)
    best = log_loss(logits / temperature, labels)
    others = [
        log_loss(logits / (temperature * factor), labels) for factor in (0.9, 0.98, 1.02, 1.1)
    ]
    assert best < min(others)
    assert fit_temperature(10 * logits[None], labels) == pytest.approx(10 * temperature, rel=1e-3)


def test_where_all_is_right_nothing_is_changed():
    labels = np.array([0, 1, 1])
    assert fit_temperature(np.array([[[2.0, 1.0], [0.0, 3.0], [0.0, 0.1]]]), labels) == 1.0


def test_networks_that_are_averaged_need_be_less_unsure_each(digits):
    found, inputs, labels = digits
    logits = found.decision_function(inputs)
    generator = np.random.default_rng(0)
    several = np.stack([logits + generator.normal(size=logits.shape, scale=8) for _ in range(5)])
    temperature = fit_temperature(several, labels)
    assert temperature < fit_temperature(several[:1], labels)
    best, *others = (
        -np.log(averaged(several, temperature * factor)[np.arange(len(labels)), labels]).mean()
        for factor in (1.0, 0.95, 1.05)
    )
    assert best < min(others)
