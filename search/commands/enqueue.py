"""`lstm-search enqueue`: a point for a search to try next."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from objectives.classification.space import SequenceSpace, TextSpace
from objectives.errors import InputError
from objectives.search_space.space import SearchSpace, Space, check_point
from search.commands.opening import open_existing
from search.stored_identity import stored_identity
from search.study import is_classification
from storage.studies import find_study


def execute(name: str, text: str, storage: str | None, out: Path | None) -> int:
    """Queue a point, a JSON object, which the next free worker takes before it draws one.

    Raises:
        InputError: it is no JSON object, or lies outside the study's space.
    """
    study = find_study(open_existing(storage, out), name)
    point = _point(text)
    identity = stored_identity(name, study.user_attrs)
    check_point(point, _space_class(identity)(**identity["space"]))
    study.enqueue_trial(point)
    print(f"{json.dumps(point)} is queued in study {name}; it counts towards the total of trials")
    return 0


def _space_class(identity: Mapping[str, Any]) -> type[Space[Any]]:
    if not is_classification(identity):
        return SearchSpace
    return SequenceSpace if identity["data"].get("text") is None else TextSpace


def _point(text: str) -> dict[str, Any]:
    try:
        point = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"enqueue: not JSON: {error}. Received: {text}") from None
    if not isinstance(point, dict):
        raise InputError(f'enqueue: expected an object such as {{"units": 64}}. Received: {text}')
    return point
