"""Finding the database and the folder that a command without a study file means."""

import os
from pathlib import Path

from objectives.errors import InputError
from search.sections import OutputSettings
from search.study import STORAGE_VARIABLE
from storage.address import missing_file
from storage.database import Database, open_storage


def results_folder(out: Path | None) -> Path:
    """The folder that holds a folder for each study."""
    return out or Path(OutputSettings().directory)


def open_existing(storage: str | None, out: Path | None) -> Database:
    """Open the database named by the option, the environment, or the SQLite file under `out`.

    Raises:
        InputError: it is a SQLite file that does not exist yet.
        storage.errors.StorageError: the database cannot be used.
    """
    return open_storage(existing_url(storage, out))


def existing_url(storage: str | None, out: Path | None) -> str:
    """The URL of the database named by the option, the environment, or of the SQLite file under `out`.

    Raises:
        InputError: it is a SQLite file that does not exist yet.
    """
    url = url_or_default(storage, out)
    path = missing_file(url)
    if path is not None:
        raise InputError(
            f"there is no database at {path} yet; run a study first, or name one with --storage or "
            "--out"
        )
    return url


def url_or_default(storage: str | None, out: Path | None) -> str:
    """The URL given, that of the environment, or that of the SQLite file under `out`."""
    default = f"sqlite:///{results_folder(out) / 'studies.db'}"
    return storage or os.environ.get(STORAGE_VARIABLE) or default
