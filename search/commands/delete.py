"""`lstm-search delete`: remove a study from the database, its artifacts and its files."""

import re
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm

from objectives.errors import InputError
from reports.wording import counted
from search.commands.opening import open_existing, results_folder
from search.sections import STUDY_NAME
from storage.artifacts import LOCATION, artifact_folder
from storage.studies import delete_study, read_study


def execute(
    name: str, storage: str | None, out: Path | None, *, confirmed: bool, keep_files: bool
) -> int:
    """Delete after asking, unless `confirmed`."""
    database = open_existing(storage, out)
    study = read_study(database, name)
    location = study.attributes.get(LOCATION)
    folders = [] if keep_files else _folders(name, results_folder(out), location)
    what = f"study {name!r} with {counted(len(study.trials), 'trial')}"
    if location is not None and not keep_files:
        what += f", its artifacts in {location}"
    if folders:
        what += f" and {' and '.join(f'the folder {folder}' for folder in folders)}"
    if not confirmed:
        if not sys.stdin.isatty():
            raise InputError(f"to delete {what} without being asked, add --yes")
        if not Confirm.ask(f"Delete {what}?", default=False):
            return 1
    delete_study(database, name, keep_artifacts=keep_files)
    for folder in folders:
        shutil.rmtree(folder)
    Console().print(f"deleted {what}")
    return 0


def _folders(name: str, results: Path, location: str | None) -> list[Path]:
    """A study's folder of results, and that of its checkpoints where its artifacts are in a folder."""
    if not re.fullmatch(STUDY_NAME, name):
        return []  # another program's study, whose name may lead to any folder
    parents = [results, None if location is None else artifact_folder(location)]
    return [parent / name for parent in parents if parent and (parent / name).is_dir()]
