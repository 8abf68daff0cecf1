"""What makes SQLite safe for several writers, and quick."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import StorageError

_this_thread = threading.local()


@contextmanager
def reading() -> Iterator[None]:
    """Let SQLite's transactions in a block take no lock, since they only read."""
    _this_thread.reads = True
    try:
        yield
    finally:
        _this_thread.reads = False


def tune_sqlite(engine: Engine) -> None:
    """Give an engine's connections write-ahead logging and transactions that lock when they begin.

    Where their file is gone, whoever wants to use them, or a new one, gets a `StorageError`: what is
    written to a deleted file is lost with its last reader, and a new one would be empty.
    """
    if engine.dialect.name != "sqlite":
        return
    path = _path(engine)
    # Connections made before the listeners are attached would stay without them. Attached earlier,
    # they would make Optuna wait for itself: its constructor nests two transactions.
    engine.dispose()
    check = partial(_check_file, path, _identity(path))
    event.listen(engine, "do_connect", check)  # which would make a file
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "checkout", check)
    event.listen(engine, "begin", _begin)


@contextmanager
def put_back(engine: Engine) -> Iterator[None]:
    """Put SQLite's file back at the end of a block in which it was deleted.

    By then nobody may write any more. Where its folder is gone too, or another file has taken its place,
    nothing is done.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    path = _path(engine)
    with closing(sqlite3.connect(path)) as kept:
        kept.execute("PRAGMA schema_version").fetchone()  # which opens the file
        try:
            yield
        finally:
            if not os.path.exists(path):
                with suppress(OSError, sqlite3.Error):
                    _write_again(kept, path)


def _write_again(kept: sqlite3.Connection, path: str) -> None:
    unfinished = f"{path}.unfinished"
    with closing(sqlite3.connect(unfinished)) as copy:
        kept.backup(copy)
    for beside in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(path + beside)  # of the deleted file, but it would be taken for the new one's
    os.rename(unfinished, path)


def _set_pragmas(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _check_file(path: str, identity: tuple[int, int] | None, *_: Any) -> None:
    if _identity(path) != identity:
        raise StorageError(
            f"{path}: was deleted or replaced while it was in use; run the same command again"
        )


def _path(engine: Engine) -> str:
    with engine.connect() as connection:
        found = connection.connection.cursor().execute("PRAGMA database_list").fetchone()
    return str(found[2])


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    # One that reads first and writes later would fail where another has written in between.
    kind = "DEFERRED" if getattr(_this_thread, "reads", False) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {kind}")
