"""A worker: long-lived, free of TensorFlow, the only one that talks to the database.

It asks for a trial, has it trained in a process of its own, and tells the study what came of it.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import optuna
from optuna.artifacts._protocol import ArtifactStore
from optuna.exceptions import OptunaError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from objectives.checkpoint import remove_checkpoint
from objectives.errors import InputError
from objectives.messages import Checkpointing, Compute, TrialOutcome
from objectives.objective import InterruptedTrialError, Objective
from objectives.pruning import GlancingPruner, make_pruner
from objectives.trial_process import LostTrialError, TrialFailedError
from search.budget import has_enough, shared_settings
from search.confirmed import CONFIRMS, SEED
from search.environment import ENVIRONMENT, environment
from search.samplers import SlotSampler, make_sampler
from search.slots import count_slots, find_slot, seed_of, try_again
from search.study import AnyStudy
from search.tasks import Task
from search.trial_files import Destination, describe_trial
from search.weights import save_outcome
from search.worker_name import WorkerName
from storage.artifacts import artifact_folder, open_artifacts
from storage.database import NO_SIGN_OF_LIFE, Database, Heartbeat, open_storage
from storage.errors import StorageError
from storage.outage import outlast, passing
from storage.records import find_study
from storage.turn import wait_for_turn

_HOLD_SECONDS = 0.5  # for samplers and pruners; what is counted is read anew


@dataclass(frozen=True)
class WorkOrder:
    """What a worker needs to know.

    `storage_url` may hold a password and is neither stored nor printed. `compute` has an entry for each
    worker; `artifacts` is where weights are kept, None where the worker reaches no such place. No trial
    goes on once the file `stop` exists.
    """

    study: AnyStudy
    storage_url: str = field(repr=False)
    task: Task
    target_hash: str
    compute: tuple[Compute, ...]
    artifacts: str | None
    stop: Path


class _LeftRunningError(BaseException):
    """Takes a database's error past Optuna, which would store that the trial had failed.

    The trial stays running without signs of life, and is tried again as that of a dead worker is.
    """


def work(order: WorkOrder, number: int) -> None:
    """Run trials as worker `number` until the study has all, the time is up, or a stop is asked."""
    with _listening(order.stop) as stop:
        _work(order, number, stop)


def _work(order: WorkOrder, number: int, stop: Callable[[], str | None]) -> None:
    _write_errors_to(order.study.directory / "logs")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    worker = WorkerName.mine()
    settings = order.study.study
    storage = open_storage(order.storage_url, heartbeat=heartbeat(settings.grace_period))
    turn = ExitStack()  # given back once a trial exists, or at the end of the block
    sampler = SlotSampler(
        settings.seed,
        lambda seed: make_sampler(
            settings.sampler, order.study.space, len(order.compute), settings.seed, seed
        ),
        find_slot=lambda study, trial: find_slot(study, storage, trial),
        began=lambda: turn.close(),  # noqa: PLW0108  (each trial has a turn of its own)
    )
    epochs = order.study.training.epochs
    pruner = GlancingPruner(make_pruner(settings.pruner, epochs, order.study.split.folds or 1))
    study = find_study(storage, settings.name, sampler, pruner, _HOLD_SECONDS)
    objective = _objective(order, storage, order.compute[number], stop, lambda: sampler.slot)

    begun: list[int] = []

    def run(trial: optuna.Trial) -> float:
        begun.append(trial._trial_id)
        facts = {"worker": list(worker), ENVIRONMENT: environment(order.compute[number])}
        storage.set_trial_user_attrs(trial._trial_id, facts)
        try:
            return objective(trial)
        except InterruptedTrialError:
            outlast(lambda: try_again(study, _frozen(trial), lost=False))
            raise
        except LostTrialError:
            if not outlast(lambda: try_again(study, _frozen(trial))):
                remove_checkpoint(_checkpoint_path(order, sampler.slot))
            raise
        except TrialFailedError as error:
            if getattr(error, "__notes__", None):
                print(*error.__notes__, sep="\n", flush=True)
            raise
        except (SQLAlchemyError, StorageInternalError) as error:
            raise _LeftRunningError from error

    while not stop():
        try:
            if not order.task.rows.exists():
                raise InputError(f"{order.task.rows}: is gone; the same command makes it again")
            now = shared_settings(study, settings)
            slots = count_slots(study, storage, now.trials)
            turn = wait_for_turn(storage, now.name, worker.text) if slots.scarce else ExitStack()
            with turn:
                if slots.scarce:
                    slots = count_slots(study, storage, now.trials)
                if not slots.left or has_enough(study, now):
                    break
                study.optimize(run, n_trials=1, catch=(TrialFailedError,))
        except (OptunaError, ValueError, AssertionError, _LeftRunningError) as error:
            # Optuna tells the end of a trial that others have declared dead by any of the first three.
            cause = _database_error_in(error)
            if not (passing(cause) or (begun and _declared_dead(storage, begun[-1]))):
                raise cause from None
            print(f"trial was given up: {cause}", flush=True)


def heartbeat(grace_period: int) -> Heartbeat:
    """Signs of life, five at least in each grace period (seconds)."""
    return Heartbeat(min(60, grace_period // 5), grace_period, on_stale_trial)


def _database_error_in(error: BaseException) -> BaseException:
    """What the database said where a trial was left running, or could not be told; else the error."""
    if isinstance(error, _LeftRunningError):
        return error.__cause__ or error
    # Optuna's own assertion takes the place of the error of a trial that could not be told.
    told = error.__context__ if isinstance(error, AssertionError) else None
    return told if isinstance(told, SQLAlchemyError | StorageInternalError) else error


def _declared_dead(storage: RDBStorage, trial_id: int) -> bool:
    """Whether another worker failed this trial, for want of signs of life, and has queued it again.

    So it is where a process was stopped for a while, or a machine slept.
    """
    trial = storage.get_trial(trial_id)
    failure = str(trial.user_attrs.get("failure", ""))
    return trial.state == TrialState.FAIL and failure.startswith(NO_SIGN_OF_LIFE)


def _objective(
    order: WorkOrder,
    storage: Database,
    compute: Compute,
    stop: Callable[[], str | None],
    slot: Callable[[], int],
) -> Objective:
    """What trains one trial after another; `slot` tells that of the current one."""
    settings = order.study.study
    store = None
    if order.artifacts is not None:
        store = open_artifacts(order.artifacts, check=False)
    destination = Destination(storage, store)
    return Objective(
        task=order.task,
        space=order.study.space,
        target_hash=order.target_hash,
        seed_of=lambda trial: (
            trial.user_attrs[SEED]
            if SEED in trial.user_attrs
            else seed_of(settings.seed, slot(), "training")
        ),
        compute=compute,
        patience=settings.grace_period,
        stop=stop,
        keep=lambda trial, outcome: _keep_if_best(order, store, trial, outcome),
        checkpoint=lambda trial: Checkpointing(
            _checkpoint_path(order, slot()), settings.checkpoint_seconds
        ),
        note=lambda trial, facts: storage.set_trial_user_attrs(trial._trial_id, facts),
        describe=lambda trial, ended: describe_trial(
            order.study, order.task, destination, trial, ended
        ),
    )


def _checkpoint_path(order: WorkOrder, slot: int) -> Path:
    """Beside the artifacts, where other machines may find it too, or else on this machine."""
    shared = None if order.artifacts is None else artifact_folder(order.artifacts)
    folder = order.study.directory if shared is None else shared / order.study.study.name
    return folder / "checkpoints" / f"slot_{slot}.npz"


def reachable(artifacts: str) -> str | None:
    """A location of artifacts if this machine reaches it, None where it is a folder of another's."""
    folder = artifact_folder(artifacts)
    return artifacts if folder is None or folder.is_dir() else None


