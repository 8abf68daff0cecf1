"""`lstm-search enqueue`: a point for a search to try next."""

import json
from pathlib import Path
from typing import Any

from objectives.classification.space import SequenceSpace
from objectives.errors import InputError
from objectives.space import SearchSpace, check_point
from search.commands.opening import open_existing
from search.stored_identity import stored_identity
from search.study import is_classification
from storage.records import find_study


def execute(name: str, text: str, storage: str | None, out: Path | None) -> int:
    """Queue a point, a JSON object, which the next free worker takes before it draws one.

    Raises:
        InputError: it is no JSON object, or lies outside the study's space.
    """
    study = find_study(open_existing(storage, out), name)
    point = _point(text)
    identity = stored_identity(name, study.user_attrs)
    kind = SequenceSpace if is_classification(identity) else SearchSpace
    check_point(point, kind(**identity["space"]))
    study.enqueue_trial(point)
    print(f"{json.dumps(point)} is queued in study {name}; it counts towards the total of trials")
    return 0


def _point(text: str) -> dict[str, Any]:
    try:
        point = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"enqueue: not JSON: {error}. Received: {text}") from None
    if not isinstance(point, dict):
        raise InputError(f'enqueue: expected an object such as {{"units": 64}}. Received: {text}')
    return point
