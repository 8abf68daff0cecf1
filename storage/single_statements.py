"""Statements that are transactions by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


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
            yield connection.execution_options(isolation_level="AUTOCOMMIT")