def _frozen(trial: optuna.Trial) -> FrozenTrial:
    found: FrozenTrial = trial.study._storage.get_trial(trial._trial_id)
    return found


def _keep_if_best(
    order: WorkOrder, store: ArtifactStore | None, trial: optuna.Trial, outcome: TrialOutcome
) -> None:
    """Keep the weights of a trial that nobody has beaten yet, and of every run of a confirmation.

    The winner is always among these.

    Where they cannot be written the trial stands all the same: its seed can make them again.
    """
    metric = order.study.training.metric
    value = outcome.value(metric)
    trials = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    beaten = any(other.value is not None and other.value < value for other in trials)
    if store is None or (beaten and CONFIRMS not in trial.user_attrs):
        return
    try:
        save_outcome(store, trial, outcome)
    except StorageError as error:
        trial.set_user_attr("artifact_failure", str(error))


def on_stale_trial(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial again whose worker gave no sign of life for too long."""
    try_again(study, trial)


@contextmanager
def _listening(stop: Path) -> Iterator[Callable[[], str | None]]:
    """Turn signals and the stop file into a question that is asked between epochs and trials."""
    asked: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(f"interrupted by {signal.Signals(number).name}")

    signal.signal(signal.SIGINT, note)
    before = signal.signal(signal.SIGTERM, note)
    parent = os.getppid()

    def reason() -> str | None:
        if stop.exists():
            return "interrupted"
        if os.getppid() != parent:
            return "interrupted: the run that started this worker is gone"
        return asked[0] if asked else None

    try:
        yield reason
    finally:
        signal.signal(signal.SIGTERM, before)


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
