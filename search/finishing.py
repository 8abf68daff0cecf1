"""After the search: the winner retrained on train+validation, tested once, and put into a report."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray

from objectives.baselines import fit_ridge, persistence, refit_ridge, seasonal_naive
from objectives.errors import InputError
from objectives.messages import Compute, ForecastTask, RefitOutcome, RefitRequest, TrialRequest
from objectives.metrics import Yardstick, scores, standardised_scores, yardstick
from objectives.objective import recorded_path, resolved_hyperparameters
from objectives.split import Part
from objectives.trial_process import run_in_process
from objectives.windows import target_windows
from reports.contents import Forecasts, ForecastScores, Refit, Scores, StudyReport, Winner
from reports.files import atomically, write_text_atomically
from search.budget import seconds_covered
from search.preparation import Preparation
from search.study import Study
from search.weights import Weights
from storage.address import redacted
from storage.records import StudyRecord, TrialRecord

REFIT_RULE = (
    "as many optimiser updates as the winner made up to its best epoch, "
    "at the learning rates it had then"
)
_SAVED = "forecasts.npz"


def refit_winner(
    study: Study,
    task: ForecastTask,
    winner: TrialRecord,
    compute: Compute,
    kept: Callable[[], Weights | None],
) -> RefitOutcome:
    """Retrain the winner on train+validation and forecast with it, or find that this was done before.

    The outcome is kept in the study's folder, so that the test set is not opened a second time for the
    same winner. `kept` gives the winner's own weights where they can be had; the winner is trained again
    where they cannot.
    """
    saved = _load_outcome(study.directory, winner)
    if saved is not None:
        return saved
    request = RefitRequest(
        task=task,
        hyperparameters=resolved_hyperparameters(winner.attributes),
        seed=winner.attributes["seed"],
        path=recorded_path(winner.attributes),
        weights=kept() or _train_again(task, winner, compute),
        directory=study.directory.resolve(),
    )
    outcome: RefitOutcome = _in_worker(request, compute)
    _save_outcome(study.directory, winner, outcome)
    return outcome


def _train_again(task: ForecastTask, winner: TrialRecord, compute: Compute) -> Weights:
    """Repeat a trial whose weights cannot be had, its last fold; its seed makes it the same trial."""
    hyperparameters = resolved_hyperparameters(winner.attributes)
    task = replace(task, split=task.split.last_fold())
    request = TrialRequest(task, hyperparameters, winner.attributes["seed"])
    outcome = _in_worker(request, compute)
    weights: Weights = outcome.weights
    return weights


def _in_worker(request: TrialRequest | RefitRequest, compute: Compute) -> Any:
    """Let a worker's warm forkserver start the process: this one stays free of TensorFlow."""
    executor = get_reusable_executor(timeout=None, reuse=True)
    return executor.submit(run_in_process, request, _always, compute).result()


def _always(epoch: object) -> bool:
    del epoch
    return True


def make_report(
    study: Study,
    preparation: Preparation,
    record: StudyRecord,
    outcome: RefitOutcome,
    started: float,
) -> StudyReport:
    """Score the refitted winner, the winner before the refit and the naive forecasts.

    `started` is when the run began, on `time.perf_counter`.
    """
    winner = record.best
    if winner is None or winner.value is None:
        raise InputError(no_winner(record))
    score = _scorer(preparation)
    split = preparation.split
    hyperparameters = resolved_hyperparameters(winner.attributes)
    naive = naive_forecasts(preparation, hyperparameters.timesteps)
    truth = _truth(preparation, split.test)
    return StudyReport(
        study=record,
        task=_task_in_words(study, preparation),
        metric=study.training.metric,
        winner=Winner(winner.number, winner.value, hyperparameters.as_dict()),
        validation=score(split.validation, outcome.validation),
        test=score(split.test, outcome.test),
        train_only=score(split.test, outcome.test_train_only),
        baselines={name: score(split.test, forecast) for name, forecast in naive.items()},
        refit=Refit(REFIT_RULE, outcome.passes, outcome.updates, outcome.seconds),
        forecasts=Forecasts(
            times=tuple(preparation.label(row) for row in split.test.origins),
            targets=preparation.dataset.targets,
            truth=truth,
            refitted=outcome.test,
            naive=naive,
        ),
        seconds={
            "search": _seconds_searched(record),
            "refit": outcome.seconds,
            "total": time.perf_counter() - started,
        },
        paths=_paths(study),
        facts=_facts(study, preparation, winner),
    )


def _seconds_searched(record: StudyRecord) -> float:
    lost = {trial.attributes.get("retry_of") for trial in record.trials}
    kept = (trial for trial in record.trials if trial.number not in lost)
    return seconds_covered((trial.started, trial.ended) for trial in kept)


def no_winner(record: StudyRecord) -> str:
    """Why a study without a complete trial has none, in one line."""
    failed = [trial for trial in record.trials if trial.state == "failed"]
    reason = f"; the last failure: {failed[-1].attributes.get('failure')}" if failed else ""
    return (
        f"study {record.name!r} has no complete trial to choose from "
        f"({len(failed)} of {len(record.trials)} failed){reason}"
    )


