"""The test ledger: every opening of a study's test set, written down before its figure is computed.

Each opening is an attribute of the study of its own. They are only ever added, so that two runs at once
cannot overwrite each other's, and they are copied, backed up and deleted with the study.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import optuna

from storage.errors import database_errors

_PREFIX = "test_opened_"


@dataclass(frozen=True)
class Opening:
    """One look at the test set.

    Attributes:
        when: UTC, ISO 8601.
        trial: number of the trial whose model was tested.
        seeds: of the training runs that the model consists of.
        model: SHA-256 of the model's file, in hex.
        command: what the user had called.
        targets: hash of the rows of the test targets.
    """

    when: str
    trial: int
    seeds: tuple[int, ...]
    model: str
    command: str
    targets: str


def utc_now() -> str:
    """The time now in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record_opening(study: optuna.Study, opening: Opening) -> None:
    """Write an opening into the database; nobody may look at the test set before this returns.

    Raises:
        StorageError: The database does not answer.
    """
    key = f"{_PREFIX}{opening.when}_{secrets.token_hex(4)}"
    with database_errors(f"cannot note in study {study.study_name!r} that its test set is opened"):
        study.set_user_attr(key, asdict(opening))


def was_tested(model: str, attributes: Mapping[str, Any]) -> bool:
    """Whether an opening among a study's attributes names a model, by the SHA-256 of its file."""
    return any(opening.model == model for opening in openings_of(attributes))


def openings_of(attributes: Mapping[str, Any]) -> tuple[Opening, ...]:
    """The openings among a study's attributes, the first one first."""
    keys = sorted(key for key in attributes if key.startswith(_PREFIX))
    return tuple(
        Opening(**{**attributes[key], "seeds": tuple(attributes[key]["seeds"])}) for key in keys
    )
