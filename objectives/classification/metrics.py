"""Scores of classifiers, from the truth and stored probabilities.

A prediction is an array (sequences, classes) of probabilities, or (sequences,) of labels for a
classifier that knows no probabilities; those have neither a log loss nor an area under the curve.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "log_loss",
    "roc_auc",
)
_BINS = 10
_LEAST = np.finfo(np.float64).eps  # so that one sure mistake does not make a log loss infinite
_Labels = NDArray[np.int64]
Prediction = NDArray[np.float64] | _Labels


@dataclass(frozen=True)
class ClassScores:
    """How one class is told from the others; `support` counts its sequences."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Sequences whose predicted class has a probability between `low` and `high`.

    `confidence` is the mean of these probabilities and `accuracy` the share that is right: equal where
    probabilities mean what they say.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def predicted_labels(prediction: Prediction) -> _Labels:
    """The most probable class of each sequence, (sequences,)."""
    labels = prediction if prediction.ndim == 1 else prediction.argmax(axis=1)
    return labels.astype(np.int64)


def confusion_matrix(
    truth: _Labels, predicted: _Labels, classes: int, weights: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Count sequences, each `weights` times: rows are the truth, columns what was predicted."""
    cells = np.bincount(truth * classes + predicted, weights, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.float64)


def matrix_scores(matrix: NDArray[np.float64]) -> dict[str, float]:
    """What a confusion matrix tells.

    Precision, recall and F1 are means over the classes that occur in the truth; a class that is never
    predicted has a precision of 0.
    """
    precision, recall, f1 = _by_class(matrix)
    occurs = matrix.sum(axis=1) > 0
    return {
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "balanced_accuracy": float(recall[occurs].mean()),
        "precision_macro": float(precision[occurs].mean()),
        "recall_macro": float(recall[occurs].mean()),
        "f1_macro": float(f1[occurs].mean()),
    }


def class_scores(matrix: NDArray[np.float64], classes: tuple[str, ...]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of each class."""
    support = matrix.sum(axis=1)
    return tuple(
        ClassScores(label, float(precision), float(recall), float(f1), int(count))
        for label, precision, recall, f1, count in zip(
            classes, *_by_class(matrix), support, strict=True
        )
    )


def _by_class(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    right = np.diagonal(matrix)
    predicted, true = matrix.sum(axis=0), matrix.sum(axis=1)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(predicted + true, 1)
    return precision, recall, f1


def log_losses(truth: _Labels, prediction: Prediction) -> NDArray[np.float64]:
    """The negative logarithm of what each true class was given, (sequences,), or NaN."""
    if prediction.ndim == 1:
        return np.full(len(truth), np.nan)
    given = prediction[np.arange(len(truth)), truth] / prediction.sum(axis=1)
    losses: NDArray[np.float64] = -np.log(np.clip(given, _LEAST, 1.0))
    return losses


def scores(truth: _Labels, prediction: Prediction, classes: int) -> dict[str, float]:
    """Every one of `METRICS`, NaN where it cannot be told."""
    matrix = confusion_matrix(truth, predicted_labels(prediction), classes)
    return {
        **matrix_scores(matrix),
        "log_loss": float(log_losses(truth, prediction).mean()),
        "roc_auc": _area_under_curve(truth, prediction, classes),
    }


def _area_under_curve(truth: _Labels, prediction: Prediction, classes: int) -> float:
    """The area under the ROC curve; of several classes the mean of each against the others."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  (imports for seconds)

    if prediction.ndim == 1 or len(np.unique(truth)) < classes:
        return float("nan")
    if classes == 2:
        return float(roc_auc_score(truth, prediction[:, 1]))
    shares = prediction / prediction.sum(axis=1, keepdims=True)
    return float(roc_auc_score(truth, shares, multi_class="ovr", labels=np.arange(classes)))


def reliability(truth: _Labels, probabilities: NDArray[np.float64]) -> tuple[ReliabilityBin, ...]:
    """Compare probabilities with what came true, in ten bins of equal width; empty bins are left out."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return tuple(
        ReliabilityBin(
            low=float(number / _BINS),
            high=float((number + 1) / _BINS),
            count=int((bins == number).sum()),
            confidence=float(confidence[bins == number].mean()),
            accuracy=float(right[bins == number].mean()),
        )
        for number in np.unique(bins)
    )


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """The expected calibration error (Naeini et al. 2015): the mean gap, weighed by sequences."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in bins) / total
