"""What a trial writes most often, as one statement instead of the three that Optuna's objects take."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    TrialIntermediateValueModel,
    TrialModel,
    TrialUserAttributeModel,
)
from sqlalchemy import Connection, Executable, Table, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

_values: Table = TrialIntermediateValueModel.__table__
_attributes: Table = TrialUserAttributeModel.__table__


def write_attributes(storage: RDBStorage, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Store user attributes of a trial that has not ended.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    _write(storage, trial_id, _attributes, rows)


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
    _write(storage, trial_id, _values, [row])


def _write(
    storage: RDBStorage, trial_id: int, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    with storage.engine.begin() as connection:
        state = connection.execute(
            select(TrialModel.state).where(TrialModel.trial_id == trial_id)
        ).scalar_one()
        storage.check_trial_is_updatable(trial_id, state)
        connection.execute(_upsert(connection, table, rows))


def _upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> Executable:
    """Insert rows, or change those whose first two columns are there already."""
    first, second, *others = rows[0]
    if connection.dialect.name in ("mysql", "mariadb"):
        inserting = mysql.insert(table).values(rows)
        return inserting.on_duplicate_key_update({n: inserting.inserted[n] for n in others})
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    replacing = insert(table).values(rows)
    return replacing.on_conflict_do_update(
        index_elements=[first, second], set_={n: replacing.excluded[n] for n in others}
    )
