"""The one error of this room, and how a database's complaint becomes one line."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError


class StorageError(RuntimeError):
    """What a database or a store of artifacts cannot do for the user: one line without a password."""


def reason(error: BaseException) -> str:
    """Give what the database itself said, on one line.

    SQLAlchemy adds the statement, its values and a link to its own manual, and Optuna replaces the
    message by a general one; the user needs neither.
    """
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    original = getattr(cause, "orig", None) or cause or error
    return " ".join(str(original).split()) or type(original).__name__


def is_full(error: BaseException) -> bool:
    """Whether a file system, or the one that a database lies on, has no room left."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, OSError):
        return cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(getattr(cause, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


@contextmanager
def database_errors(task: str) -> Iterator[None]:
    """Turn every database error inside into a `StorageError` that starts with `task`.

    Raises:
        StorageError: The database refused or could not be reached.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageError(f"{task}: {reason(error)}") from None
