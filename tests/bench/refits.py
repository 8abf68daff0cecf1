"""For how long the winner shall be trained on train+validation, measured without the test rows.

    python -m tests.bench.refits STUDY.toml [DATA.csv]

The study's rows are cut into two folds. A trial is trained on the first as ever; the refit joins the
first fold's training and validation rows, and is judged on the validation block of the second. Printed
is, by seed and as a mean, the error before the refit, after as many updates, after as many passes, and
of three members with as many updates (MSE in units of the training rows' deviation).
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from objectives.objective import replayed_path
from objectives.settings import FinalSettings, TrainingSettings
from objectives.split import Split
from objectives.trials.messages import (
    ForecastRequest,
    ForecastTask,
    Member,
    RefitRequest,
    TrialRequest,
)
from objectives.trials.seeds import member_seeds
from objectives.trials.trial_process import run_in_process
from objectives.windows import target_windows
from search.preparation import prepare, share_rows
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL
from search.study import load_study
from tests.bench.outputs import AT_ONCE, MIDDLING, SEEDS

RULES = {
    "same updates": FinalSettings(),
    "same epochs": FinalSettings(updates="same-epochs"),
    "same updates, three members": FinalSettings(members=3),
}


def main(arguments: list[str]) -> None:
    """Print the table for one study file."""
    path, *data = arguments
    changes = {"data": {"path": data[0]}} if data else {}
    with TemporaryDirectory() as folder:
        two = {"split": {"folds": 2}, "output": {"directory": folder}}
        study = load_study(Path(path), {**changes, **two})
        study.directory.mkdir(parents=True)
        task = share_rows(prepare(study), study)
        first, second = task.split.folds
        split = Split(
            first.train, first.validation, second.validation, task.split.horizon, task.split.stride
        )
        task = replace(task, split=split, training=TrainingSettings(epochs=20, patience=5))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda seed: errors(task, seed, Path(folder)), SEEDS))
        for name in found[0]:
            by_seed = [result[name] for result in found]
            print(f"{name} | {', '.join(f'{v:.5f}' for v in by_seed)} | {fmean(by_seed):.5f}")


def errors(task: ForecastTask, seed: int, folder: Path) -> dict[str, float]:
    """The error of the winner of one seed before the refit and after each kind of it."""
    outcome = run_in_process(TrialRequest(task, MIDDLING, seed), lambda _: True)
    epochs = outcome.epochs[: outcome.best_epoch]
    path = tuple((epoch.learning_rate, epoch.updates) for epoch in epochs)
    windows = len(task.split.train_and_validation().origins)
    updates = task.training.updates_an_epoch(windows, MIDDLING.batch_size)
    found = {}
    for name, final in RULES.items():
        directory = folder / f"{seed} {name}"
        directory.mkdir()
        replayed = replayed_path(path, final, updates)
        members = tuple(
            Member(MIDDLING, each, replayed) for each in member_seeds(seed, final.members)
        )
        request = RefitRequest(task, outcome.weights, directory, members)
        run_in_process(request, lambda _: True)
        found.setdefault("before", error(task, directory / TRAIN_ONLY_MODEL))
        found[name] = error(task, directory / MODEL)
    return found


def error(task: ForecastTask, model: Path) -> float:
    """A saved model's mean squared error on the block that it has not seen."""
    rows, split = task.load_rows(), task.split
    origins = split.test.origins
    forecast = run_in_process(ForecastRequest(model, task.rows, origins), lambda _: True).forecast
    truth = target_windows(rows, origins, split.horizon, task.targets)
    unit = rows[: split.train.end, : task.targets].std(axis=0)
    return float(np.mean(((forecast - truth) / unit) ** 2))


if __name__ == "__main__":
    main(sys.argv[1:])
