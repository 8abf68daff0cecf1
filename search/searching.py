"""The search itself: the study in the database, and workers until it has the trials asked for."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection

from objectives.errors import InputError
from objectives.trials.messages import Compute, Task
from reports.counts import first_tries
from reports.wording import counted
from search.study import AnyStudy, ClassificationStudy
from search.tasks import AnyPreparation
from search.workers.budget import share_settings, shared_settings
from search.workers.engines import run_on_engine
from search.workers.interruption import interruptions_noted
from search.workers.local_workers import run_here
from search.workers.orphans import experimental
from search.workers.worker import WorkOrder
from search.workers.worker_name import WorkerName
from storage.database import Database
from storage.errors import StorageError
from storage.records import StudyRecord, record_of_study
from storage.retries import FIXED
from storage.studies import find_study, has_study
from storage.turn import wait_for_turn


class SearchInterruptedError(KeyboardInterrupt):
    """The user ended the search; what is finished is kept, and the same command goes on from there."""


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    `wanted` trials were asked for by the latest run, and `seconds` have passed in this one.
    """

    record: StudyRecord
    wanted: int
    seconds: float
    metric: str

    @property
    def total(self) -> int:
        """The trials that there will be: workers try every point, also one queued after all others."""
        return max(self.wanted, first_tries(self.record))


def open_study(storage: Database, study: AnyStudy, preparation: AnyPreparation) -> optuna.Study:
    """Create the study, or find it and make sure that it is the same one.

    Raises:
        InputError: it exists with another configuration or other data; the message says what differs.
            Or it has no room for the points that are to be tried.
    """
    name = study.study.name
    with experimental():
        optuna.create_study(
            study_name=name, storage=storage, direction="minimize", load_if_exists=True
        )
    found = find_study(storage, name)
    identity = identity_of(study, preparation)
    # Of two runs that begin at once, the second finds what the first has stored.
    with wait_for_turn(storage, name, WorkerName.mine().text), interruptions_noted():
        if "identity" in found.user_attrs:
            check_same(found, identity)
        else:
            _begin(found, study, identity)
        _enqueue(found, study)  # before workers elsewhere see that the study is begun
        share_settings(found, study)
        found.set_user_attr("confirm", study.confirm.model_dump())
        found.set_user_attr("data_path", _absolute(study.data.path))
        if isinstance(study, ClassificationStudy):
            found.set_user_attr("test_path", _absolute(study.data.test_path))
        found.set_user_attr("artifacts", study.artifacts)
    return found


def identity_of(study: AnyStudy, preparation: AnyPreparation) -> dict[str, Any]:
    """What two runs, or two machines, must share to work for one study."""
    return {
        **study.identity(),
        "data_fingerprint": preparation.fingerprint,
        "target_hash": preparation.target_hash,
    }


def _begin(found: optuna.Study, study: AnyStudy, identity: dict[str, Any]) -> None:
    if found.trials or found.direction != StudyDirection.MINIMIZE:
        raise InputError(
            f"study {found.study_name!r} is in the database but was not made by lstm-search; choose "
            "another name with --name"
        )
    found.set_user_attr("identity", identity)
    with experimental():
        found.set_metric_names([f"validation {study.training.metric}"])


def _enqueue(found: optuna.Study, study: AnyStudy) -> None:
    """Queue the points that no trial has, within the total: a run that goes on has queued its own."""
    if not study.study.enqueue:
        return
    trials = found.get_trials(deepcopy=False)
    known = [trial.system_attrs.get(FIXED, trial.params) for trial in trials]
    points = [point for point in study.study.enqueue if point not in known]
    begun = first_tries(record_of_study(found))
    if len(points) > max(0, study.trials - begun):
        raise InputError(
            f"[study] enqueue: {counted(len(points), 'point')} to try, but study {found.study_name!r} "
            f"has {begun} of its {counted(study.trials, 'trial')} already: raise trials, or go beyond "
            "them with `lstm-search enqueue`"
        )
    for point in points:
        found.enqueue_trial(point)


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def check_same(found: optuna.Study, identity: dict[str, Any]) -> None:
    """Make sure that a study is the one of this configuration and these data.

    Raises:
        InputError: says what differs.
    """
    name = found.study_name
    differences = list(_differences(found.user_attrs["identity"], identity))
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


@contextmanager
def deletion_told(storage: Database, name: str) -> Iterator[None]:
    """Say that a study was deleted where that is why a block fails, in whatever way it does.

    Raises:
        StorageError: the study is no longer in the database.
    """
    try:
        yield
    except Exception:
        there = True
        with suppress(StorageError):  # of a database that is gone the block's own error tells
            there = has_study(storage, name)
        if there:
            raise
        raise StorageError(f"study {name!r} was deleted while it ran") from None


def search(
    study: AnyStudy,
    found: optuna.Study,
    task: Task,
    target_hash: str,
    compute: tuple[Compute, ...],
    watch: Callable[[Progress], None],
) -> None:
    """Run trials until the study has as many as it asked for, or has had enough.

    Raises:
        SearchInterruptedError: on Ctrl-C, once the running trials have ended and are queued again.
    """
    started = time.monotonic()
    order = WorkOrder(
        study=study,
        storage_url=study.storage_url,
        task=task,
        target_hash=target_hash,
        compute=compute,
        artifacts=study.artifacts,
        stop=study.directory / f"stop_{os.getpid()}",
    )

    def look() -> None:
        wanted = shared_settings(found, study.study).trials
        seconds = time.monotonic() - started
        watch(Progress(record_of_study(found), wanted, seconds, study.training.metric))

    run_workers = run_here if study.study.backend == "local" else run_on_engine
    try:
        run_workers(order, found, look)
    except KeyboardInterrupt:
        raise SearchInterruptedError(
            "interrupted; what is finished is kept: run the same command again to go on"
        ) from None
    look()
