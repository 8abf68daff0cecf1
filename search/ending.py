"""The end of a study by what it learns: its winner tested once, and a report of it."""

from dataclasses import dataclass, replace

import optuna

from objectives.classification.messages import SequenceTask
from objectives.trials.messages import ForecastTask, Task
from reports.bundle import Metadata
from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from search.audit.auditing import Subject, audit
from search.bundles.bundle_draft import draft_metadata, write_draft
from search.bundles.exporting import Exported, export_if_changed
from search.classification.audit_subject import ClassSubject
from search.classification.auditing import audit_classifier
from search.classification.bundle_draft import draft_classifier, keep_training_sequences
from search.classification.finishing import (
    judge_classifier,
    report_classification,
    write_classifier_metadata,
)
from search.classification.preparation import SequencePreparation
from search.preparation import Preparation
from search.reporting.finishing import judge_winner, make_report, write_metadata
from search.selection.confirmed import read_runs
from search.selection.refitting import Refitted
from search.study import AnyStudy, ClassificationStudy, Study
from search.tasks import AnyPreparation
from storage.database import Database
from storage.records import TrialRecord, record_of_study


@dataclass(frozen=True)
class Ending:
    """A study whose winner has been refitted; `started` is on `time.perf_counter`."""

    study: AnyStudy
    preparation: AnyPreparation
    task: Task
    winner: TrialRecord
    refitted: Refitted
    started: float


def end_study(
    ending: Ending, storage: Database, found: optuna.Study, command: str
) -> tuple[StudyReport | ClassificationReport, Exported]:
    """Test the winner, or find that this was done before; say what its model takes, and report.

    `command` is for the test ledger. A bundle is exported of the model.
    """
    study, preparation, task = ending.study, ending.preparation, ending.task
    refitted = ending.refitted
    if (
        isinstance(study, ClassificationStudy)
        and isinstance(preparation, SequencePreparation)
        and isinstance(task, SequenceTask)
    ):
        probabilities = judge_classifier(study, preparation, task, found, refitted, command)
        about = draft_classifier(study, preparation, ending.winner, refitted, probabilities)
        keep_training_sequences(study, preparation)
        exported = _export(study, storage, about)
        write_classifier_metadata(study, preparation, ending.winner, refitted)
        record = record_of_study(found)  # with what the ledger says now
        classified = report_classification(
            study, preparation, record, refitted, probabilities, ending.started
        )
        class_runs = read_runs(storage, record.name)
        subject = ClassSubject(study, preparation, record, class_runs, probabilities)
        return replace(classified, audit=audit_classifier(subject)), exported
    if (
        isinstance(study, Study)
        and isinstance(preparation, Preparation)
        and isinstance(task, ForecastTask)
    ):
        stored = judge_winner(study, preparation, task, found, refitted, command)
        draft = draft_metadata(study, preparation, ending.winner, refitted, stored)
        exported = _export(study, storage, draft)
        write_metadata(study, preparation, ending.winner, refitted, stored)
        record = record_of_study(found)
        runs = read_runs(storage, record.name)
        checks = audit(Subject(preparation, record, runs, stored, study.directory))
        report = make_report(study, preparation, record, refitted, stored, ending.started)
        return replace(report, audit=checks), exported
    raise TypeError(f"a {type(study).__name__} does not go with a {type(task).__name__}")


def _export(study: AnyStudy, storage: Database, draft: Metadata) -> Exported:
    """Keep what a bundle of the winner shall say, and make the bundle unless it is there."""
    write_draft(study.directory, draft)
    return export_if_changed(storage, study.directory, study.output.formats)
