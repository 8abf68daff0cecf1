"""Temperature scaling of a classifier's logits (Guo et al. 2017)."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

_COLDEST, _HOTTEST = 0.05, 20.0
_LEAST = np.finfo(np.float64).tiny  # so that one sure mistake has a log loss too


def fit_temperature(
    logits: NDArray[np.floating],
    labels: NDArray[np.int64],
    shares: NDArray[np.floating] | None = None,
) -> float:
    """Find the temperature that logits are to be divided by for the smallest log loss.

    Of several networks the probabilities are averaged afterwards, as a model of several members does,
    which is less sure than each of them (Rahaman & Thiery 2021).

    It is 1 where every sequence is classified right: then the log loss falls with it for ever, and says
    nothing of how sure to be.

    Args:
        logits: (networks, sequences, classes), of sequences that the networks were not trained on.
        labels: (sequences,), numbers of classes.
        shares: (networks,), of their probabilities in the model's, which add up to 1; None for equal.
    """
    exact = logits.astype(np.float64)
    sequences = np.arange(len(labels))

    def log_loss(exponent: float) -> float:
        given = averaged(exact, math.exp(exponent), shares)[sequences, labels]
        return -float(np.log(np.maximum(given, _LEAST)).mean())

    if (exact.argmax(axis=2) == labels).all():
        return 1.0
    # In the inverse of the temperature a network's log loss is convex, so that there is one minimum.
    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    found = minimize_scalar(log_loss, bounds=bounds, method="bounded")
    return math.exp(float(found.x))


def averaged(
    logits: NDArray[np.floating],
    temperature: float = 1.0,
    shares: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Probabilities (sequences, classes) by networks with logits (networks, sequences, classes).

    `shares` (networks,) are those of `fit_temperature`.
    """
    found = softmax(logits.astype(np.float64) / temperature, axis=2)
    mean: NDArray[np.float64] = np.average(found, axis=0, weights=shares)
    return mean
