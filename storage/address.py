"""Database URLs: which ones we take, and how one is printed without its password."""

import importlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from storage.errors import StorageError

HIDDEN = "***"
_SECRET_WORD = "pass|pwd|secret|token"
_SECRET_KEY = re.compile(_SECRET_WORD, re.IGNORECASE)
_SECRET_PAIR = re.compile(rf"(\w*(?:{_SECRET_WORD})\w*\s*=)[^&]*", re.IGNORECASE)
# Of a host with a port "host:5432" and "host:5432/name" stay, and of an IPv6 address "[::1]:5432".
_CUT_OFF = re.compile(r"^(/*[^/?:\[\]]*:)(?!\d{1,5}(?:[/?,]|$)).+$", re.DOTALL)

# What SQLAlchemy is told (its own defaults changed with 2.1), the module, the extra to install.
_POSTGRESQL = ("postgresql+psycopg", "psycopg", "postgresql")
_MYSQL = ("mysql+pymysql", "pymysql", "mysql")
_MARIADB = ("mariadb+pymysql", "pymysql", "mysql")
_DIALECTS = {
    "sqlite": ("sqlite", "sqlite3", ""),
    "sqlite+pysqlite": ("sqlite", "sqlite3", ""),
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "postgresql+psycopg": _POSTGRESQL,
    "mysql": _MYSQL,
    "mysql+pymysql": _MYSQL,
    "mariadb": _MARIADB,
    "mariadb+pymysql": _MARIADB,
}
_NETWORK_FILE_SYSTEMS = {
    *(
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afpfs",
        "9p",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
    ),
    *("glusterfs", "fuse.glusterfs", "fuse.ceph", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse"),
}
_EXAMPLES = "sqlite:///studies.db, postgresql://user@host/name or mysql://user@host/name"


@dataclass(frozen=True)
class Address:
    """A checked database URL with an installed driver.

    `secrets` are the passwords that stood in the query string. They are kept apart because the
    representation of a SQLAlchemy engine prints the query string as it is.
    """

    url: URL
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file rather than a server."""
        return self.url.get_backend_name() == "sqlite"

    def without_secrets(self, text: str) -> str:
        """Hide every password of this address wherever `text` repeats it."""
        for secret in filter(None, (self.url.password, *self.secrets.values())):
            text = text.replace(str(secret), HIDDEN)
        return text


def redacted(url: str) -> str:
    """Give the URL with its passwords hidden, for printing; it need not be a valid URL.

    Where it is unclear where a password ends (one with an unescaped "@", "/" or "?"), more is
    hidden rather than less.
    """
    scheme, separator, rest = str(url).partition("://")
    if not separator:
        scheme, rest = "", scheme
    # A file's path may hold ":" and "@", which mean nothing there.
    if scheme not in ("sqlite", "sqlite+pysqlite"):
        rest = _without_account_password(rest)
    return _SECRET_PAIR.sub(rf"\g<1>{HIDDEN}", f"{scheme}{separator}{rest}")


def _without_account_password(rest: str) -> str:
    """Hide the password of "user:password@place", also where it is cut off before the "@"."""
    account, at, place = rest.rpartition("@")
    if not at:
        return _CUT_OFF.sub(rf"\g<1>{HIDDEN}", rest)
    user, colon, _ = account.lstrip("/").partition(":")
    return f"{user}:{HIDDEN}@{place}" if colon else rest


def parse_address(url: str) -> Address:
    """Check a database URL and import its driver.

    Args:
        url: As the user typed it, such as "sqlite:///studies.db" or "postgres://me@host/name".

    Raises:
        StorageError: The URL cannot be read, names a database that we do not take or one that is in
            memory, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The parser's own message may quote a piece of the password.
        raise StorageError(
            f"the database URL cannot be read; expected {_EXAMPLES}. Received: {redacted(url)}"
        ) from None
    if parsed.drivername not in _DIALECTS:
        raise StorageError(
            f"unknown kind of database {parsed.drivername!r}; expected {_EXAMPLES}. "
            f"Received: {redacted(url)}"
        )
    drivername, module, extra = _DIALECTS[parsed.drivername]
    _import_driver(module, extra, parsed.drivername)
    secrets = {
        key: value if isinstance(value, str) else value[-1]
        for key, value in parsed.query.items()
        if _SECRET_KEY.search(key)
    }
    address = Address(parsed.set(drivername=drivername).difference_update_query(secrets), secrets)
    if address.is_sqlite:
        _prepare_file(address.url)
    return address


def missing_file(url: str) -> Path | None:
    """The SQLite file that a URL names, if it does not exist yet; None for all other URLs."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return None
    # Unlike Path's own, this answers for a folder that may not be looked into too.
    return None if os.path.exists(name) else Path(name)


def _import_driver(module: str, extra: str, drivername: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        raise StorageError(
            f"the driver {module} for {drivername} is not installed: "
            f"pip install 'lstm-search[{extra}]'"
        ) from None


def _refuse_network(folder: Path, mounts: Sequence[Any]) -> None:
    """Refuse a folder on a file system whose locks do not reach the other machines that share it."""
    reached = folder.resolve()
    below = [mount for mount in mounts if reached.is_relative_to(mount.mountpoint)]
    deepest = max(below, key=lambda mount: len(mount.mountpoint), default=None)
    if deepest is not None and deepest.fstype in _NETWORK_FILE_SYSTEMS:
        raise StorageError(
            f"{folder} is on a network file system ({deepest.fstype} at {deepest.mountpoint}), where "
            "SQLite files break; name a local folder, or a PostgreSQL or MySQL database"
        )


def _prepare_file(url: URL) -> None:
    name = url.database or ""
    if name in ("", ":memory:") or (
        name.startswith("file:") and (":memory:" in name or url.query.get("mode") == "memory")
    ):
        raise StorageError(
            "a database in memory cannot be shared between worker processes; "
            f"name a file, such as sqlite:///studies.db. Received: {redacted(str(url))}"
        )
    if name.startswith("file:"):
        return  # SQLite's own URI, whose path is SQLite's to interpret
    folder = Path(name).parent
    _refuse_network(folder, psutil.disk_partitions(all=True))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} for the database cannot be made: {error.strerror}"
        ) from None
