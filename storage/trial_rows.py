"""Trials read by plain statements on Optuna's tables: its own objects cost ten times as much."""

import json
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import BindParameter, Connection, Engine, Row, Select, Table, bindparam, or_, select

from storage.local_time import local_time
from storage.single_statements import alone
from storage.sqlite import reading

_AT_ONCE = 500  # trials whose details are asked for together; SQLite takes 999 values

_trials: Table = models.TrialModel.__table__
_WANTED: BindParameter[int] = bindparam("wanted", expanding=True)
_OF_STUDY = select(_trials).where(_trials.c.study_id == bindparam("study"))
_NEWER = _trials.c.trial_id > bindparam("newer_than")
_SOME = select(_trials).where(_trials.c.trial_id.in_(_WANTED))


def _details(model: Any, order: str, *columns: str) -> Select[Any]:
    """What one of Optuna's tables says of some trials: the trial's id, then `columns`."""
    wanted = [model.__table__.c[name] for name in ("trial_id", *columns)]
    return select(*wanted).where(wanted[0].in_(_WANTED)).order_by(model.__table__.c[order])


_VALUES = _details(models.TrialValueModel, "objective", "value", "value_type")
_PARAMS = _details(
    models.TrialParamModel, "param_id", "param_name", "param_value", "distribution_json"
)
_STEPS = _details(
    models.TrialIntermediateValueModel,
    "trial_intermediate_value_id",
    "step",
    "intermediate_value",
    "intermediate_value_type",
)
_ATTRIBUTES = _details(
    models.TrialUserAttributeModel, "trial_user_attribute_id", "key", "value_json"
)
_ATTRIBUTES_BUT_CURVES = _ATTRIBUTES.where(
    models.TrialUserAttributeModel.__table__.c.key != "curves"
)
_NOTHING: dict[int, list[Any]] = {}
_SYSTEM_ATTRIBUTES = _details(
    models.TrialSystemAttributeModel, "trial_system_attribute_id", "key", "value_json"
)


def read_trial(engine: Engine, trial_id: int) -> FrozenTrial | None:
    """Read one trial, None where there is none of this id."""
    with reading(), alone(engine) as connection:
        found = _laid_out(connection, connection.execute(_SOME, {"wanted": [trial_id]}).all())
        return found[0] if found else None


def read_trials(
    engine: Engine,
    study_id: int,
    states: Container[TrialState] | None,
    wanted: Collection[int],
    newer_than: int,
    *,
    epochs: bool = True,
) -> list[FrozenTrial]:
    """Read trials of a study by id: those of the ids `wanted`, and all with ids above `newer_than`.

    Only those in `states` are read, if any are given. Without `epochs` they lack what each epoch
    reached: intermediate values, and the attribute "curves"; and Optuna's own attributes.
    """
    query, older = _OF_STUDY, sorted(number for number in wanted if number <= newer_than)
    if newer_than >= 0:
        query = query.where(or_(_trials.c.trial_id.in_(_WANTED), _NEWER) if older else _NEWER)
    if states is not None:
        query = query.where(_trials.c.state.in_([s for s in TrialState if s in states]))
    values = {"study": study_id, "newer_than": newer_than, "wanted": _padded(older)}
    with reading(), alone(engine) as connection:
        rows = connection.execute(query.order_by(_trials.c.trial_id), values)
        return _laid_out(connection, rows, epochs)


def _laid_out(
    connection: Connection, rows: Iterable[Row[Any]], epochs: bool = True
) -> list[FrozenTrial]:
    """Make Optuna's trials of their rows and what the other tables say of them."""
    rows = list(rows)
    return [
        trial
        for first in range(0, len(rows), _AT_ONCE)
        for trial in _some_laid_out(connection, rows[first : first + _AT_ONCE], epochs)
    ]


def _some_laid_out(
    connection: Connection, rows: Sequence[Row[Any]], epochs: bool
) -> Iterator[FrozenTrial]:
    wanted = _padded([row.trial_id for row in rows])

    def read(query: Select[Any]) -> dict[int, list[Any]]:
        found = defaultdict(list)
        for trial_id, *about in connection.execute(query, {"wanted": wanted}):
            found[trial_id].append(about)
        return found

    values, params, steps = read(_VALUES), read(_PARAMS), read(_STEPS) if epochs else _NOTHING
    attributes = read(_ATTRIBUTES if epochs else _ATTRIBUTES_BUT_CURVES)
    system_attributes = read(_SYSTEM_ATTRIBUTES) if epochs else _NOTHING
    value_of = models.TrialValueModel.stored_repr_to_value
    step_of = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    for row in rows:
        number = row.trial_id
        distributions = {name: _distribution(text) for name, _, text in params[number]}
        yield FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=[value_of(*value) for value in values[number]] or None,
            datetime_start=_local(row.datetime_start),
            datetime_complete=_local(row.datetime_complete),
            params={
                name: distributions[name].to_external_repr(value)
                for name, value, _ in params[number]
            },
            distributions=distributions,
            user_attrs={name: json.loads(text) for name, text in attributes[number]},
            system_attrs={
                name: json.loads(text) for name, text in system_attributes.get(number, ())
            },
            intermediate_values={step: step_of(*value) for step, *value in steps.get(number, ())},
            trial_id=number,
        )


def _padded(ids: list[int]) -> list[int]:
    """The ids, the last one repeated up to a power of two: a server then plans few statements."""
    return ids + ids[-1:] * ((1 << (len(ids) - 1).bit_length()) - len(ids)) if ids else ids


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else local_time(moment)
