"""The registry: exported bundles of each study, and which one of them is in production.

A table of our own beside Optuna's. That a study has one bundle in production at most is kept by the
database: `in_production` is 1 or NULL and unique within a study, and NULLs are not equal to each other.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
    delete,
    insert,
    inspect,
    select,
    table,
    update,
)
from sqlalchemy.exc import DatabaseError, IntegrityError

from storage.errors import StorageError, database_errors
from storage.local_time import local_time
from storage.outage import outlast
from storage.sqlite import reading

MODEL_TABLE = "lstm_search_models"
CANDIDATE, PRODUCTION, RETIRED = "candidate", "production", "retired"
_TRIES = 20  # of a transaction in whose way another one came

_metadata = MetaData()
_models = Table(
    MODEL_TABLE,
    _metadata,
    Column("study", String(512), primary_key=True),  # a name, since SQLite gives numbers twice
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("stage", String(16), nullable=False),
    Column("in_production", Integer),
    Column("path", Text, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Column("registered", DateTime, nullable=False),  # UTC, as is the next
    Column("changed", DateTime, nullable=False),
    UniqueConstraint("study", "in_production", name="lstm_search_one_in_production"),
    UniqueConstraint("study", "checksum", name="lstm_search_registered_once"),
)
_studies = table("studies", column("study_name", String))


@dataclass(frozen=True)
class RegisteredModel:
    """One exported bundle of a study.

    `version` counts from 1 within the study; `stage` is "candidate", "production" or "retired";
    `checksum` the SHA-256, in hexadecimal, of the bundle's SHA256SUMS, which names every file of it;
    `facts` what was known at export (trial, test scores); `registered` and `changed` (when it got its
    stage) are local times.
    """

    study: str
    version: int
    stage: str
    path: Path
    checksum: str
    facts: Mapping[str, Any]
    registered: datetime
    changed: datetime


def register_bundle(
    storage: RDBStorage, study_name: str, path: Path, checksum: str, facts: Mapping[str, Any]
) -> RegisteredModel:
    """Enter a bundle as a candidate; one that has been entered before stays as it was.

    Args:
        storage: As `open_storage` gives it.
        study_name: The study, which exists.
        path: The bundle's folder, which keeps its contents for good.
        checksum: The SHA-256 of its SHA256SUMS, in hexadecimal.
        facts: What a list of models shows; anything that JSON can hold.

    Raises:
        StorageError: There is no such study, or the database does not answer.
    """

    def enter(connection: Connection) -> None:
        _require_study(connection, study_name)
        found = connection.execute(_locked(study_name)).all()
        if any(row.checksum == checksum for row in found):
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        row = {
            "study": study_name,
            "version": max((row.version for row in found), default=0) + 1,
            "stage": CANDIDATE,
            "path": str(path.resolve()),
            "checksum": checksum,
            "facts": json.dumps(dict(facts)),
            "registered": now,
            "changed": now,
        }
        connection.execute(insert(_models).values(row))

    with database_errors(f"cannot register a bundle of study {study_name!r}"):
        _transact(storage.engine, enter)
    models = list_models(storage, study_name)
    return next(model for model in models if model.checksum == checksum)


def list_models(storage: RDBStorage, study_name: str | None = None) -> tuple[RegisteredModel, ...]:
    """Give the bundles of one study, or of all, by study and version.

    Raises:
        StorageError: There is no such study, or the database does not answer.
    """

    def look() -> tuple[RegisteredModel, ...]:
        with reading(), storage.engine.begin() as connection:
            known = select(_studies.c.study_name)
            query = select(_models).where(_models.c.study.in_(known))
            if study_name is not None:
                _require_study(connection, study_name)
                query = query.where(_models.c.study == study_name)
            if not inspect(connection).has_table(MODEL_TABLE):
                return ()  # who may only read cannot make it
            rows = connection.execute(query.order_by(_models.c.study, _models.c.version))
            return tuple(_record(row) for row in rows)

    with database_errors("cannot list the models"):
        return outlast(look)


def find_model(storage: RDBStorage, study_name: str, version: int | None) -> RegisteredModel:
    """Give one bundle of a study; the newest candidate if no version is named.

    Raises:
        StorageError: There is none, or the database does not answer.
    """
    models = list_models(storage, study_name)
    if version is None:
        found = [model for model in models if model.stage == CANDIDATE]
        if not found:
            raise StorageError(f"study {study_name!r} has no candidate; `export` makes one")
        return found[-1]
    for model in models:
        if model.version == version:
            return model
    known = ", ".join(str(model.version) for model in models) or "none"
    raise StorageError(f"study {study_name!r} has no model {version}; registered are: {known}")


def production_model(storage: RDBStorage, study_name: str) -> RegisteredModel | None:
    """Give the bundle of a study that is in production, None where there is none.

    Raises:
        StorageError: There is no such study, or the database does not answer.
    """
    models = list_models(storage, study_name)
    return next((model for model in models if model.stage == PRODUCTION), None)


def promote_model(
    storage: RDBStorage, model: RegisteredModel, instead_of: RegisteredModel | None
) -> None:
    """Put a bundle into production and retire the one that was there, both or neither.

    Args:
        storage: As `open_storage` gives it.
        model: The bundle, whatever its stage.
        instead_of: What the caller believes to be in production; None for nothing.

    Raises:
        StorageError: Another bundle is in production by now, or the database does not answer.
    """
    believed = None if instead_of is None else instead_of.version

    def promote(connection: Connection) -> None:
        rows = connection.execute(_locked(model.study)).all()
        current = next((row.version for row in rows if row.stage == PRODUCTION), None)
        if current == model.version:
            return
        if current != believed:
            raise StorageError(
                f"model {current or 'none'} of study {model.study!r} has come into production "
                f"meanwhile, instead of {believed or 'none'}; compare with it and promote again"
            )
        if current is not None:
            _set_stage(connection, model.study, current, RETIRED)
        _set_stage(connection, model.study, model.version, PRODUCTION)

    with database_errors(f"cannot promote model {model.version} of study {model.study!r}"):
        _transact(storage.engine, promote)


def retire_model(storage: RDBStorage, model: RegisteredModel) -> None:
    """Retire a bundle; where it was in production, none is afterwards.

    Raises:
        StorageError: The database does not answer.
    """

    def retire(connection: Connection) -> None:
        _set_stage(connection, model.study, model.version, RETIRED)

    with database_errors(f"cannot retire model {model.version} of study {model.study!r}"):
        _transact(storage.engine, retire)


def copy_models(source: RDBStorage, target: RDBStorage, study_name: str) -> None:
    """Copy what is registered of a study into another database, to which the study has been copied."""
    if not inspect(source.engine).has_table(MODEL_TABLE):
        return
    mine = _models.c.study == study_name
    with reading(), source.engine.begin() as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(_models).where(mine))]
    _prepare(target.engine)
    with target.engine.begin() as connection:
        connection.execute(delete(_models).where(mine))  # of a study that another program deleted
        if rows:
            connection.execute(insert(_models), rows)


def forget_models(storage: RDBStorage, study_name: str) -> None:
    """Delete what is registered of a study that is deleted; the bundles' files stay.

    Raises:
        StorageError: The database does not answer.
    """
    with database_errors(f"cannot delete the models of study {study_name!r}"):
        if inspect(storage.engine).has_table(MODEL_TABLE):
            with storage.engine.begin() as connection:
                connection.execute(delete(_models).where(_models.c.study == study_name))


def _transact(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Carry out a transaction, and again where another one has just inserted or promoted the same."""
    _prepare(engine)

    def attempt() -> None:
        with engine.begin() as connection:
            work(connection)

    for _ in range(_TRIES - 1):
        try:
            return outlast(attempt)
        except IntegrityError:
            continue
    return outlast(attempt)


