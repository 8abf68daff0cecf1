"""Logistic regression on sequences: a baseline, and a part of the model that is deployed."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from objectives.classification.messages import LinearPart, SequenceTask, TextTask
from objectives.classification.metrics import log_losses
from objectives.classification.windows import needs_padding, padded_windows

STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse penalties of logistic regression
MOST_CELLS = (
    5_000_000  # that logistic regression is fitted on, so that it stays a matter of seconds
)
# What is known of a share before there are sequences, as many of them as would say so (Beta prior): few
# sequences otherwise often give a part nothing at all, or everything.
_FOR_LINEAR, _FOR_NETWORKS = 2 / 3, 4 / 3
_LEAST = 1e-6  # of a share
_UNSEEN = -30.0  # the logit of a class that no sequence in training has


@dataclass(frozen=True, eq=False)
class LinearChoice:
    """How a logistic regression takes part in a model, as validation has it.

    `share` is its share in the probabilities and `strength` its inverse penalty; `logits` (sequences,
    classes) are what it gives for the validation sequences of all folds, one fold after the other,
    fitted on the training sequences of each.
    """

    share: float
    strength: float
    logits: NDArray[np.float64]


def standardised() -> Any:
    """A transformer that takes off each column's mean and divides by its deviation."""
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415  (imports for seconds)

    return StandardScaler()


def fit_logistic(
    transformer: Any,
    strength: float,
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
    class_weights: str = "none",
) -> Any:
    """Fit `transformer`, and logistic regression on what it makes of inputs (sequences, ...).

    `strength` is the inverse penalty; `class_weights` "balanced" lets classes count alike.
    """
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    weights = None if class_weights == "none" else class_weights
    regression = LogisticRegression(C=strength, class_weight=weights, max_iter=1000)
    model = make_pipeline(transformer, regression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, labels)


def has_linear_part(task: SequenceTask, timesteps: int) -> bool:
    """Whether a model that keeps `timesteps` rows can have a linear part.

    It needs measurements, as many of each sequence, and few enough for a fit to take seconds.
    """
    if isinstance(task, TextTask) or needs_padding(task.lengths, timesteps):
        return False
    cells: int = len(task.labels) * timesteps * task.load_rows().shape[1]
    return cells <= MOST_CELLS


def choose_linear(
    task: SequenceTask, timesteps: int, networks: NDArray[np.floating]
) -> LinearChoice:
    """Choose the penalty and the share that make the log loss on validation smallest.

    This is stacking (Wolpert 1992) that only mixes probabilities: every validation sequence is judged by
    what has not been trained on it. The share is drawn a little towards a third.

    Args:
        task: whose folds are trained and judged on.
        timesteps: the last rows of a sequence that are seen.
        networks: probabilities (sequences, classes) of the validation sequences of all folds, one fold
            after the other, by the model without a linear part.
    """
    labels = task.labels[np.concatenate([fold.validation for fold in task.split.folds])]
    found = []
    for strength in STRENGTHS:
        logits = np.concatenate(
            [
                _logits(fit_linear(task, timesteps, strength, fold.train), task, fold.validation)
                for fold in task.split.folds
            ]
        )
        share, loss = _best_share(networks, softmax(logits, axis=1), labels)
        found.append((loss, LinearChoice(share, strength, logits)))
    return min(found, key=lambda each: each[0])[1]


def fit_linear(
    task: SequenceTask, timesteps: int, strength: float, numbers: NDArray[np.int64]
) -> LinearPart:
    """Logistic regression on all values of some sequences, in the data's units; its share is all."""
    inputs = _flattened(task, timesteps, numbers)
    labels, weights = task.labels[numbers], task.training.class_weights
    scaler, regression = fit_logistic(standardised(), strength, inputs, labels, weights)
    kernel, bias = regression.coef_.T, regression.intercept_
    if len(regression.classes_) == 2:  # one logit, that of the second
        kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.concatenate([-bias / 2, bias / 2])
    kernel = kernel / scaler.scale_[:, None]
    whole = np.zeros((len(kernel), task.classes))
    offset = np.full(task.classes, _UNSEEN)
    whole[:, regression.classes_] = kernel
    offset[regression.classes_] = bias - scaler.mean_ @ kernel
    return LinearPart(whole.reshape(timesteps, -1, task.classes), offset, 1.0, strength)


def _logits(
    part: LinearPart, task: SequenceTask, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What it gives (some, classes) for some sequences."""
    timesteps, _features, classes = part.kernel.shape
    inputs = _flattened(task, timesteps, numbers)
    found: NDArray[np.float64] = inputs @ part.kernel.reshape(-1, classes) + part.bias
    return found


def _flattened(
    task: SequenceTask, timesteps: int, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The last rows of sequences, each in one line: (some, timesteps * features)."""
    windows = padded_windows(task.load_rows(), task.ends[numbers], task.lengths[numbers], timesteps)
    return windows.reshape(len(numbers), -1).astype(np.float64)


def _best_share(
    networks: NDArray[np.floating], linear: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[float, float]:
    """The linear part's share of the smallest log loss and prior, and these; there is one minimum."""

    def loss(share: float) -> float:
        told = log_losses(labels, (1 - share) * networks + share * linear).sum()
        before = _FOR_LINEAR * math.log(share) + _FOR_NETWORKS * math.log(1 - share)
        return float(told - before) / len(labels)

    found = minimize_scalar(loss, bounds=(_LEAST, 1 - _LEAST), method="bounded")
    return float(found.x), float(found.fun)
