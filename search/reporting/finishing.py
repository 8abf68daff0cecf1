"""After the search: the winner tested once, and put into a report beside the naive forecasts."""

import json

import numpy as np
import optuna
from numpy.typing import NDArray

from objectives.judging.metrics import yardstick
from objectives.split import Part, target_hash
from objectives.trials.messages import ForecastTask
from objectives.windows import target_windows
from reports.contents import StudyReport
from reports.files import write_text_atomically
from search.preparation import Preparation
from search.reporting.common_ending import (
    about_study,
    enter_opening,
    fold_facts,
    model_facts,
    search_facts,
)
from search.reporting.forecast_report import study_report, task_in_words
from search.reporting.intervals import interval_metadata
from search.reporting.naive import naive_forecasts
from search.reporting.stored_forecasts import StoredForecasts, load_forecasts, save_forecasts
from search.selection.refitting import (
    MODEL,
    TRAIN_ONLY_MODEL,
    Refitted,
    forecast_with,
)
from search.study import Study
from storage.ledger import was_tested
from storage.records import StudyRecord, TrialRecord


def judge_winner(
    study: Study,
    preparation: Preparation,
    task: ForecastTask,
    found: optuna.Study,
    refitted: Refitted,
    command: str,
) -> StoredForecasts:
    """Forecast the test set with the winner and naively, or find that this was done before.

    The ledger in the database is told before the winner's models see the test set. All forecasts are
    kept in the study's folder, so that nothing about them needs the test set again; those of a study
    that had the folder before are not in this one's ledger.
    """
    saved = load_forecasts(study.directory)
    tested = (refitted.trial, refitted.seed, refitted.model)
    known = was_tested(refitted.model, found.user_attrs)
    if known and saved is not None and (saved.trial, saved.seed, saved.model) == tested:
        return saved
    split, dataset = preparation.split, preparation.dataset
    naive = naive_forecasts(preparation, refitted.timesteps)
    model, train_only = study.directory / MODEL, study.directory / TRAIN_ONLY_MODEL
    validation = forecast_with(train_only, task.rows, split.validation.origins).forecast
    enter_opening(found, study, refitted, command, target_hash(split.test, split.horizon))
    test = forecast_with(model, task.rows, split.test.origins)
    training = dataset.values[split.train.first : split.train.end, : len(dataset.targets)]
    stored = StoredForecasts(
        *tested,
        times=tuple(preparation.label(row) for row in split.test.origins),
        targets=dataset.targets,
        validation_truth=_truth(preparation, split.validation),
        validation=validation,
        truth=_truth(preparation, split.test),
        test=test.forecast,
        test_quantiles=test.quantiles,
        train_only=forecast_with(train_only, task.rows, split.test.origins).forecast,
        naive=naive.test,
        naive_validation=naive.validation,
        measure=yardstick(training, preparation.season),
    )
    save_forecasts(study.directory, stored)
    return stored


def make_report(
    study: Study,
    preparation: Preparation,
    record: StudyRecord,
    refitted: Refitted,
    stored: StoredForecasts,
    started: float,
) -> StudyReport:
    """Put everything about a finished study together; `started` is on `time.perf_counter`."""
    facts = _facts(study, preparation, record.trials[refitted.trial], refitted)
    about = about_study(
        study,
        record,
        refitted,
        task=task_in_words(preparation.dataset.targets, study.data.horizon),
        facts=facts | _coverage(study, stored),
        started=started,
    )
    return study_report(record, about, stored)


def _truth(preparation: Preparation, part: Part) -> NDArray[np.float64]:
    values, targets = preparation.dataset.values, len(preparation.dataset.targets)
    horizon = preparation.split.horizon
    return target_windows(values, part.origins, horizon, targets).astype(np.float64)


def _coverage(study: Study, stored: StoredForecasts) -> dict[str, str]:
    """What share of the test values lies at or below each quantile, which would be its level at best."""
    if stored.test_quantiles is None:
        return {}
    below = np.mean(stored.truth[..., None] <= stored.test_quantiles, axis=(0, 1, 2))
    levels = study.training.forecast_quantiles
    found = ", ".join(f"{q:g}: {share:.1%}" for q, share in zip(levels, below, strict=True))
    return {"test values below each quantile": found}


def _facts(
    study: Study, preparation: Preparation, winner: TrialRecord, refitted: Refitted
) -> dict[str, str]:
    dataset, split = preparation.dataset, preparation.split
    facts = {
        "data": f"{dataset.source}, {len(dataset.values)} rows of {len(dataset.columns)} columns",
        "inputs": ", ".join(dataset.columns),
        "filled cells": ", ".join(f"{n} {count}" for n, count in dataset.filled.items()) or "none",
        "season": f"{preparation.season} rows",
        **search_facts(study, refitted),
    }
    for part in split.parts:
        facts[part.name] = f"{preparation.dates(part)}, {len(part.origins)} windows"
    return facts | fold_facts(winner)


def write_metadata(
    study: Study,
    preparation: Preparation,
    winner: TrialRecord,
    refitted: Refitted,
    stored: StoredForecasts,
) -> None:
    """Write what a user of the saved model must know, beside it as model.json."""
    dataset = preparation.dataset
    about = {
        "input": {
            "name": "window",
            "shape": ["batch", refitted.timesteps, len(dataset.columns)],
            "columns": list(dataset.columns),
            "categories": dict(dataset.categories),
            "units": "those of the data",
        },
        "output": {
            "shape": ["batch", study.data.horizon, len(dataset.targets)],
            "targets": list(dataset.targets),
            "quantiles": list(study.training.forecast_quantiles),
            "units": "those of the data",
        },
        "intervals": interval_metadata(stored),
        "step": None if dataset.step is None else dataset.step.isoformat(),
        **model_facts(study, winner, refitted, dataset.fingerprint),
    }
    write_text_atomically(study.directory / "model.json", json.dumps(about, indent=2) + "\n")
