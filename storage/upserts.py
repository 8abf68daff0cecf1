"""What a trial writes most often, as one statement instead of the three that Optuna's objects take."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    StudySystemAttributeModel,
    TrialHeartbeatModel,
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialSystemAttributeModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import TrialState
from sqlalchemy import (
    Column,
    ColumnDefault,
    ColumnElement,
    Insert,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from storage.single_statements import alone

_UNFINISHED = [TrialState.RUNNING, TrialState.WAITING]
_objectives: Table = TrialValueModel.__table__
_values: Table = TrialIntermediateValueModel.__table__
_trials: Table = TrialModel.__table__
_params: Table = TrialParamModel.__table__
_heartbeats: Table = TrialHeartbeatModel.__table__
_system_attributes: Table = TrialSystemAttributeModel.__table__
_attributes: Table = TrialUserAttributeModel.__table__
_study_attributes: Table = StudySystemAttributeModel.__table__


def write_attributes(storage: RDBStorage, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Store user attributes of a trial that has not ended.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    _write(storage, _attributes, rows)


def write_system_attribute(storage: RDBStorage, trial_id: int, key: str, value: Any) -> None:
    """Store one of Optuna's own attributes of a trial that has not ended.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    row = {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
    _write(storage, _system_attributes, [row])


def write_study_attributes(
    storage: RDBStorage, study_id: int, attributes: Mapping[str, Any]
) -> None:
    """Store several of Optuna's own attributes of a study."""
    rows = [
        {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    statement = _study_upsert(storage.engine.dialect.name)
    with storage.engine.begin() as connection:
        connection.execute(statement, rows)


def write_heartbeat(storage: RDBStorage, trial_id: int) -> None:
    """Store that a trial lives now, by the database's clock; one that has ended is left alone."""
    with alone(storage.engine) as connection:
        beat = _upsert(storage.engine.dialect.name, _heartbeats, ("trial_id", "heartbeat"))
        connection.execute(beat, {"trial_id": trial_id, "wanted": trial_id})


def write_intermediate_value(storage: RDBStorage, trial_id: int, step: int, value: float) -> None:
    """Store what a trial that has not ended reached in one step; the value may be infinite or NaN.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    number, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    row = {
        "trial_id": trial_id,
        "step": step,
        "intermediate_value": number,
        "intermediate_value_type": kind,
    }
    _write(storage, _values, [row])


def write_param(
    storage: RDBStorage, trial_id: int, name: str, value: float, distribution: BaseDistribution
) -> None:
    """Store a parameter, in Optuna's internal representation, of a trial that has not ended.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    row = {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": value,
        "distribution_json": distribution_to_json(distribution),
    }
    _write(storage, _params, [row])


def change_state(
    storage: RDBStorage, trial_id: int, state: TrialState, values: Sequence[float] | None
) -> bool:
    """Begin a trial that waits, or end one that has not ended.

    Returns:
        False where the trial was to begin and another worker has begun it.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    begins = state == TrialState.RUNNING
    moment = {"datetime_start" if begins else "datetime_complete": datetime.now(UTC)}
    changing = (
        update(_trials)
        .where(_trials.c.trial_id == trial_id)
        .where(_trials.c.state.in_([TrialState.WAITING] if begins else _UNFINISHED))
        .values(state=state, **{name: time.replace(tzinfo=None) for name, time in moment.items()})
    )
    with storage.engine.begin() as connection:
        changed = connection.execute(changing).rowcount
        if changed:
            for objective, value in enumerate(values or ()):
                number, kind = TrialValueModel.value_to_stored_repr(value)
                row = insert(_objectives).values(trial_id=trial_id, objective=objective)
                connection.execute(row.values(value=number, value_type=kind))
    if not changed:
        storage.check_trial_is_updatable(trial_id, storage.get_trial(trial_id).state)
    return bool(changed)


def _write(storage: RDBStorage, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of one trial, or none of them where it has ended."""
    statement = _upsert(storage.engine.dialect.name, table, tuple(rows[0]))
    first, *others = [{**row, "wanted": row["trial_id"]} for row in rows]
    # One statement is a transaction by itself, which saves a server two answers.
    with storage.engine.begin() if others else alone(storage.engine) as connection:
        written = connection.execute(statement, first).rowcount
        if written and others:
            connection.execute(statement, others)
    if not written:
        trial_id = rows[0]["trial_id"]
        storage.check_trial_is_updatable(trial_id, storage.get_trial(trial_id).state)


@cache
def _upsert(dialect: str, table: Table, columns: tuple[str, ...]) -> Insert:
    """Insert a row of a trial that has not ended, or change the one that is there."""
    values = [_value(table.c[name]) for name in columns]
    unfinished = select(*values).where(
        _trials.c.trial_id == bindparam("wanted"),
        # A list could not be used for several rows at once.
        or_(*(_trials.c.state == state for state in _UNFINISHED)),
    )
    return _or_replace(_insert(dialect, table).from_select(columns, unfinished), table, columns)


@cache
def _study_upsert(dialect: str) -> Insert:
    """Insert an attribute of a study, or change the one that is there."""
    columns = ("study_id", "key", "value_json")
    return _or_replace(_insert(dialect, _study_attributes), _study_attributes, columns)


def _insert(dialect: str, table: Table) -> Insert:
    kinds = {"mysql": mysql.insert, "mariadb": mysql.insert, "postgresql": postgresql.insert}
    return kinds.get(dialect, sqlite.insert)(table)


def _or_replace(inserting: Insert, table: Table, columns: Sequence[str]) -> Insert:
    """Change the other columns where there is a row with the same unique ones."""
    unique = next(c for c in table.constraints if isinstance(c, UniqueConstraint))
    keys = unique.columns.keys()
    others = [name for name in columns if name not in keys]
    if isinstance(inserting, mysql.Insert):
        return inserting.on_duplicate_key_update({n: inserting.inserted[n] for n in others})
    if isinstance(inserting, postgresql.Insert | sqlite.Insert):
        return inserting.on_conflict_do_update(
            index_elements=keys, set_={n: inserting.excluded[n] for n in others}
        )
    raise TypeError(f"expected an insert of a dialect. Received: {type(inserting).__name__}")


def _value(column: Column[Any]) -> ColumnElement[Any]:
    """What is written into a column: what the database makes by itself, or else the value given."""
    if isinstance(column.default, ColumnDefault) and column.default.is_clause_element:
        made: ColumnElement[Any] = column.default.arg
        return made
    return bindparam(column.name, type_=column.type)
