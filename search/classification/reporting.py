"""Reports of classification put together from what is stored."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import averaged
from objectives.classification.metrics import (
    calibration_error,
    class_scores,
    confusion_matrix,
    log_losses,
    predicted_labels,
    reliability,
    scores,
)
from reports.classification.contents import (
    Bin,
    Calibration,
    ClassFigures,
    ClassificationReport,
    FoldScores,
    Reliability,
    Worth,
)
from reports.contents import Confirmation
from search.classification.judging import judge_classes
from search.classification.stored import StoredProbabilities, load_probabilities
from search.classification.validation import Validation
from search.reporting.report_parts import About, about_before, ledger_of, winner_of
from storage.ledger import was_tested
from storage.records import StudyRecord


def classification_report(
    record: StudyRecord,
    about: About,
    stored: StoredProbabilities,
    confirmation: Confirmation | None = None,
) -> ClassificationReport:
    """Score the winner, the winner before the refit and the baselines."""
    score = partial(scores, classes=len(stored.classes))
    matrix = confusion_matrix(stored.truth, predicted_labels(stored.test), len(stored.classes))
    return ClassificationReport(
        study=record,
        task=about.task,
        metric=about.metric,
        winner=winner_of(record.trials[stored.trial]),
        ledger=ledger_of(record, (stored.trial, stored.seed)),
        confirmation=confirmation,
        labels=stored.classes,
        validation=validation_scores(stored.validation),
        test=score(stored.truth, stored.test),
        train_only=score(stored.truth, stored.train_only),
        baselines={name: score(stored.truth, found) for name, found in stored.baselines.items()},
        confusion=matrix.astype("int64"),
        per_class=[ClassFigures(**asdict(each)) for each in class_scores(matrix, stored.classes)],
        reliability=_worth(stored.truth, stored.test).reliability,
        refit=about.refit,
        seconds=about.seconds,
        paths=about.paths,
        facts=about.facts,
        uncertainty=judge_classes(stored, record.attributes["identity"]["study"]["seed"]),
        calibration=_calibration(stored),
        audit=about.audit,
    )


def validation_scores(found: Validation) -> FoldScores:
    """Score each fold by itself, as the search does, and take the mean."""
    shares = averaged(found.logits[:1])
    classes = found.logits.shape[2]
    folds = [found.folds == number for number in np.unique(found.folds)]
    each = [scores(found.labels[mine], shares[mine], classes) for mine in folds]
    by_metric = {metric: [figures[metric] for figures in each] for metric in each[0]}
    return FoldScores(
        mean={metric: fmean(figures) for metric, figures in by_metric.items()},
        deviation={
            metric: stdev(figures) if len(figures) > 1 else float("nan")
            for metric, figures in by_metric.items()
        },
        folds=len(folds),
    )


def _calibration(stored: StoredProbabilities) -> Calibration | None:
    if stored.temperature is None or stored.uncalibrated is None:
        return None
    found = stored.validation
    return Calibration(
        temperature=stored.temperature,
        sequences=len(found.labels),
        validation_before=_worth(found.labels, found.probabilities()),
        validation_after=_worth(found.labels, found.probabilities(stored.temperature)),
        test_before=_worth(stored.truth, stored.uncalibrated),
        test_after=_worth(stored.truth, stored.test),
    )


def _worth(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Worth:
    bins = reliability(truth, probabilities)
    found = Reliability([Bin(**asdict(each)) for each in bins], calibration_error(bins))
    return Worth(float(log_losses(truth, probabilities).mean()), found)


def report_classes_again(
    record: StudyRecord, directory: Path, confirmation: Confirmation | None
) -> ClassificationReport | None:
    """Make the report of a tested winner from what is stored; None where there is none.

    Raises:
        InputError: report.json cannot be read.
    """
    stored = load_probabilities(directory)
    if stored is None or not was_tested(stored.model, record.attributes):
        return None
    return classification_report(record, about_before(directory), stored, confirmation)
