"""After a search for a classifier: the winner tested once, and reported beside the baselines."""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from objectives.classification.baselines import baselines
from objectives.classification.messages import PADDING, ProbabilitiesRequest, SequenceTask
from objectives.classification.metrics import Prediction
from objectives.classification.split import part_hash
from objectives.classification.uncertainty import clusters_in_time
from objectives.messages import Compute
from objectives.objective import any_hyperparameters
from objectives.seeds import member_seeds
from reports.classification.contents import ClassificationReport
from reports.contents import Refit
from reports.files import write_text_atomically
from reports.wording import listed
from search.budget import seconds_of_search
from search.classification.preparation import SequencePreparation
from search.classification.reporting import classification_report
from search.classification.stored import (
    StoredProbabilities,
    load_probabilities,
    save_probabilities,
)
from search.finishing import refit_rule, result_paths
from search.refitting import MODEL, TRAIN_ONLY_MODEL, Refitted, in_worker
from search.reporting import About
from search.study import ClassificationStudy
from storage.ledger import Opening, record_opening, utc_now
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
    kept in the study's folder, so that nothing about them needs the test set again.
    """
    saved = load_probabilities(study.directory)
    tested = (refitted.trial, refitted.seed, refitted.model)
    if saved is not None and (saved.trial, saved.seed, saved.model) == tested:
        return saved
    sequences, split = preparation.sequences, preparation.split
    found_baselines = baselines(sequences, split)
    model, train_only = study.directory / MODEL, study.directory / TRAIN_ONLY_MODEL
    validating = split.folds[-1].validation
    validation = _probabilities(train_only, task, validating)
    seeds, targets = member_seeds(refitted.seed, study.final.members), part_hash(split.test)
    opening = Opening(utc_now(), refitted.trial, seeds, refitted.model, command, targets)
    record_opening(found, opening)
    test = _probabilities(model, task, split.test)
    stored = StoredProbabilities(
        *tested,
        classes=sequences.classes,
        validation_truth=sequences.labels[validating],
        validation=validation,
        truth=sequences.labels[split.test],
        test=test,
        train_only=_probabilities(train_only, task, split.test),
        clusters=_clusters(study, preparation, {"model": test, **found_baselines}),
        baselines=found_baselines,
    )
    save_probabilities(study.directory, stored)
    return stored


def _probabilities(
    model: Path, task: SequenceTask, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    request = ProbabilitiesRequest(
        model.resolve(), task.rows, task.ends[numbers], task.lengths[numbers]
    )
    found: NDArray[np.float64] = in_worker(request, Compute()).probabilities
    return found


def _clusters(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    predictions: dict[str, Prediction],
) -> NDArray[np.int64]:
    """Which test sequences do not count as independent: those of a group, and neighbours in a stream."""
    sequences, test = preparation.sequences, preparation.split.test
    if sequences.groups is not None:
        return sequences.groups[test]
    if not sequences.stream:
        return np.arange(len(test), dtype=np.int64)
    length = study.data.timesteps or 1
    overlap = -(-length // (study.data.stride or length))
    return clusters_in_time(sequences.labels[test], predictions, overlap)


def report_classification(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    record: StudyRecord,
    refitted: Refitted,
    stored: StoredProbabilities,
    started: float,
) -> ClassificationReport:
    """Put everything about a finished study together; `started` is on `time.perf_counter`."""
    names = listed([repr(name) for name in preparation.sequences.classes[:12]])
    about = About(
        task=f"classify sequences into {len(preparation.sequences.classes)} classes: {names}",
        metric=study.training.metric,
        refit=Refit(refit_rule(study.final), refitted.passes, refitted.updates, refitted.seconds),
        seconds={
            "search": seconds_of_search(record),
            "refit": refitted.seconds,
            "total": time.perf_counter() - started,
        },
        paths=result_paths(study),
        facts=_facts(study, preparation, record.trials[refitted.trial], refitted.seed),
    )
    return classification_report(record, about, stored)


def _facts(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    winner: TrialRecord,
    seed: int,
) -> dict[str, str]:
    sequences, split = preparation.sequences, preparation.split
    lengths, test = sequences.lengths, study.data.test_path
    packages = ("lstm-search", "optuna", "tensorflow", "keras", "numpy")
    official = "" if sequences.official_test is None else ", the official ones"
    fold = split.folds[-1]
    facts = {
        "data": f"{sequences.source}{f' and {test}' if test else ''}, {len(lengths)} sequences of "
        f"{lengths.min()} to {lengths.max()} steps, {len(sequences.features)} inputs",
        "inputs": ", ".join(sequences.features),
        "filled cells": str(sequences.filled),
        "divided": _divided(preparation),
        "train": f"{len(fold.train)} sequences",
        "validation": f"{len(fold.validation)} sequences",
        "test": f"{len(split.test)} sequences{official}",
        "seed": f"{study.study.seed} (trial {winner.number}: {seed})",
        "sampler and pruner": f"{study.study.sampler}, {study.study.pruner}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "python": platform.python_version(),
    }
    if "fold_values" in winner.attributes:
        values = ", ".join(f"{value:.5g}" for value in winner.attributes["fold_values"])
        facts["validation by fold"] = f"{values}; the winner's value is their mean"
    return facts


def _divided(preparation: SequencePreparation) -> str:
    folds = len(preparation.split.folds)
    by = "in time" if preparation.sequences.stream else "stratified by class"
    if preparation.sequences.groups is not None:
        by = "by groups, none of which is on both sides"
    return f"{by}, {folds} folds that take turns in validating" if folds > 1 else by


def write_classifier_metadata(
    study: ClassificationStudy, preparation: SequencePreparation, winner: TrialRecord
) -> None:
    """Write what a user of the saved model must know, beside it as model.json."""
    sequences = preparation.sequences
    hyperparameters = any_hyperparameters(winner.attributes)
    about = {
        "task": "classification",
        "input": {
            "name": "window",
            "shape": ["batch", hyperparameters.timesteps, len(sequences.features)],
            "columns": list(sequences.features),
            "units": "those of the data",
            "padding": PADDING,
        },
        "output": {
            "shape": ["batch", len(sequences.classes)],
            "labels": list(sequences.classes),
            "units": "probabilities",
        },
        "fill": study.data.fill,
        "study": study.study.name,
        "trial": winner.number,
        "hyperparameters": hyperparameters.as_dict(),
        "seed": winner.attributes["seed"],
        "data_fingerprint": sequences.fingerprint,
        "versions": {name: version(name) for name in ("lstm-search", "keras", "tensorflow")},
    }
    write_text_atomically(study.directory / "model.json", json.dumps(about, indent=2) + "\n")
