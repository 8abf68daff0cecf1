"""Turns: a lock in the database, so that one worker at a time counts the trials and asks for one.

Without it several workers that see 39 of 40 trials all start the fortieth. The lock is a row of our
own table, holding who has the turn and until when; a worker that dies loses it when its lease ends.
All times are seconds since 1970 on the database's own clock, so that machines need not agree on the
time (SQLite has no server: its clock is that of the machine that holds the file).
"""

import random
import time
import weakref
from contextlib import ExitStack

from optuna.storages import RDBStorage
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    ScalarSelect,
    String,
    Table,
    Update,
    and_,
    column,
    delete,
    func,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.exc import DatabaseError, IntegrityError

from storage.errors import StorageError, database_errors
from storage.outage import outlast
from storage.sqlite import reading

TURN_TABLE = "lstm_search_turn"
# Seconds between two looks at a turn that is taken. They grow, so that many who wait do not keep the
# database from the one who has it.
SHORTEST_WAIT, LONGEST_WAIT = 0.02, 0.25

_metadata = MetaData()
_turns = Table(
    TURN_TABLE,
    _metadata,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(255)),
    Column("until", Float(53)),
)
_studies = table("studies", column("study_id", Integer), column("study_name", String))
_NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())",
    "mysql": "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000000.0",
}
_NOW["mariadb"] = _NOW["mysql"]

_entropy = random.SystemRandom()  # a study's own random numbers must not depend on our waits
_prepared: weakref.WeakSet[Engine] = weakref.WeakSet()


def take_turn(
    storage: RDBStorage, study_name: str, holder: str, lease_seconds: float = 30.0
) -> bool:
    """Take the turn of a study if nobody has it; one small transaction.

    A holder that already has the turn keeps it, with a new lease.

    Args:
        storage: As `open_storage` gives it.
        study_name: The study, which exists.
        holder: Who takes it, at most 255 characters; different for every worker.
        lease_seconds: Seconds after which the turn is free again without being given back. What is
            done during the turn must take less.

    Returns:
        Whether `holder` has the turn now.

    Raises:
        StorageError: There is no such study, or the database does not answer.
    """
    with database_errors(f"cannot take the turn of study {study_name!r}"):
        return outlast(lambda: _taken(storage.engine, study_name, holder, lease_seconds))


def give_back(storage: RDBStorage, study_name: str, holder: str) -> None:
    """Give the turn back if `holder` has it, else do nothing; one small transaction.

    Raises:
        StorageError: The database does not answer.
    """
    given = (
        update(_turns)
        .where(_turns.c.study_id == _study_id(study_name), _turns.c.holder == holder)
        .values(holder=None)
    )
    with database_errors(f"cannot give back the turn of study {study_name!r}"):
        outlast(lambda: _carry_out(storage.engine, given))


def wait_for_turn(
    storage: RDBStorage, study_name: str, holder: str, lease_seconds: float = 30.0
) -> ExitStack:
    """Wait until `holder` has the turn; the arguments are those of `take_turn`.

    The turn is held when this returns. In a `with` statement it is given back at the end of the
    block, which does no harm where it has been given back before; otherwise call `give_back`.

    Raises:
        StorageError: There is no such study, or the database does not answer.
    """
    wait = SHORTEST_WAIT
    while not take_turn(storage, study_name, holder, lease_seconds):
        while True:
            time.sleep(_entropy.uniform(wait / 2, wait))
            wait = min(1.5 * wait, LONGEST_WAIT)
            if _is_free(storage, study_name):
                break
    held = ExitStack()
    held.callback(give_back, storage, study_name, holder)
    return held


def forget_turn(storage: RDBStorage, study_id: int) -> None:
    """Delete the turn of a study that is deleted.

    Raises:
        StorageError: The database does not answer.
    """
    with database_errors(f"cannot delete the turn of study number {study_id}"):
        if inspect(storage.engine).has_table(TURN_TABLE):
            with storage.engine.begin() as connection:
                connection.execute(delete(_turns).where(_turns.c.study_id == study_id))


def _carry_out(engine: Engine, statement: Update) -> None:
    _prepare(engine)
    with engine.begin() as connection:
        connection.execute(statement)


def _taken(engine: Engine, study_name: str, holder: str, lease_seconds: float) -> bool:
    _prepare(engine)
    try:
        with engine.begin() as connection:
            return _claimed(connection, study_name, holder, lease_seconds)
    except IntegrityError:
        return False  # another worker has just inserted the study's first turn


def _is_free(storage: RDBStorage, study_name: str) -> bool:
    """Whether the turn can be taken; only looking costs less than trying to."""

    def look() -> bool:
        with reading(), storage.engine.begin() as connection:
            now: ColumnElement[float] = literal_column(_NOW[connection.dialect.name], Float(53))
            mine = _turns.c.study_id == _study_id(study_name)
            held = and_(_turns.c.holder.is_not(None), _turns.c.until >= now)
            return connection.execute(select(_turns.c.study_id).where(mine, held)).first() is None

    with database_errors(f"cannot look at the turn of study {study_name!r}"):
        return outlast(look)


def _claimed(connection: Connection, study_name: str, holder: str, lease_seconds: float) -> bool:
    now: ColumnElement[float] = literal_column(_NOW[connection.dialect.name], Float(53))
    free = or_(_turns.c.holder.is_(None), _turns.c.holder == holder, _turns.c.until < now)
    claim = {"holder": holder, "until": now + lease_seconds}
    taken = connection.execute(
        update(_turns).where(_turns.c.study_id == _study_id(study_name), free).values(claim)
    )
    if taken.rowcount:
        return True
    # Nothing matched: the turn is another's, or the study has had none yet.
    found = connection.execute(
        select(_studies.c.study_id, func.count(_turns.c.study_id))
        .join_from(_studies, _turns, _turns.c.study_id == _studies.c.study_id, isouter=True)
        .where(_studies.c.study_name == study_name)
        .group_by(_studies.c.study_id)
    ).one_or_none()
    if found is None:
        raise StorageError(f"there is no study {study_name!r} in the database")
    study_id, turns = found
    if turns:
        return False
    connection.execute(insert(_turns).values(study_id=study_id, **claim))
    return True


def _study_id(study_name: str) -> ScalarSelect[int]:
    return select(_studies.c.study_id).where(_studies.c.study_name == study_name).scalar_subquery()


def _prepare(engine: Engine) -> None:
    """Make the table where it is missing, which several workers may do at once."""
    if engine in _prepared:
        return
    try:
        _metadata.create_all(engine, checkfirst=True)
    except DatabaseError:
        if not inspect(engine).has_table(TURN_TABLE):
            raise
    _prepared.add(engine)
