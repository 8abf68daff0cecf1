"""Joining a study that another machine has begun: the same workers, without the end of the job."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from objectives.errors import InputError
from search.preparation import make_directory
from search.searching import Progress, check_same, deletion_told, identity_of, search
from search.selection.confirmation import confirm
from search.selection.confirmed import SETTINGS as CONFIRM
from search.study import AnyStudy, make_study
from search.tasks import prepare_study, share_data
from search.workers.budget import SETTINGS
from search.workers.devices import plan_compute
from search.workers.processes import workers_ended
from search.workers.worker import heartbeat, reachable
from storage.artifacts import open_artifacts
from storage.database import Database, open_storage
from storage.errors import StorageError
from storage.studies import find_study

_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """What one machine contributes to a study.

    Attributes:
        data, test_data: its copies of the data file and of the official test set's, where that is one of
            its own; None for the paths that the study was begun with.
        directory: its folder for results.
        artifacts: as in the study file; None for where the study was begun, if that is reached here.
        workers, threads, share_gpu: as in the study file.
        wait: seconds for which the study may still be begun.
    """

    data: Path | None
    directory: Path
    test_data: Path | None = None
    artifacts: str | None = None
    workers: int | None = None
    threads: int | None = None
    share_gpu: bool = False
    wait: float = 0.0


def study_to_join(name: str, storage_url: str, place: Place) -> AnyStudy:
    """Read a study's configuration from its database and lay this machine's place over it.

    Raises:
        InputError: it was not made by lstm-search, or has no data file that this machine could read.
        storage.errors.StorageError: there is no such study, or the database cannot be used.
    """
    attributes = _wait_for(open_storage(storage_url), name, place.wait)
    sections: dict[str, Any] = {
        section: dict(values)
        for section, values in attributes["identity"].items()
        if isinstance(values, dict)
    }
    sections["data"] |= _data_paths(name, attributes, place)
    sections["study"] |= attributes[SETTINGS] | {
        "name": name,
        "storage": storage_url,
        "workers": place.workers,
        "threads": 1 if place.threads is None else place.threads,
        "share_gpu": place.share_gpu,
    }
    sections["output"] = {
        "directory": str(place.directory),
        "artifacts": place.artifacts or reachable(attributes["artifacts"]),
    }
    sections["confirm"] = attributes.get(CONFIRM, {})
    return make_study(sections, f"study {name!r}")


def _wait_for(storage: Database, name: str, seconds: float) -> dict[str, Any]:
    """The attributes of a study that is begun, or will be within so many seconds.

    Raises:
        InputError: it was not made by lstm-search.
        storage.errors.StorageError: there is no such study.
    """
    deadline = time.monotonic() + seconds
    while (attributes := _begun(storage, name)) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    if attributes is None:
        find_study(storage, name)  # says which studies there are
        raise InputError(
            f"study {name!r} was not begun by this version of lstm-search; begin it with "
            "`lstm-search run`"
        )
    return attributes


def _data_paths(name: str, attributes: Mapping[str, Any], place: Place) -> dict[str, str]:
    """The data's path on this machine, and that of the official test set where there is one."""
    path = str(place.data) if place.data else attributes["data_path"]
    if path is None:
        raise InputError(
            f"study {name!r} was begun with a table in memory; name its file with --data"
        )
    test_path = str(place.test_data) if place.test_data else attributes.get("test_path")
    return {"path": path} if test_path is None else {"path": path, "test_path": test_path}


def _begun(storage: Database, name: str) -> dict[str, Any] | None:
    """The attributes of a study that a run has begun, None before that."""
    try:
        attributes = find_study(storage, name).user_attrs
    except StorageError:
        return None
    return attributes if SETTINGS in attributes and "artifacts" in attributes else None


def join_study(study: AnyStudy, watch: Callable[[Progress], None]) -> None:
    """Work for a study until it has its trials, or has had enough, and its winner is confirmed.

    Args:
        study: as `study_to_join` gives it.
        watch: called about twice a second.

    Raises:
        InputError: this machine's data are not those of the study, or cannot be read.
        storage.errors.StorageError: the database or the place for artifacts cannot be used.
        search.searching.SearchInterruptedError: on Ctrl-C.
    """
    study, preparation = prepare_study(study)
    storage = open_storage(study.storage_url, heartbeat=heartbeat(study.study.grace_period))
    found = find_study(storage, study.study.name)
    check_same(found, identity_of(study, preparation))
    make_directory(study.directory)
    open_artifacts(study.artifacts)
    task = share_data(study, preparation)
    compute = plan_compute(study.study)

    def carry_out(study: AnyStudy, found: optuna.Study) -> None:
        search(study, found, task, preparation.target_hash, compute, watch)

    with workers_ended(), deletion_told(storage, study.study.name):
        carry_out(study, found)
        confirm(storage, study, found, carry_out)
