"""Temperature scaling of a classifier's logits (Guo et al. 2017)."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

_COLDEST, _HOTTEST = 0.05, 20.0
_SPREAD = 0.22  # the deviation that the logarithm of a temperature is expected to have about 0
_LEAST = np.finfo(np.float64).tiny  # so that one sure mistake has a log loss too


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Find the temperature that logits are to be divided by for the smallest log loss.

    Of several networks the probabilities are averaged afterwards, as a model of several members does,
    which is less sure than each of them (Rahaman & Thiery 2021).

    It is drawn a little towards 1, by a normal prior of its logarithm: few sequences say little of how
    sure to be, and where all of them are classified right the log loss would fall with it for ever.

    Args:
        logits: (networks, sequences, classes), of sequences that the networks were not trained on.
        labels: (sequences,), numbers of classes.
    """
    exact = logits.astype(np.float64)
    sequences = np.arange(len(labels))

    def loss(exponent: float) -> float:
        given = averaged(exact, math.exp(exponent))[sequences, labels]
        told = -float(np.log(np.maximum(given, _LEAST)).sum())
        return (told + (exponent / _SPREAD) ** 2 / 2) / len(labels)

    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return math.exp(float(found.x))


def log_loss(
    logits: NDArray[np.floating], labels: NDArray[np.int64], temperature: float = 1.0
) -> float:
    """The mean negative logarithm of what each true class is given by logits (sequences, classes)."""
    shares = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return -float(shares[np.arange(len(labels)), labels].mean())


def averaged(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (sequences, classes) by networks with logits (networks, sequences, classes)."""
    found = softmax(logits.astype(np.float64) / temperature, axis=2)
    mean: NDArray[np.float64] = found.mean(axis=0)
    return mean
