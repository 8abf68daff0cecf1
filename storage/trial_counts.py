"""What can be told of a study's trials without reading them, by plain statements on Optuna's tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, bindparam, column, exists, select, table, text

from storage.single_statements import alone
from storage.sqlite import reading

# Literals instead of bound values, because PostgreSQL compares an enumeration with no other type.
_SILENT = text(
    "SELECT trials.trial_id FROM trials"
    " LEFT JOIN trial_heartbeats ON trial_heartbeats.trial_id = trials.trial_id"
    " WHERE trials.study_id = :study_id AND trials.state = 'RUNNING'"
    " AND trial_heartbeats.trial_id IS NULL AND trials.datetime_start < :latest"
)
_STATES = text(
    "SELECT trial_id, state FROM trials WHERE study_id = :study_id"
    " AND (trial_id > :newest OR (trial_id >= :oldest AND state <> 'WAITING'))"
)
_COUNTS = text(
    "SELECT COUNT(*) AS created, SUM(CASE WHEN state = 'WAITING' THEN 1 ELSE 0 END) AS waiting,"
    " SUM(CASE WHEN state = 'RUNNING' THEN 1 ELSE 0 END) AS running"
    " FROM trials WHERE study_id = :study_id"
)
_attributes = table("trial_user_attributes", column("trial_id"), column("key"))
_trials = table("trials", column("trial_id"), column("study_id"), column("number"))
_NEWER = (
    select(
        _trials.c.trial_id,
        _trials.c.number,
        exists()
        .where(_attributes.c.trial_id == _trials.c.trial_id, _attributes.c.key == bindparam("mark"))
        .label("marked"),
    )
    .where(_trials.c.study_id == bindparam("study_id"), _trials.c.trial_id > bindparam("known"))
    .order_by(_trials.c.trial_id)
)


@dataclass(frozen=True)
class TrialCounts:
    """How many trials a study has, how many wait and run, and the numbers of those with a mark."""

    created: int
    waiting: int
    running: int
    marked: tuple[int, ...]


def read_states(engine: Engine, study_id: int, newer_than: int, oldest: int) -> dict[int, str]:
    """States by trial id; see `Database.list_trials`."""
    values = {"study_id": study_id, "newest": newer_than, "oldest": oldest}
    with reading(), alone(engine) as connection:
        return {row.trial_id: str(row.state) for row in connection.execute(_STATES, values)}


def read_counts(
    engine: Engine, study_id: int, mark: str, known: int
) -> tuple[Sequence[Row[Any]], Row[Any]]:
    """Find the trials with ids above `known`, and count all.

    Returns:
        A row for each of the former, in the order of their ids (trial_id, number, and whether it is
        `marked`), and one that says how many there are of all, "created", "waiting" and "running".
    """
    values = {"study_id": study_id, "mark": mark, "known": known}
    with reading(), alone(engine) as connection:
        # Trials of one study become visible in the order of their ids: Optuna creates each under a
        # lock of the study.
        newer = connection.execute(_NEWER, values).all()
        return newer, connection.execute(_COUNTS, {"study_id": study_id}).one()


def read_silent(engine: Engine, study_id: int, grace_seconds: float) -> list[int]:
    """Ids of the trials that have run for longer than this without a single sign of life."""
    latest = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=grace_seconds)
    with engine.begin() as connection:
        silent = connection.execute(_SILENT, {"study_id": study_id, "latest": latest})
        return [int(row.trial_id) for row in silent]
