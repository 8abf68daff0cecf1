"""`lstm-search delete`: remove a study from the database, its artifacts and its files."""

import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from rich.prompt import Confirm
from rich.text import Text

from objectives.errors import InputError
from reports.wording import counted
from search.commands.opening import open_existing, results_folder
from search.commands.terminal import open_console
from search.sections import STUDY_NAME
from storage.artifacts import LOCATION, artifact_folder
from storage.studies import confirmation_name, delete_study, read_study


def execute(
    name: str, storage: str | None, out: Path | None, *, confirmed: bool, keep_files: bool
) -> int:
    """Delete after asking, unless `confirmed`; a study's folder that is not found is left, and told of.

    Raises:
        InputError: there is nobody to ask.
        storage.errors.StorageError: there is no such study, the database does not answer, or the
            artifacts cannot be removed.
    """
    database = open_existing(storage, out)
    study = read_study(database, name)
    location = study.attributes.get(LOCATION)
    results, checkpoints = results_folder(out) / name, _checkpoints(name, location)
    with_files = not keep_files and _is_ours(name)
    folders = [folder for folder in (results, *checkpoints) if with_files and folder.is_dir()]
    what = f"study {name!r} with {counted(len(study.trials), 'trial')}"
    if location is not None and not keep_files:
        what += f", its artifacts in {location}"
    if folders:
        what += f" and {' and '.join(f'the folder {folder}' for folder in folders)}"
    if not confirmed:
        if not sys.stdin.isatty():
            raise InputError(f"to delete {what} without being asked, add --yes")
        if not _agreed(Text(f"Delete {what}?")):
            return 1
    delete_study(database, name, keep_artifacts=keep_files)
    for folder in folders:
        with suppress(FileNotFoundError):  # checkpoints may lie within the results
            shutil.rmtree(folder)
        if folder in checkpoints:
            with suppress(OSError):  # it holds more, or is gone
                folder.parent.rmdir()
    console = open_console()
    console.print(f"deleted {what}")
    if with_files and results not in folders:
        console.print(
            f"there was no folder {results}: where `run` had another --out, the study's results are "
            "still there"
        )
    return 0


def _agreed(question: Text) -> bool:
    with suppress(EOFError):  # Ctrl-D is no answer
        return Confirm.ask(question, default=False)
    return False


def _is_ours(name: str) -> bool:
    """Whether a study may have a folder; the names of other programs' may lead to any folder."""
    return re.fullmatch(STUDY_NAME, name) is not None


def _checkpoints(name: str, location: str | None) -> list[Path]:
    """A study's folders of checkpoints: no more of a folder of artifacts, which may hold anything."""
    folder = None if location is None else artifact_folder(location)
    names = (confirmation_name(name), name)
    return [] if folder is None else [folder / each / "checkpoints" for each in names]