def _locked(study_name: str) -> Select[Any]:
    # SQLite's transactions hold the write lock from their beginning, and ignore FOR UPDATE.
    return select(_models).where(_models.c.study == study_name).with_for_update()


def _set_stage(connection: Connection, study_name: str, version: int, stage: str) -> None:
    changed = datetime.now(UTC).replace(tzinfo=None)
    in_production = 1 if stage == PRODUCTION else None
    connection.execute(
        update(_models)
        .where(_models.c.study == study_name, _models.c.version == version)
        .where(_models.c.stage != stage)
        .values(stage=stage, in_production=in_production, changed=changed)
    )


def _require_study(connection: Connection, study_name: str) -> None:
    query = select(_studies.c.study_name).where(_studies.c.study_name == study_name)
    if connection.execute(query).first() is None:
        raise StorageError(f"there is no study {study_name!r} in the database")


def _record(row: Row[Any]) -> RegisteredModel:
    return RegisteredModel(
        study=row.study,
        version=row.version,
        stage=row.stage,
        path=Path(row.path),
        checksum=row.checksum,
        facts=json.loads(row.facts),
        registered=local_time(row.registered),
        changed=local_time(row.changed),
    )


def _prepare(engine: Engine) -> None:
    """Make the table where it is missing, which several processes may do at once."""
    try:
        _metadata.create_all(engine, checkfirst=True)
    except DatabaseError:
        if not inspect(engine).has_table(MODEL_TABLE):
            raise
