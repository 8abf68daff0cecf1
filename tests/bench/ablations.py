"""What each part of a study adds to the winner's test score, and what random search reaches instead.

    python -m tests.bench.ablations [DATA_DIR] [SEEDS]

On the tasks of `quality.py`, for the first so many of its seeds (one by default). Most of it is made of
one search, that of runs/quality, which is run where it is missing: the winner as confirmation left it;
the search's best trial, the winner, and the mean of as many seeds of it as a study has members, each
retrained on train+validation; and the whole study, whose members are candidates. The winner is also
trained and retrained with levels for output, and without the linear skip path, which is to be held
against itself. Random sampling without a pruner gets as many seconds as the search took, and its best
trial is retrained. Studies lie in runs/quality and runs/ablations and are not run again. Printed, and
written to runs/benchmark-ablations.json, is each task's metric by seed and its median. These are test
scores: they explain the settings and must not choose them.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from objectives.objective import recorded_path, resolved_hyperparameters
from objectives.trials.messages import (
    ForecastRequest,
    ForecastTask,
    Member,
    RefitRequest,
    TrialRequest,
)
from objectives.trials.seeds import member_seeds
from objectives.trials.trial_process import run_in_process
from reports.files import write_text_atomically
from search.preparation import prepare, share_rows
from search.reporting.stored_forecasts import StoredForecasts, load_forecasts, scorer
from search.selection.confirmation import choose_winner
from search.selection.refitting import MODEL
from search.study import Study
from search.workers.weights import load_weights
from storage.artifacts import open_artifacts
from storage.database import open_storage
from storage.records import TrialRecord, record_of_study
from storage.studies import find_study
from tests.bench.outputs import AT_ONCE
from tests.bench.quality import RUNS, SEEDS, TASKS, Changes, Task, check_data, report_of, study_of

Weights = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Searched:
    """A study that has ended and been tested: what it forecast, and its winner with its weights."""

    scored: Task
    task: ForecastTask
    stored: StoredForecasts
    best: TrialRecord
    best_weights: Weights
    winner: TrialRecord
    winner_weights: Weights

    def refitted(self, trial: TrialRecord, weights: Weights, members: int = 1) -> float:
        """The test score of a trial that is retrained from so many seeds."""
        wanted, path = resolved_hyperparameters(trial.attributes), recorded_path(trial.attributes)
        seeds = member_seeds(trial.attributes["seed"], members)
        return self._score(weights, tuple(Member(wanted, seed, path) for seed in seeds))

    def changed(self, **changes: str) -> float:
        """The test score of the winner, trained and retrained with other hyperparameters."""
        wanted = replace(resolved_hyperparameters(self.winner.attributes), **changes)
        seed = self.winner.attributes["seed"]
        outcome = run_in_process(TrialRequest(self.task, wanted, seed), _always)
        epochs = outcome.epochs[: outcome.best_epoch]
        path = tuple((epoch.learning_rate, epoch.updates) for epoch in epochs)
        return self._score(outcome.weights, (Member(wanted, seed, path),))

    def _score(self, weights: Weights, members: tuple[Member, ...]) -> float:
        with TemporaryDirectory() as folder:
            run_in_process(RefitRequest(self.task, weights, Path(folder), members), _always)
            origins = self.task.split.test.origins
            request = ForecastRequest(Path(folder) / MODEL, self.task.rows, origins)
            forecast = run_in_process(request, _always).forecast
        found = scorer(self.stored.measure)(self.stored.truth, forecast)
        overall = {"test": found.data_units, "test_standardised": found.standardised}
        return self.scored.score({name: scores.overall for name, scores in overall.items()})


def main(arguments: list[str]) -> None:
    """Run what is missing, then write and print the results."""
    folder = Path(arguments[0]) if arguments else Path("../shared/data")
    seeds = SEEDS[: int(arguments[1]) if len(arguments) > 1 else 1]
    check_data(folder)
    results = {
        task.name: by_variant([scores(task, folder, seed) for seed in seeds]) for task in TASKS
    }
    path = RUNS / "benchmark-ablations.json"
    write_text_atomically(path, json.dumps(results, indent=2) + "\n")
    Console().print(table(results))


def scores(task: Task, folder: Path, seed: int) -> dict[str, float]:
    """The test score of each variant with one seed."""
    study = study_of(task, folder, "quality", seed)
    whole = report_of(study)
    parts = searched(task, study)
    settings = {"sampler": "random", "pruner": "none", "trials": 10_000}
    changes: Changes = {
        "study": {**settings, "timeout": whole["seconds"]["search"]},
        "confirm": {"candidates": 0},
        "final": {"members": 1},
    }
    random = report_of(study_of(task, folder, "ablations/random_search", seed, changes))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = {
            "best trial, refitted": pool.submit(parts.refitted, parts.best, parts.best_weights),
            "winner of the confirmation, refitted": pool.submit(
                parts.refitted, parts.winner, parts.winner_weights
            ),
            "… mean of as many seeds": pool.submit(
                parts.refitted, parts.winner, parts.winner_weights, study.final.members
            ),
            "… forecasting levels": pool.submit(parts.changed, output="level"),
            "… without the linear skip": pool.submit(parts.changed, skip="none"),
        }
    return {
        "winner before the refit": task.score(whole["train_only"]),
        **{name: future.result() for name, future in found.items()},
        "mean of candidates: the whole study": task.score(whole),
        "best trial of random search, refitted": task.score(random),
    }


def searched(scored: Task, study: Study) -> Searched:
    """Read what a study has left behind."""
    task = share_rows(prepare(study), study)
    storage, artifacts = open_storage(study.storage_url), open_artifacts(study.artifacts)
    found, stored = find_study(storage, study.study.name), load_forecasts(study.directory)
    best, chosen = record_of_study(found).best, choose_winner(storage, found)
    if stored is None or best is None or chosen is None:
        raise SystemExit(f"{study.directory}: remove it, it is not whole")
    first = load_weights(artifacts, found.get_trials(deepcopy=False)[best.number])
    last = load_weights(artifacts, chosen.study.get_trials(deepcopy=False)[chosen.run])
    if first is None or last is None:
        raise SystemExit(f"{study.directory}: remove it, weights are missing")
    return Searched(scored, task, stored, best, first, chosen.trial, last)


def _always(epoch: object) -> bool:
    del epoch
    return True


def by_variant(by_seed: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """For each variant the scores of all seeds and their median."""
    return {
        variant: {
            "median": median(found[variant] for found in by_seed),
            "all": [found[variant] for found in by_seed],
        }
        for variant in by_seed[0]
    }


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """A row for each variant, a column for each task."""
    found = Table("test score, median", *results)
    for variant in next(iter(results.values())):
        found.add_row(variant, *(f"{task[variant]['median']:.4g}" for task in results.values()))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
