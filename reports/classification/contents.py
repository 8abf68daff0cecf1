"""What a report of classification says, as plain frozen data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.contents import Check, Estimate, Refit, SearchReport, Winner


@dataclass(frozen=True)
class ClassFigures:
    """How one class is told from the others; `support` counts its test sequences."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Bin:
    """Test sequences whose predicted class has a probability between `low` and `high`.

    `confidence` is the mean of these probabilities, `accuracy` the share of them that is right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Probabilities against what came true, and the mean gap between them."""

    bins: Sequence[Bin]
    calibration_error: float


@dataclass(frozen=True)
class FoldScores:
    """Scores of a winner on validation, metric → figure: their mean over `folds`, and the spread.

    `deviation` is the sample standard deviation over the folds, NaN for one.
    """

    mean: Mapping[str, float]
    deviation: Mapping[str, float]
    folds: int


@dataclass(frozen=True)
class Worth:
    """What probabilities are worth: their log loss, and how far they come true."""

    log_loss: float
    reliability: Reliability


@dataclass(frozen=True)
class Calibration:
    """Logits of networks divided by `temperature` (Guo et al. 2017): sequences before and after.

    The temperature was fitted on `sequences` validation sequences, so that only figures of the test tell
    what it is worth.
    """

    temperature: float
    sequences: int
    validation_before: Worth
    validation_after: Worth
    test_before: Worth
    test_after: Worth


@dataclass(frozen=True)
class ClassDifference:
    """The refitted model against a baseline: its scores less the baseline's, by metric.

    `model_only` and `baseline_only` count the sequences that only one has right; `p` is that of
    McNemar's test and `adjusted_p` is raised for the number of baselines tested (Holm 1979).
    """

    scores: Mapping[str, Estimate]
    model_only: int
    baseline_only: int
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class ClassUncertainty:
    """How far the test scores can be trusted, from `resamples` of `clusters` independent sequences."""

    sequences: int
    clusters: int
    resamples: int
    scores: Mapping[str, Estimate]
    differences: Mapping[str, ClassDifference]


@dataclass(frozen=True, kw_only=True)
class ClassificationReport(SearchReport):
    """Everything that is known when a study of classification is done.

    `validation` scores the winner's networks on the sequences that validate, uncalibrated; `test` the
    refitted model; `train_only` the winner before the refit, on the test set; `baselines` the others
    there: metric → figure, NaN where there is none. `confusion` (classes, classes) counts test
    sequences: rows are the truth, columns the refitted model's. `uncertainty` is None where the test set
    is too small, `calibration` where probabilities are as the network gives them; `audit` is empty where
    none was made.
    """

    winner: Winner
    labels: tuple[str, ...]
    validation: FoldScores
    test: Mapping[str, float]
    train_only: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    confusion: NDArray[np.int64]
    per_class: Sequence[ClassFigures]
    reliability: Reliability
    refit: Refit
    uncertainty: ClassUncertainty | None
    calibration: Calibration | None = None
    audit: tuple[Check, ...] = ()


def judged_by(metric: str, scores: Mapping[str, float]) -> float:
    """A study's metric, of which less is better, from scores of what is calibrated by then."""
    errors = {"error_rate": "accuracy", "balanced_error_rate": "balanced_accuracy"}
    if metric in errors:
        return 1.0 - scores[errors[metric]]
    return scores[metric.removeprefix("calibrated_")]
