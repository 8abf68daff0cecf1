"""How far a classifier's test figures can be trusted: bootstrap over clusters and McNemar's test."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.classification.metrics import (
    Prediction,
    confusion_matrix,
    log_losses,
    matrix_scores,
    predicted_labels,
)
from objectives.classification.sequences import Sequences
from objectives.judging.uncertainty import RESAMPLES, block_length

BOUNDED = (
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "log_loss",
)
LEAST_CLUSTERS = 5
Draws = dict[str, dict[str, NDArray[np.float64]]]  # prediction → metric → (1 + resamples,)


@dataclass(frozen=True)
class McNemar:
    """McNemar's test (1947) in its exact form, on the sequences that only one of two has right."""

    first_only: int
    second_only: int
    p: float


def mcnemar(truth: NDArray[np.int64], first: Prediction, second: Prediction) -> McNemar:
    """Test whether two classifiers are right equally often."""
    from statsmodels.stats.contingency_tables import mcnemar as test  # noqa: PLC0415  (imports for seconds)

    one, other = predicted_labels(first) == truth, predicted_labels(second) == truth
    first_only, second_only = int((one & ~other).sum()), int((other & ~one).sum())
    table = [[int((one & other).sum()), first_only], [second_only, int((~one & ~other).sum())]]
    return McNemar(first_only, second_only, float(test(table, exact=True).pvalue))


def clusters_in_time(
    truth: NDArray[np.int64], predictions: Mapping[str, Prediction], overlap: int
) -> NDArray[np.int64]:
    """Blocks of neighbouring windows of one stream, (windows,): as long as errors depend on each other.

    Args:
        truth: (windows,), in order of time.
        predictions: whose errors count.
        overlap: windows from one to the first that shares no row with it.
    """
    errors = [predicted_labels(found) != truth for found in predictions.values()]
    length = block_length(np.column_stack(errors).astype(np.float64), overlap)
    longest = max(1, len(truth) // LEAST_CLUSTERS)
    return np.arange(len(truth)) // min(length, longest)


def clusters_of(
    sequences: Sequences,
    some: NDArray[np.int64],
    overlap: int,
    predictions: Mapping[str, Prediction],
) -> NDArray[np.int64]:
    """Which sequences do not count as independent: those of a group, and neighbours in a stream.

    Args:
        sequences: all of them.
        some: numbers of those that were predicted.
        overlap: of a stream, windows from one to the first that shares no row with it.
        predictions: what was predicted of these.
    """
    if sequences.groups is not None:
        return sequences.groups[some]
    if not sequences.stream:
        return np.arange(len(some), dtype=np.int64)
    return clusters_in_time(sequences.labels[some], predictions, overlap)


def resampled_scores(
    truth: NDArray[np.int64],
    predictions: Mapping[str, Prediction],
    clusters: NDArray[np.int64],
    classes: int,
    seed: int,
) -> Draws:
    """Compute the metrics that are `BOUNDED` in resamples of whole clusters (Efron & Tibshirani 1993).

    All predictions are judged on the same resamples, so that differences are paired.

    Args:
        truth: (sequences,).
        predictions: each (sequences, classes) or (sequences,).
        clusters: (sequences,), equal for sequences that do not count as independent.
        classes: how many there are.
        seed: decides which clusters are drawn.

    Returns:
        Prediction → metric → (1 + RESAMPLES,): first the figure as it is, then one of each resample.
    """
    labels = {name: predicted_labels(found) for name, found in predictions.items()}
    losses = {name: log_losses(truth, found) for name, found in predictions.items()}
    numbers = np.unique(clusters, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    generator = np.random.default_rng(seed)
    drawn: Draws = {
        name: {metric: np.empty(1 + RESAMPLES) for metric in BOUNDED} for name in labels
    }
    for draw in range(1 + RESAMPLES):
        picked = generator.integers(count, size=count) if draw else np.arange(count)
        weights = np.bincount(picked, minlength=count)[numbers]
        for name, found in labels.items():
            figures = matrix_scores(confusion_matrix(truth, found, classes, weights))
            figures["log_loss"] = float(weights @ losses[name] / weights.sum())
            for metric in BOUNDED:
                drawn[name][metric][draw] = figures[metric]
    return drawn
