"""Looking after a database: is it well, is its schema the newest, and studies moved to another one."""

import copy
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Column, Integer, MetaData, Table, text

from storage.artifacts import LOCATION, absolute_location, artifacts_of, copied_artifacts
from storage.database import Database, open_storage
from storage.errors import StorageError, database_errors
from storage.models import copy_models
from storage.notes import moved_notes
from storage.retries import replaced, retry_of
from storage.studies import confirmation_name, study_names

_WRITES = 5
CONNECTIONS_A_WORKER = 2  # one for the trial and one for its heartbeat

_metadata = MetaData()
_probe = Table(
    "lstm_search_probe", _metadata, Column("number", Integer, primary_key=True, autoincrement=False)
)
_ALLOWED = {
    "postgresql": "SELECT setting FROM pg_settings WHERE name = 'max_connections'",
    "mysql": "SELECT @@max_connections",
}
_USED = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL",
    "mysql": "SELECT count(*) FROM information_schema.processlist",
}
for _each in (_ALLOWED, _USED):
    _each["mariadb"] = _each["mysql"]


@dataclass(frozen=True)
class Health:
    """What was found in a database that answers.

    `server` is its kind and version, `schema` the version of Optuna's tables and `newest_schema` the one
    that this Optuna knows; `write_seconds` the median time of a small committed write;
    `connections_allowed` and `connections_used` are None for a file.
    """

    server: str
    schema: str
    newest_schema: str
    studies: int
    write_seconds: float
    connections_allowed: int | None
    connections_used: int | None

    @property
    def up_to_date(self) -> bool:
        """Whether the schema is the newest."""
        return self.schema == self.newest_schema

    @property
    def most_workers(self) -> int | None:
        """How many more workers its connections suffice for, None without a limit."""
        if self.connections_allowed is None or self.connections_used is None:
            return None
        return max(0, self.connections_allowed - self.connections_used) // CONNECTIONS_A_WORKER


def examine(url: str) -> Health:
    """Open a database, whatever its schema's version, and measure it with a table made for that.

    Optuna's tables are made where there are none, as a search would.

    Raises:
        StorageError: it cannot be opened or written to.
    """
    storage = open_storage(url, any_schema=True)
    with database_errors("cannot examine the database"):
        engine = storage.engine
        with engine.begin() as connection:
            kind = connection.dialect.name
            version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
            allowed, used = (
                int(connection.execute(text(queries[kind])).scalar_one())
                if kind in queries
                else None
                for queries in (_ALLOWED, _USED)
            )
        found = Health(
            server=f"{kind} {version}".strip(),
            schema=storage.get_current_version(),
            newest_schema=storage.get_head_version(),
            studies=len(study_names(storage)),
            write_seconds=_write_seconds(storage),
            connections_allowed=allowed,
            connections_used=used,
        )
        engine.dispose()
    return found


def _write_seconds(storage: RDBStorage) -> float:
    engine = storage.engine
    _metadata.create_all(engine)
    try:
        taken = []
        for number in range(_WRITES):
            started = time.perf_counter()
            with engine.begin() as connection:
                connection.execute(_probe.insert().values(number=number))
            taken.append(time.perf_counter() - started)
        return median(taken)
    finally:
        _metadata.drop_all(engine)


def upgrade(url: str) -> tuple[str, str]:
    """Bring the schema to the newest version; gives the version before and after.

    Raises:
        StorageError: the database cannot be opened or changed.
    """
    storage = open_storage(url, any_schema=True)
    with database_errors("cannot upgrade the database"):
        before = storage.get_current_version()
        storage.upgrade()
        return before, storage.get_current_version()


def copy_studies(
    source: RDBStorage, target: Database, names: tuple[str, ...], artifacts: str | None = None
) -> int:
    """Copy studies with their trials, attributes and registered models; none where one cannot be.

    Trials that are running have failed in the copy, where nobody would ever end them, and are queued
    again. They keep their places: retries, slots and seeds go by the trials' numbers.

    Args:
        source: where they are.
        target: where they are to be.
        names: those to copy.
        artifacts: the location to which their artifacts are copied under the same ids; None to leave
            them where they are, for the copies to link too.

    Returns:
        How many trials were copied, those of confirmations and those queued again not counted.

    Raises:
        StorageError: a study is missing in `source`, exists in `target`, or a database does not answer;
            or an artifact cannot be copied, or `target` does not tell a study from another, which leaves
            out that study and those after it.
    """
    location = None if artifacts is None else absolute_location(artifacts)
    with database_errors("cannot copy the studies"):
        known, taken = (
            {study.study_name for study in storage.get_all_studies()}
            for storage in (source, target)
        )
        for name in names:
            if name not in known:
                raise StorageError(f"there is no study {name!r} in the database to copy from")
            if name in taken:
                raise StorageError(
                    f"there is a study {name!r} in the database to copy to already; delete it there "
                    "first, or name the studies to copy"
                )
        with_runs = [each for name in names for each in (name, confirmation_name(name))]
        copied = {n: _copy(source, target, n, location) for n in with_runs if n in known}
    return sum(copied[name] for name in names)


