"""Outlasting a database that is away for a while: restarted, moved, or cut off by the network."""

import random
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

PATIENCE = 600.0  # seconds for which a database may be away before a search gives up
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between two tries

# MySQL's errors: too many connections, shutting down, a lock waited for too long, a deadlock, and a
# connection that was killed
_PASSING = (1040, 1053, 1203, 1205, 1213, 1927)

Result = TypeVar("Result")
_entropy = random.SystemRandom()  # a study's own random numbers must not depend on our waits


def outlast(operation: Callable[[], Result]) -> Result:
    """Repeat an operation until the database answers, for ten minutes at most.

    Args:
        operation: does no harm where it is carried out twice, since its first answer may have been lost.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError: what the operation raises
            for another reason, or still raises after ten minutes.
    """
    deadline = time.monotonic() + PATIENCE
    wait = SHORTEST_WAIT
    while True:
        try:
            return operation()
        except (DBAPIError, StorageInternalError) as error:
            if not passing(error) or time.monotonic() > deadline:
                raise
        time.sleep(_entropy.uniform(wait / 2, wait))
        wait = min(2 * wait, LONGEST_WAIT)


def passing(error: BaseException) -> bool:
    """Whether a database error may go away by itself: no connection, a deadlock, a lock held too long.

    Drivers report these as operational errors. With SQLite, which is in the same process, that class
    holds mostly what stays wrong, and with MySQL it holds unknown columns too.
    """
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    if isinstance(cause.orig, sqlite3.Error):
        return "locked" in str(cause.orig)
    if cause.connection_invalidated or isinstance(cause, InterfaceError):
        return True
    number = next(iter(getattr(cause.orig, "args", ())), None)
    if isinstance(number, int) and not _passes(number):
        return False
    return isinstance(cause, OperationalError)


def _passes(number: int) -> bool:
    """Whether an error of MySQL's does; the client's own, of the connection, begin at 2000."""
    return number >= 2000 or number in _PASSING
