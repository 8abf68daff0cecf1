"""Notes of studies and trials, in Markdown, as optuna-dashboard keeps and shows them.

Its own functions read every note of a study for each that they write, and importing them takes as
long as a short trial.
"""

from collections.abc import Mapping
from typing import Any

from storage.database import Database

MOST_CHARACTERS = 2045  # of one attribute; longer notes lie in several
_STUDY_PARTS = 4


def write_trial_note(storage: Database, study_id: int, trial_id: int, text: str) -> None:
    """Write the note of a trial, once; it is cut off where it is too long for one attribute.

    The dashboard reads the notes of all trials whenever it looks at a study: they must be short.
    """
    body = {f"{_trial_prefix(trial_id)}note_str:0": text[:MOST_CHARACTERS]}
    version = {f"{_trial_prefix(trial_id)}note_ver": 1}
    storage.set_study_system_attrs(study_id, version | body)


def write_study_note(storage: Database, study_id: int, text: str, mark: str) -> bool:
    """Write the note of a study unless somebody has replaced it by one of their own.

    Args:
        storage: the database.
        study_id: of the study.
        text: the note; it is cut off after about eight thousand characters.
        mark: a part of `text` by which the note is known to be ours.

    Returns:
        False where the note is somebody's own, and was left as it is.
    """
    attributes = storage.get_study_system_attrs(study_id)
    before = study_note(attributes)
    if before and mark not in before:
        return False
    if before != text:
        version = int(attributes.get("dashboard:note_ver", 0)) + 1
        parts = {
            f"dashboard:note_str:{part}": text[part * MOST_CHARACTERS :][:MOST_CHARACTERS]
            for part in range(_STUDY_PARTS)
        }
        storage.set_study_system_attrs(study_id, {"dashboard:note_ver": version, **parts})
    return True


def study_note(attributes: Mapping[str, Any]) -> str:
    """The note among a study's system attributes, empty where there is none."""
    prefix = "dashboard:note_str:"
    numbers = sorted(int(key.removeprefix(prefix)) for key in attributes if key.startswith(prefix))
    return "".join(attributes[f"{prefix}{number}"] for number in numbers)


def moved_notes(attributes: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """A study's system attributes with the notes of trials moved to new ids, others' left out."""
    moved = dict(attributes)
    for key in attributes:
        owner = key.split(":")[1:2]
        if key.startswith("dashboard:") and owner and owner[0].isdigit():
            value = moved.pop(key)
            if (new := ids.get(int(owner[0]))) is not None:
                moved[key.replace(_trial_prefix(int(owner[0])), _trial_prefix(new), 1)] = value
    return moved


def _trial_prefix(trial_id: int) -> str:
    return f"dashboard:{trial_id}:"
