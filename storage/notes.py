"""Notes of studies and trials, and figures of studies, as optuna-dashboard keeps and shows them.

Its own functions read every note of a study for each that they write, and importing them takes as
long as a short trial.
"""

import json
from collections.abc import Mapping
from typing import Any

from storage.database import Database

MOST_CHARACTERS = 2045  # of one attribute; longer notes lie in several


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
        text: the note.
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
        parts = _in_parts("dashboard:note_str:", text, attributes)
        storage.set_study_system_attrs(study_id, {"dashboard:note_ver": version, **parts})
    return True


def write_figure(storage: Database, study_id: int, name: str, figure: Mapping[str, Any]) -> None:
    """Keep a figure of a study, or replace the one of this name.

    Args:
        storage: the database.
        study_id: of the study.
        name: letters, digits and hyphens; the dashboard shows it over the figure.
        figure: plotly.js's "data" and "layout".
    """
    attributes = storage.get_study_system_attrs(study_id)
    text = json.dumps(figure, separators=(",", ":"))
    parts = _in_parts(f"dashboard:plot_data:{name}:", text, attributes)
    storage.set_study_system_attrs(study_id, parts)


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


def _in_parts(prefix: str, text: str, before: Mapping[str, Any]) -> dict[str, str]:
    """A text as attributes, and nothing in the place of those that a longer one had."""
    starts = range(0, len(text), MOST_CHARACTERS)
    parts = {
        f"{prefix}{part}": text[start : start + MOST_CHARACTERS]
        for part, start in enumerate(starts)
    }
    return {key: "" for key in before if key.startswith(prefix)} | parts


def _trial_prefix(trial_id: int) -> str:
    return f"dashboard:{trial_id}:"
