"""Temperature scaling of a classifier's logits (Guo et al. 2017)."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_COLDEST, _HOTTEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Find the temperature that logits are to be divided by for the smallest log loss.

    It is 1 where every sequence is classified right: then the log loss falls with it for ever, and says
    nothing of how sure to be.

    Args:
        logits: (sequences, classes), of sequences that the network was not trained on.
        labels: (sequences,), numbers of classes.
    """
    exact = logits.astype(np.float64)
    sequences = np.arange(len(labels))

    def log_loss(exponent: float) -> float:
        shares = log_softmax(exact / math.exp(exponent), axis=1)
        return -float(shares[sequences, labels].mean())

    if (exact.argmax(axis=1) == labels).all():
        return 1.0
    # In the inverse of the temperature the log loss is convex, so that there is one minimum.
    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    found = minimize_scalar(log_loss, bounds=bounds, method="bounded")
    return math.exp(float(found.x))
