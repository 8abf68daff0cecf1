"""What makes SQLite safe for several writers, and quick."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

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
    """Give an engine's connections write-ahead logging and transactions that lock when they begin."""
    if engine.dialect.name != "sqlite":
        return
    # Connections made before the listeners are attached would stay without them. Attached earlier,
    # they would make Optuna wait for itself: its constructor nests two transactions.
    engine.dispose()
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)


def _set_pragmas(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    # One that reads first and writes later would fail where another has written in between.
    kind = "DEFERRED" if getattr(_this_thread, "reads", False) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {kind}")
