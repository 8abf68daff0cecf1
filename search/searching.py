"""The search itself: the study in the database, and workers until it has the trials asked for."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from joblib.externals.loky import get_reusable_executor
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import TrialState

from objectives.errors import InputError
from objectives.messages import Compute, ForecastTask
from search.budget import enough
from search.preparation import Preparation
from search.slots import slots_left, try_again
from search.study import Study
from search.worker import WorkerName, WorkOrder, work
from storage.records import StudyRecord, record_of_study

_LOOK_SECONDS = 0.5
_MOST_DEATHS = 5


class SearchInterruptedError(KeyboardInterrupt):
    """The user ended the search; what is finished is kept, and the same command goes on from there."""


@dataclass(frozen=True)
class Progress:
    """How far a search has come: `total` trials are asked for, `seconds` have passed in this run."""

    record: StudyRecord
    total: int
    seconds: float
    metric: str


def open_study(storage: RDBStorage, study: Study, preparation: Preparation) -> optuna.Study:
    """Create the study, or find it and make sure that it is the same one.

    Raises:
        InputError: it exists with another configuration or other data; the message says what differs.
    """
    identity = {
        **study.identity(),
        "data_fingerprint": preparation.dataset.fingerprint,
        "target_hash": preparation.target_hash,
    }
    try:
        found = optuna.create_study(
            study_name=study.study.name, storage=storage, direction="minimize"
        )
    except optuna.exceptions.DuplicatedStudyError:
        found = optuna.load_study(study_name=study.study.name, storage=storage)
        _check_same(found, identity)
        return found
    for point in study.study.enqueue:
        found.enqueue_trial(point)
    with _experimental():
        found.set_metric_names([f"validation {study.training.metric}"])
    found.set_user_attr("identity", identity)
    return found


def _check_same(found: optuna.Study, identity: dict[str, Any]) -> None:
    stored = found.user_attrs.get("identity")
    name = found.study_name
    if stored is None:
        raise InputError(
            f"study {name!r} is in the database but was not made by lstm-search; choose another "
            "name with --name"
        )
    differences = list(_differences(stored, identity))
    if differences:
        raise InputError(
            f"study {name!r} exists with another configuration: {'; '.join(differences)}. Choose "
            f"another name with --name, or remove it with `lstm-search delete {name}`"
        )


def _differences(stored: Any, now: Any, path: tuple[str, ...] = ()) -> list[str]:
    if isinstance(stored, dict) and isinstance(now, dict):
        keys = [*stored, *(key for key in now if key not in stored)]
        return [
            line
            for key in keys
            for line in _differences(stored.get(key), now.get(key), (*path, key))
        ]
    if stored == now:
        return []
    if path == ("data_fingerprint",):
        return ["the data have changed"]
    if path == ("target_hash",):
        return ["the validation targets are others"]
    where = f"[{path[0]}] {'.'.join(path[1:])}"
    return [f"{where} was {_shown(stored)} and is now {_shown(now)}"]


def _shown(value: Any) -> str:
    return "not set" if value is None else f"{value!r}"


def search(
    study: Study,
    found: optuna.Study,
    task: ForecastTask,
    target_hash: str,
    compute: tuple[Compute, ...],
    watch: Callable[[Progress], None],
) -> None:
    """Run trials until the study has as many as it asked for, or its time is up.

    Raises:
        SearchInterruptedError: on Ctrl-C, once the running trials have ended and are queued again.
    """
    started = time.time()
    timeout = study.study.timeout
    stop = study.directory / f"stop_{os.getpid()}"
    stop.unlink(missing_ok=True)
    order = WorkOrder(
        study=study,
        storage_url=study.storage_url,
        task=task,
        target_hash=target_hash,
        compute=compute,
        deadline=None if timeout is None else started + timeout,
        stop=stop,
    )

    def look() -> None:
        watch(
            Progress(
                record_of_study(found), study.trials, time.time() - started, study.training.metric
            )
        )

    deaths = 0
    try:
        while not _time_is_up(order):
            if _slots_left(found, study):
                try:
                    _run_workers(order, look)
                except BrokenProcessPool:
                    deaths += 1
                    if deaths > _MOST_DEATHS:
                        raise
            elif found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                time.sleep(_LOOK_SECONDS)  # another run of this study has them
                look()
            else:
                break
    except KeyboardInterrupt:
        _stop_workers(stop, found, look)
        raise SearchInterruptedError(
            "interrupted; what is finished is kept: run the same command again to go on"
        ) from None
    finally:
        stop.unlink(missing_ok=True)
        _add_seconds(found, time.time() - started)
    look()


def _slots_left(found: optuna.Study, study: Study) -> int:
    """How many trials are to be begun, having queued again those whose worker is dead."""
    with _experimental():
        fail_stale_trials(found)
    requeue_orphans(found)
    trials = found.get_trials(deepcopy=False)
    return 0 if enough(trials, study.study) else slots_left(trials, study.trials)


@contextmanager
def _experimental() -> Iterator[None]:
    """Silence Optuna's notice that a function is experimental; the user did not choose it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _time_is_up(order: WorkOrder) -> bool:
    return order.deadline is not None and time.time() >= order.deadline


def _run_workers(order: WorkOrder, look: Callable[[], None]) -> None:
    workers = len(order.compute)
    executor = get_reusable_executor(max_workers=workers, timeout=None)
    pending: set[Future[None]] = {executor.submit(work, order, n) for n in range(workers)}
    while pending:
        done, pending = wait(pending, timeout=_LOOK_SECONDS)
        for future in done:
            future.result()
        look()


def _stop_workers(stop: Any, found: optuna.Study, look: Callable[[], None]) -> None:
    """End the search after the epochs that are running, or at once on a second Ctrl-C."""
    stop.touch()
    try:
        executor = get_reusable_executor(timeout=None)
        while _any_alive(found):
            look()
            time.sleep(_LOOK_SECONDS)
        executor.shutdown(wait=True)
    except KeyboardInterrupt:
        get_reusable_executor(timeout=None).shutdown(wait=True, kill_workers=True)
    requeue_orphans(found, lost=False)


def _any_alive(found: optuna.Study) -> bool:
    running = found.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return any(
        "worker" in trial.user_attrs and not WorkerName(*trial.user_attrs["worker"]).dead
        for trial in running
    )


def requeue_orphans(found: optuna.Study, *, lost: bool = True) -> None:
    """Fail the running trials of workers that are known to be dead, and queue them again."""
    for trial in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get("worker")
        if worker and WorkerName(*worker).dead:
            found._storage.set_trial_user_attr(trial._trial_id, "failure", "its worker died")
            found.tell(trial.number, state=TrialState.FAIL)
            try_again(found, trial, lost=lost)


def _add_seconds(found: optuna.Study, seconds: float) -> None:
    found.set_user_attr("search_seconds", found.user_attrs.get("search_seconds", 0.0) + seconds)
