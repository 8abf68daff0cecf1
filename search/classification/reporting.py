"""Reports of classification put together from what is stored."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from objectives.classification.metrics import (
    calibration_error,
    class_scores,
    confusion_matrix,
    predicted_labels,
    reliability,
    scores,
)
from reports.classification.contents import Bin, ClassFigures, ClassificationReport, Reliability
from reports.contents import Confirmation
from search.classification.judging import judge_classes
from search.classification.stored import StoredProbabilities, load_probabilities
from search.reporting import About, about_before, ledger_of, winner_of
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
    bins = reliability(stored.truth, stored.test)
    return ClassificationReport(
        study=record,
        task=about.task,
        metric=about.metric,
        winner=winner_of(record.trials[stored.trial]),
        ledger=ledger_of(record, (stored.trial, stored.seed)),
        confirmation=confirmation,
        labels=stored.classes,
        validation=score(stored.validation_truth, stored.validation),
        test=score(stored.truth, stored.test),
        train_only=score(stored.truth, stored.train_only),
        baselines={name: score(stored.truth, found) for name, found in stored.baselines.items()},
        confusion=matrix.astype("int64"),
        per_class=[ClassFigures(**asdict(each)) for each in class_scores(matrix, stored.classes)],
        reliability=Reliability([Bin(**asdict(each)) for each in bins], calibration_error(bins)),
        refit=about.refit,
        seconds=about.seconds,
        paths=about.paths,
        facts=about.facts,
        uncertainty=judge_classes(stored, record.attributes["identity"]["study"]["seed"]),
    )


def report_classes_again(
    record: StudyRecord, directory: Path, confirmation: Confirmation | None
) -> ClassificationReport | None:
    """Make the report of a tested winner from what is stored; None where there is none.

    Raises:
        InputError: report.json cannot be read.
    """
    stored = load_probabilities(directory)
    if stored is None or stored.trial >= len(record.trials):
        return None
    return classification_report(record, about_before(directory), stored, confirmation)
