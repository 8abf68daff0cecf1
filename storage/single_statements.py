"""Statements that are transactions by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A connection for one statement, or several that need not be one transaction.

    A server then answers once for each, and not for a transaction's beginning and end as well.
    """
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            yield connection
    else:
        with engine.connect() as connection:
            yield _committing(connection)


def _committing(connection: Connection) -> Connection:
    """The connection, told to commit each statement; SQLAlchemy lets a driver's error through here."""
    driver = connection.dialect.loaded_dbapi
    try:
        return connection.execution_options(isolation_level="AUTOCOMMIT")
    except driver.Error as error:
        connection.invalidate(error)
        raise OperationalError("autocommit", None, error, connection_invalidated=True) from error
