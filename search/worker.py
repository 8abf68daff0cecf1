"""A worker: long-lived, free of TensorFlow, the only one that talks to the database.

It asks for a trial, has it trained in a process of its own, and tells the study what came of it.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from objectives.messages import Compute, ForecastTask, TrialOutcome
from objectives.objective import InterruptedTrialError, Objective
from objectives.pruning import make_pruner
from objectives.trial_process import LostTrialError, TrialFailedError
from search.budget import enough
from search.samplers import SlotSampler, make_sampler
from search.slots import seed_of, slot_of, slots_left, try_again
from search.study import Study
from search.weights import save_weights
from storage.database import Heartbeat, open_storage
from storage.turn import give_back, wait_for_turn


@dataclass(frozen=True)
class WorkOrder:
    """What a worker needs to know.

    `storage_url` may hold a password and is never stored. No trial is begun after `deadline` (seconds
    since 1970), and none goes on once the file `stop` exists. `compute` has an entry for each worker.
    """

    study: Study
    storage_url: str
    task: ForecastTask
    target_hash: str
    compute: tuple[Compute, ...]
    deadline: float | None
    stop: Path


class WorkerName(NamedTuple):
    """Who runs a trial: a process, told apart from a later one with the same number by its birth."""

    host: str
    pid: int
    born: float

    @classmethod
    def mine(cls) -> "WorkerName":
        """This process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended: it was on this machine and is here no more."""
        if self.host != socket.gethostname():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) > 1.0
        except psutil.NoSuchProcess:
            return True


def work(order: WorkOrder, number: int) -> None:
    """Run trials as worker `number` until the study has all, the time is up, or a stop is asked."""
    _write_errors_to(order.study.directory / "logs")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's warnings drown the rest
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    stop = _listen(order.stop)
    worker = WorkerName.mine()
    holder = ":".join(str(part) for part in worker)
    settings = order.study.study
    storage = open_storage(order.storage_url, heartbeat=Heartbeat(on_stale=on_stale_trial))
    sampler = SlotSampler(
        settings.seed,
        lambda seed: make_sampler(
            settings.sampler, order.study.space, len(order.compute), settings.seed, seed
        ),
        began=lambda: give_back(storage, settings.name, holder),
    )
    pruner = make_pruner(settings.pruner, order.study.training.epochs)
    study = optuna.load_study(
        study_name=settings.name, storage=storage, sampler=sampler, pruner=pruner
    )
    objective = _objective(order, order.compute[number], stop)

    def run(trial: optuna.Trial) -> float:
        trial.set_user_attr("worker", list(worker))
        try:
            return objective(trial)
        except InterruptedTrialError:
            try_again(study, _frozen(trial), lost=False)
            raise
        except LostTrialError:
            try_again(study, _frozen(trial))
            raise
        except TrialFailedError as error:
            if getattr(error, "__notes__", None):
                print(*error.__notes__, sep="\n", flush=True)
            raise

    while not stop() and (order.deadline is None or time.time() < order.deadline):
        with wait_for_turn(storage, settings.name, holder):
            trials = study.get_trials(deepcopy=False)
            if enough(trials, settings) or not slots_left(trials, order.study.trials):
                break
            study.optimize(run, n_trials=1, catch=(TrialFailedError,))


def _objective(order: WorkOrder, compute: Compute, stop: Callable[[], str | None]) -> Objective:
    seed = order.study.study.seed
    return Objective(
        task=order.task,
        space=order.study.space,
        target_hash=order.target_hash,
        seed_of=lambda trial: seed_of(
            seed, slot_of(_frozen(trial), trial.study.get_trials(deepcopy=False)), "training"
        ),
        compute=compute,
        stop=stop,
        keep=lambda trial, outcome: _keep_if_best(order, trial, outcome),
    )


def _frozen(trial: optuna.Trial) -> FrozenTrial:
    found: FrozenTrial = trial.study._storage.get_trial(trial._trial_id)
    return found


def _keep_if_best(order: WorkOrder, trial: optuna.Trial, outcome: TrialOutcome) -> None:
    """Keep the weights of a trial that nobody has beaten yet; the winner is always among these."""
    metric = order.study.training.metric
    value = outcome.epochs[outcome.best_epoch - 1].metrics[metric]
    trials = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if all(other.value is None or value <= other.value for other in trials):
        save_weights(order.study.directory, trial.number, outcome.weights)


def on_stale_trial(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial again whose worker gave no sign of life for too long."""
    try_again(study, trial)


def _listen(stop: Path) -> Callable[[], str | None]:
    """Turn signals and the stop file into a question that is asked between epochs and trials."""
    asked: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(f"interrupted by {signal.Signals(number).name}")

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    parent = os.getppid()

    def reason() -> str | None:
        if stop.exists():
            return "interrupted"
        if os.getppid() != parent:
            return "interrupted: the run that started this worker is gone"
        return asked[0] if asked else None

    return reason


def _write_errors_to(directory: Path) -> None:
    """Send what this worker and its trial processes print to a file, off the user's terminal."""
    with suppress(OSError):
        directory.mkdir(exist_ok=True)
        log = os.open(
            directory / f"worker_{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
