"""After a search for a classifier: the winner tested once, and reported beside the baselines."""

import json
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from objectives.classification.baselines import baselines
from objectives.classification.messages import PADDING, SequenceTask
from objectives.classification.metrics import Prediction
from objectives.classification.sequences import Sequences
from objectives.classification.split import part_hash
from objectives.classification.uncertainty import clusters_of
from objectives.export.messages import TEXT, WINDOW
from objectives.objective import any_hyperparameters
from reports.classification.contents import ClassificationReport
from reports.files import write_text_atomically
from reports.wording import listed, number
from search.classification.preparation import SequencePreparation
from search.classification.reporting import classification_report
from search.classification.stored import (
    StoredProbabilities,
    load_probabilities,
    save_probabilities,
)
from search.classification.validation import load_validation
from search.reporting.common_ending import (
    about_study,
    enter_opening,
    fold_facts,
    model_facts,
    search_facts,
)
from search.selection.refitting import (
    MODEL,
    TRAIN_ONLY_MODEL,
    Refitted,
    classify_with,
)
from search.study import ClassificationStudy
from storage.ledger import was_tested
from storage.records import StudyRecord, TrialRecord


def judge_classifier(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    task: SequenceTask,
    found: optuna.Study,
    refitted: Refitted,
    command: str,
) -> StoredProbabilities:
    """Classify the test set with the winner and the baselines, or find that this was done before.

    The ledger in the database is told before the winner's models see the test set. All predictions are
    kept in the study's folder, so that nothing about them needs the test set again; those of a study
    that had the folder before are not in this one's ledger.
    """
    saved = load_probabilities(study.directory)
    tested = (refitted.trial, refitted.seed, refitted.model)
    known = was_tested(refitted.model, found.user_attrs)
    if known and saved is not None and (saved.trial, saved.seed, saved.model) == tested:
        return saved
    sequences, split = preparation.sequences, preparation.split
    found_baselines = baselines(sequences, split)
    model, train_only = study.directory / MODEL, study.directory / TRAIN_ONLY_MODEL
    validation = load_validation(study.directory)
    enter_opening(found, study, refitted, command, part_hash(split.test))
    test = classify_with(model, task, split.test)
    uncalibrated = None
    if refitted.temperature is not None:
        uncalibrated = classify_with(model, task, split.test, calibrated=False)
    stored = StoredProbabilities(
        *tested,
        classes=sequences.classes,
        validation=validation,
        truth=sequences.labels[split.test],
        test=test,
        train_only=classify_with(train_only, task, split.test),
        clusters=_clusters(study, preparation, {"model": test, **found_baselines}),
        baselines=found_baselines,
        temperature=refitted.temperature,
        uncalibrated=uncalibrated,
    )
    save_probabilities(study.directory, stored)
    return stored


def _clusters(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    predictions: dict[str, Prediction],
) -> NDArray[np.int64]:
    """Which test sequences do not count as independent: those of a group, and neighbours in a stream."""
    length = study.data.timesteps or 1
    overlap = -(-length // (study.data.stride or length))
    return clusters_of(preparation.sequences, preparation.split.test, overlap, predictions)


def report_classification(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    record: StudyRecord,
    refitted: Refitted,
    stored: StoredProbabilities,
    started: float,
) -> ClassificationReport:
    """Put everything about a finished study together; `started` is on `time.perf_counter`."""
    count = f"{len(preparation.sequences.classes)} classes"
    names = listed([repr(name) for name in preparation.sequences.classes[:12]])
    about = about_study(
        study,
        record,
        refitted,
        task=f"classify {_kind(preparation)}s into {count}: {names}",
        facts=_facts(study, preparation, record.trials[refitted.trial], refitted),
        started=started,
    )
    return classification_report(record, about, stored)


def _facts(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    winner: TrialRecord,
    refitted: Refitted,
) -> dict[str, str]:
    sequences, split = preparation.sequences, preparation.split
    test = study.data.test_path
    official = "" if sequences.official_test is None else ", the official ones"
    fold = split.folds[-1]
    kind, inputs = _kind(preparation), f"{len(sequences.features)} inputs"
    if sequences.words:
        inputs = f"{len(sequences.words)} different ones"
    facts = {
        "data": f"{sequences.source}{f' and {test}' if test else ''}, "
        f"{len(sequences.labels)} {kind}s of {sequences.reach}, {inputs}",
        "inputs": ", ".join(sequences.features),
        "filled cells": str(sequences.filled),
        "divided": _divided(preparation),
        "train": f"{len(fold.train)} {kind}s",
        "validation": f"{len(fold.validation)} {kind}s",
        "test": f"{len(split.test)} {kind}s{official}",
        **search_facts(study, refitted),
    }
    if linear := refitted.linear:
        facts["linear part"] = (
            f"logistic regression on all values (C = {linear['inverse_penalty']:g}), whose share in the "
            f"probabilities is {number(linear['share'], 3)}; both chosen by log loss on validation"
        )
    return facts | fold_facts(winner)


def _kind(preparation: SequencePreparation) -> str:
    return "text" if preparation.sequences.words else "sequence"


def _divided(preparation: SequencePreparation) -> str:
    folds = len(preparation.split.folds)
    by = "in time" if preparation.sequences.stream else "stratified by class"
    if preparation.sequences.groups is not None:
        by = "by groups, none of which is on both sides"
    return f"{by}, {folds} folds that take turns in validating" if folds > 1 else by


def write_classifier_metadata(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    winner: TrialRecord,
    refitted: Refitted,
) -> None:
    """Write what a user of the saved model must know, beside it as model.json."""
    sequences = preparation.sequences
    hyperparameters = any_hyperparameters(winner.attributes)
    about = {
        "task": "classification",
        "input": _input(sequences, hyperparameters.timesteps),
        "output": {
            "shape": ["batch", len(sequences.classes)],
            "labels": list(sequences.classes),
            "units": "probabilities",
            "temperature": refitted.temperature,
            "linear": refitted.linear,
        },
        **model_facts(study, winner, refitted, sequences.fingerprint),
    }
    write_text_atomically(study.directory / "model.json", json.dumps(about, indent=2) + "\n")


def _input(sequences: Sequences, timesteps: int) -> dict[str, Any]:
    if sequences.words:
        return {
            "name": TEXT,
            "shape": ["batch"],
            "type": "string",
            "columns": list(sequences.features),
            "units": f"words between blanks, of which the last {timesteps} are seen",
        }
    return {
        "name": WINDOW,
        "shape": ["batch", timesteps, len(sequences.features)],
        "columns": list(sequences.features),
        "units": "those of the data",
        "padding": PADDING,
    }