def _copy(source: RDBStorage, target: Database, name: str, location: str | None) -> int:
    original = optuna.load_study(study_name=name, storage=source)
    trials = original.get_trials(deepcopy=False)
    moved = {} if location is None else {LOCATION: location}
    with _copied_files(original, trials, location):
        study = _created(target, name, original)
        try:
            for key, value in {**original.user_attrs, **moved}.items():
                study.set_user_attr(key, value)
            study.add_trials([_ended(trial) for trial in trials])
            copies = study.get_trials(deepcopy=False)
            ids = {old._trial_id: new._trial_id for old, new in zip(trials, copies, strict=True)}
            study.add_trials(_retries(trials))
            own = source.get_study_system_attrs(original._study_id)
            if own:
                target.set_study_system_attrs(study._study_id, moved_notes(own, ids))
            copy_models(source, target, name)
        except BaseException:
            target.delete_study(study._study_id)
            raise
    return len(trials)


def _created(target: Database, name: str, original: optuna.Study) -> optuna.Study:
    try:
        return optuna.create_study(study_name=name, storage=target, directions=original.directions)
    except DuplicatedStudyError:
        raise StorageError(
            f"the database to copy to does not tell {name!r} from another study (MySQL passes over "
            "case); copy one of the two only, with `storage copy` and names"
        ) from None


def _ended(trial: FrozenTrial) -> FrozenTrial:
    """The trial, failed where it is running."""
    if trial.state != TrialState.RUNNING:
        return trial
    failed = copy.copy(trial)
    failed.state, failed.datetime_complete = TrialState.FAIL, datetime.now()
    failed.user_attrs = {**trial.user_attrs, "failure": "was running when it was copied"}
    return failed


def _retries(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """What queues the running trials again, but for those that have been already."""
    gone = replaced(trials)
    return [
        retry_of(trial, trials, lost=False)
        for trial in trials
        if trial.state == TrialState.RUNNING and trial.number not in gone
    ]


def _copied_files(
    original: optuna.Study, trials: list[FrozenTrial], location: str | None
) -> AbstractContextManager[None]:
    """The study's artifacts copied to `location`, for good if the block succeeds."""
    artifacts = artifacts_of(original, trials)
    if location is None or not artifacts:
        return nullcontext()
    recorded = original.user_attrs.get(LOCATION)
    if recorded is None:
        raise StorageError(
            f"study {original.study_name!r} does not say where its artifacts are; leave them there"
        )
    return copied_artifacts(artifacts, recorded, location)


def back_up(url: str, file: Path) -> int:
    """Copy every study of a database into a new SQLite file; gives the number of studies.

    Artifacts stay where they are, for the backup to link too.

    Raises:
        StorageError: the file exists, or a database cannot be used.
    """
    if file.exists():
        raise StorageError(f"{file} exists already; name a new file")
    unfinished = file.with_name(f"unfinished_{file.name}")
    source = open_storage(url)
    try:
        target = open_storage(f"sqlite:///{unfinished}")
        names = study_names(source)
        copy_studies(source, target, names)
        target.remove_session()
        target.engine.dispose()  # the last connection brings everything into the one file
        unfinished.replace(file)
    finally:
        for left in unfinished.parent.glob(f"{unfinished.name}*"):
            left.unlink()
    return len(names)


def restore(file: Path, url: str) -> int:
    """Copy every study of a backup into a database; gives the number of studies.

    Raises:
        StorageError: there is no such file, a study exists in the database, or it cannot be used.
    """
    if not file.exists():
        raise StorageError(f"there is no backup {file}")
    source = open_storage(f"sqlite:///{file}")
    names = study_names(source)
    copy_studies(source, open_storage(url), names)
    return len(names)
