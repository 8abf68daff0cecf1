"""A worker that does all but train, for `database.py`: the work of the database is left."""

import math
import os
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from objectives import objective
from objectives.trials.messages import Epoch, FoldOutcome, TrialOutcome, TrialRequest
from search.workers.worker import WorkOrder, work
from storage.database import open_storage


def work_without_training(order: WorkOrder, number: int, begin: Barrier, ran: Path) -> None:
    """Work as `search.workers.worker.work` once all have come to `begin`; `ran` gets every seed."""
    seeds = (ran / str(os.getpid())).open("w", buffering=1)

    def train_nothing(
        request: TrialRequest, go_on: Callable[[Epoch], bool], *_: object
    ) -> TrialOutcome:
        print(request.seed, file=seeds)
        epochs = curve(request)
        for epoch in epochs:
            go_on(epoch)  # a trial given up goes on: every trial costs the same
        best = min(epochs, key=lambda epoch: epoch.metrics["mse"])
        return TrialOutcome(
            folds=(FoldOutcome(epochs, best.number),),
            stopped="epochs",
            weights=(np.zeros(8, np.float32),),
            parameters=4321,
            target_hash=order.target_hash,
            seconds={"load": 0.1, "build": 0.2, "trace": 0.3, "compile": 0.4, "steps": 5.6},
            peak_memory=700.0,
            resumed_from=0,
        )

    objective.run_in_process = train_nothing
    open_storage(order.storage_url).engine.dispose()  # what it imports takes a second of its own
    begin.wait()
    work(order, number)


def curve(request: TrialRequest) -> tuple[Epoch, ...]:
    """What the epochs of a trial might have been: a fall to a level that its hyperparameters decide."""
    wanted = request.hyperparameters
    noise = np.random.default_rng(request.seed).normal(size=request.task.training.epochs)
    floor = 0.02 + 0.01 * abs(math.log10(wanted.learning_rate / 2e-3)) + 0.01 * wanted.dropout
    return tuple(
        _epoch(number, floor * (1 + math.exp(-number / 3) + 0.02 * noise[number - 1]))
        for number in range(1, len(noise) + 1)
    )


def _epoch(number: int, value: float) -> Epoch:
    metrics = {"mse": value, "mae": 0.8 * math.sqrt(value), "rmse": math.sqrt(value)}
    return Epoch(number, 0.9 * value, metrics, learning_rate=1e-3, updates=120)
