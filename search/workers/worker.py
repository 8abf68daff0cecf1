"""A worker: long-lived, free of TensorFlow, the only one that talks to the database.

It asks for a trial, has it trained in a process of its own, and tells the study what came of it.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts._protocol import ArtifactStore
from optuna.exceptions import OptunaError, StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from objectives.errors import InputError
from objectives.objective import InterruptedTrialError, Objective
from objectives.search_space.pruning import GlancingPruner, make_pruner
from objectives.trials.checkpoint import remove_checkpoint
from objectives.trials.messages import Checkpointing, Compute, Task, TrialOutcome
from objectives.trials.trial_process import LostTrialError, TrialFailedError
from search.selection.confirmed import CONFIRMS, SEED
from search.study import AnyStudy
from search.workers.budget import has_enough, shared_settings
from search.workers.environment import ENVIRONMENT, environment
from search.workers.orphans import WORKER_DIED
from search.workers.samplers import SlotSampler, make_sampler
from search.workers.slots import count_slots, find_slot, seed_of, try_again
from search.workers.trial_files import Destination, describe_trial
from search.workers.weights import save_outcome
from search.workers.worker_name import WorkerName
from search.workers.worker_process import listening, write_errors_to
from storage.artifacts import artifact_folder, open_artifacts
from storage.database import NO_SIGN_OF_LIFE, Database, Heartbeat, open_storage
from storage.errors import StorageError
from storage.outage import outlast, passing
from storage.studies import find_study
from storage.turn import wait_for_turn

_OF_OPTUNA = (AssertionError, UnboundLocalError)  # take the place of what could not be told
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


@dataclass(frozen=True)
class _Station:
    """What a worker has at hand for one trial after another.

    `turn` is held until a trial exists that others must count. `facts` are stored with every trial, and
    `begun` are the trials' ids in the database.
    """

    order: WorkOrder
    storage: Database
    study: optuna.Study
    sampler: SlotSampler
    objective: Objective
    turn: ExitStack
    facts: Mapping[str, Any]
    begun: list[int] = field(default_factory=list)


def work(order: WorkOrder, number: int) -> None:
    """Run trials as worker `number` until the study has all, the time is up, or a stop is asked."""
    with listening(order.stop) as stop:
        write_errors_to(order.study.directory / "logs")
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        worker = WorkerName.mine()
        station = _station(order, number, worker, stop)
        while not stop():
            try:
                if not _another_trial(station, worker):
                    break
            except (*_OF_OPTUNA, OptunaError, ValueError, _LeftRunningError) as error:
                _give_up(station, error)


def _station(
    order: WorkOrder, number: int, worker: WorkerName, stop: Callable[[], str | None]
) -> _Station:
    settings = order.study.study
    storage = open_storage(order.storage_url, heartbeat=heartbeat(settings.grace_period))
    turn, compute = ExitStack(), order.compute[number]
    sampler = SlotSampler(
        settings.seed,
        lambda seed: make_sampler(
            settings.sampler, order.study.space, len(order.compute), settings.seed, seed
        ),
        find_slot=lambda study, trial: find_slot(study, storage, trial),
        began=turn.close,
    )
    epochs = order.study.training.epochs
    pruner = GlancingPruner(make_pruner(settings.pruner, epochs, order.study.split.folds or 1))
    return _Station(
        order=order,
        storage=storage,
        study=find_study(storage, settings.name, sampler, pruner, _HOLD_SECONDS),
        sampler=sampler,
        objective=_objective(order, storage, compute, stop, lambda: sampler.slot),
        turn=turn,
        facts={"worker": list(worker), ENVIRONMENT: environment(compute)},
    )


def _another_trial(station: _Station, worker: WorkerName) -> bool:
    """Run a trial, unless the study needs no more of them; returns whether it did.

    Raises:
        InputError: the rows that trials read are gone.
    """
    order, study = station.order, station.study
    if not order.task.rows.exists():
        raise InputError(f"{order.task.rows}: is gone; the same command makes it again")
    now = shared_settings(study, order.study.study)
    slots = count_slots(study, station.storage, now.trials)
    with station.turn as turn:
        if slots.scarce:
            turn.enter_context(wait_for_turn(station.storage, now.name, worker.text))
            slots = count_slots(study, station.storage, now.trials)
        if not slots.left or has_enough(study, now):
            return False
        study.optimize(partial(_train, station), n_trials=1, catch=(TrialFailedError,))
    return True


def _train(station: _Station, trial: optuna.Trial) -> float:
    """Carry a trial out, and queue it again where it was lost or interrupted."""
    station.begun.append(trial._trial_id)
    station.storage.set_trial_user_attrs(trial._trial_id, station.facts)
    try:
        return station.objective(trial)
    except InterruptedTrialError:
        outlast(lambda: try_again(station.study, _frozen(trial), lost=False))
        raise
    except LostTrialError:
        if not outlast(lambda: try_again(station.study, _frozen(trial))):
            remove_checkpoint(_checkpoint_path(station.order, station.sampler.slot))
        raise
    except TrialFailedError as error:
        if getattr(error, "__notes__", None):
            print(*error.__notes__, sep="\n", flush=True)
        raise
    except (SQLAlchemyError, StorageInternalError) as error:
        raise _LeftRunningError from error


def _give_up(station: _Station, error: BaseException) -> None:
    """Go on after an error that passes or that only says that others have declared the trial dead.

    Optuna tells the latter by its own error, a ValueError or an AssertionError.
    """
    cause, begun = _database_error_in(error), station.begun
    if not (passing(cause) or (begun and _declared_dead(station, begun[-1]))):
        if isinstance(cause, StorageInternalError):
            cause = cause.__cause__ or cause  # what tells the reason is lost between processes
        raise cause from None
    print(f"trial was given up: {cause}", flush=True)


def heartbeat(grace_period: int) -> Heartbeat:
    """Signs of life, five at least in each grace period (seconds)."""
    return Heartbeat(min(60, grace_period // 5), grace_period, on_stale_trial)


def _database_error_in(error: BaseException) -> BaseException:
    """What the database said where a trial was left running, or could not be told; else the error."""
    if isinstance(error, _LeftRunningError):
        return error.__cause__ or error
    told = error.__context__ if isinstance(error, _OF_OPTUNA) else None
    return (
        told if isinstance(told, SQLAlchemyError | StorageInternalError | StorageError) else error
    )


def _declared_dead(station: _Station, trial_id: int) -> bool:
    """Whether another process failed this trial, mostly for want of signs of life, to queue it again.

    So it is where a process was stopped for a while, or a machine slept.
    """
    trial = station.storage.get_trial(trial_id)
    reason = str(trial.user_attrs.get("failure", ""))
    return trial.state == TrialState.FAIL and reason.startswith((NO_SIGN_OF_LIFE, WORKER_DIED))


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
