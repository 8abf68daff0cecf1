"""How connections to a database are made, and what its errors mean while tables are made."""

from typing import Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import IntegrityError

from storage.address import Address
from storage.errors import reason

SQLITE_TIMEOUT = 60  # seconds that a writer waits for others; Optuna's 5 were nearly used up
CONNECT_TIMEOUT = 8  # seconds until a server that does not answer counts as unreachable


def engine_settings(address: Address) -> dict[str, Any]:
    """What SQLAlchemy's engine is made with: waits in seconds, the pool, and the URL's secrets."""
    name, seconds = (
        ("timeout", SQLITE_TIMEOUT) if address.is_sqlite else ("connect_timeout", CONNECT_TIMEOUT)
    )
    chosen = {} if name in address.url.query else {name: seconds}
    settings: dict[str, Any] = {"connect_args": {**chosen, **address.secrets}}
    if not address.is_sqlite:
        # One connection for the trial and one for its heartbeat; PostgreSQL allows 100 in all.
        settings |= {"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True}
    return settings


def another_was_first(error: Exception) -> bool:
    """Whether another process made the same tables, or the same first row, at the same time."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    said = reason(error)
    return (
        isinstance(cause, IntegrityError)
        or "already exists" in said
        or "database is locked" in said
    )
