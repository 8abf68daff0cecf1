"""`lstm-search delete`: remove a study from the database, and its files."""

import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm

from objectives.errors import InputError
from search.commands.opening import open_existing, results_folder
from storage.records import delete_study, read_study


def execute(
    name: str, storage: str | None, out: Path | None, *, confirmed: bool, keep_files: bool
) -> int:
    """Delete after asking, unless `confirmed`."""
    database = open_existing(storage, out)
    trials = len(read_study(database, name).trials)
    folder = results_folder(out) / name
    files = folder.is_dir() and not keep_files
    what = f"study {name!r} with {trials} trials" + (f" and the folder {folder}" if files else "")
    if not confirmed:
        if not sys.stdin.isatty():
            raise InputError(f"to delete {what} without being asked, add --yes")
        if not Confirm.ask(f"Delete {what}?", default=False):
            return 1
    delete_study(database, name)
    if files:
        shutil.rmtree(folder)
    Console().print(f"deleted {what}")
    return 0
