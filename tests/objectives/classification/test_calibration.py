"""The temperature of a classifier's logits: against scikit-learn's, and of few sequences."""

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
        softmax(logits / temperature, axis=1), theirs.predict_proba(inputs), atol=1e-2
    )
    assert temperature > 1.2


@pytest.mark.parametrize("count", [12, 1380])
@pytest.mark.parametrize("factor", [0.1, 2.0])
def test_no_other_temperature_has_a_smaller_log_loss_and_prior(digits, count, factor):
    found, inputs, labels = digits
    logits, known = factor * found.decision_function(inputs)[:count], labels[:count]
    temperature = fit_temperature(logits[None], known)

    def loss(tried):
        return count * log_loss(logits / tried, known) + (np.log(tried) / 0.22) ** 2 / 2

    others = [loss(temperature * change) for change in (0.9, 0.99, 1.01, 1.1)]
    assert loss(temperature) < min(others)


def test_the_more_sequences_are_right_the_surer_a_model_may_be():
    few = np.array([[[2.0, 1.0], [0.0, 3.0], [0.0, 0.1]]])
    labels = np.array([0, 1, 1])
    temperature = fit_temperature(few, labels)
    assert 0.6 < temperature < 0.98
    many = fit_temperature(np.repeat(few, 100, axis=1), np.repeat(labels, 100))
    assert many < 0.5 * temperature


def test_networks_that_are_averaged_need_be_less_unsure_each(digits):
    found, inputs, labels = digits
    logits = found.decision_function(inputs)
    generator = np.random.default_rng(0)
    several = np.stack([logits + generator.normal(size=logits.shape, scale=8) for _ in range(5)])
    temperature = fit_temperature(several, labels)
    assert temperature < fit_temperature(several[:1], labels)
    best, *others = (
        -np.log(averaged(several, temperature * factor)[np.arange(len(labels)), labels]).mean()
        for factor in (1.0, 0.9, 1.1)
    )
    assert best < min(others)