def naive_forecasts(preparation: Preparation, timesteps: int) -> dict[str, NDArray[np.float64]]:
    """Forecasts of the test windows in the data's units: persistence, seasonal naive and ridge.

    Ridge sees the winner's windows; its penalty is chosen on validation, and it is fitted again on
    train+validation as the winner is.
    """
    values = preparation.dataset.values
    split, targets = preparation.split, len(preparation.dataset.targets)
    shape = (timesteps, split.horizon, targets)
    origins = split.test.origins
    chosen = fit_ridge(values, split.train.origins, split.validation.origins, shape)
    ridge = refit_ridge(values, split.train_and_validation().origins, chosen)
    return {
        "persistence": persistence(values, origins, split.horizon, targets),
        "seasonal_naive": seasonal_naive(
            values, origins, split.horizon, targets, preparation.season
        ),
        "ridge": ridge.forecast(values, origins),
    }


def _scorer(
    preparation: Preparation,
) -> Callable[[Part, NDArray[np.float64]], ForecastScores]:
    targets = len(preparation.dataset.targets)
    train = preparation.split.train
    training = preparation.dataset.values[train.first : train.end, :targets]
    measure: Yardstick = yardstick(training, preparation.season)

    def score(part: Part, forecast: NDArray[np.float64]) -> ForecastScores:
        truth = _truth(preparation, part)
        return ForecastScores(
            data_units=Scores(*scores(truth, forecast, measure)),
            standardised=Scores(*standardised_scores(truth, forecast, measure)),
        )

    return score


def _truth(preparation: Preparation, part: Part) -> NDArray[np.float64]:
    values, targets = preparation.dataset.values, len(preparation.dataset.targets)
    horizon = preparation.split.horizon
    return target_windows(values, part.origins, horizon, targets).astype(np.float64)


def _task_in_words(study: Study, preparation: Preparation) -> str:
    targets = ", ".join(preparation.dataset.targets)
    steps = "next row" if study.data.horizon == 1 else f"next {study.data.horizon} rows"
    return f"forecast the {steps} of {targets}"


def _paths(study: Study) -> dict[str, str]:
    folder = study.directory
    return {
        "database": redacted(study.storage_url),
        "model": str(folder / "model.keras"),
        "train_only_model": str(folder / "model_train_only.keras"),
        "metadata": str(folder / "model.json"),
        "report": str(folder / "report.md"),
        "directory": str(folder),
    }


def _facts(study: Study, preparation: Preparation, winner: TrialRecord) -> dict[str, str]:
    dataset, split = preparation.dataset, preparation.split
    packages = ("lstm-search", "optuna", "tensorflow", "keras", "numpy")
    facts = {
        "data": f"{dataset.source}, {len(dataset.values)} rows of {len(dataset.columns)} columns",
        "inputs": ", ".join(dataset.columns),
        "filled cells": ", ".join(f"{n} {count}" for n, count in dataset.filled.items()) or "none",
        "season": f"{preparation.season} rows",
        "seed": f"{study.study.seed} (trial {winner.number}: {winner.attributes['seed']})",
        "sampler and pruner": f"{study.study.sampler}, {study.study.pruner}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "python": platform.python_version(),
    }
    for part in split.parts:
        facts[part.name] = f"{preparation.dates(part)}, {len(part.origins)} windows"
    if "fold_values" in winner.attributes:
        values = ", ".join(f"{value:.5g}" for value in winner.attributes["fold_values"])
        facts["validation by fold"] = f"{values}; the winner's value is their mean"
    return facts


def write_metadata(study: Study, preparation: Preparation, winner: TrialRecord) -> None:
    """Write what a user of the saved model must know, beside it as model.json."""
    dataset = preparation.dataset
    hyperparameters = resolved_hyperparameters(winner.attributes)
    about = {
        "input": {
            "name": "window",
            "shape": ["batch", hyperparameters.timesteps, len(dataset.columns)],
            "columns": list(dataset.columns),
            "units": "those of the data",
        },
        "output": {
            "shape": ["batch", study.data.horizon, len(dataset.targets)],
            "targets": list(dataset.targets),
            "units": "those of the data",
        },
        "step": None if dataset.step is None else dataset.step.isoformat(),
        "fill": study.data.fill,
        "study": study.study.name,
        "trial": winner.number,
        "hyperparameters": hyperparameters.as_dict(),
        "seed": winner.attributes["seed"],
        "data_fingerprint": dataset.fingerprint,
        "versions": {name: version(name) for name in ("lstm-search", "keras", "tensorflow")},
    }
    write_text_atomically(study.directory / "model.json", json.dumps(about, indent=2) + "\n")


def _save_outcome(directory: Path, winner: TrialRecord, outcome: RefitOutcome) -> None:
    with atomically(directory / _SAVED) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            trial=winner.number,
            seed=winner.attributes["seed"],
            **asdict(outcome),
            allow_pickle=False,
        )


def _load_outcome(directory: Path, winner: TrialRecord) -> RefitOutcome | None:
    path = directory / _SAVED
    if not path.exists() or not (directory / "model.keras").exists():
        return None
    with np.load(path, allow_pickle=False) as saved:
        if (saved["trial"], saved["seed"]) != (winner.number, winner.attributes["seed"]):
            return None
        return RefitOutcome(
            validation=saved["validation"],
            test_train_only=saved["test_train_only"],
            test=saved["test"],
            passes=float(saved["passes"]),
            updates=int(saved["updates"]),
            seconds=float(saved["seconds"]),
        )
