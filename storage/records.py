"""Studies and trials as plain frozen records, read from the database."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import DateTime, Float, Integer, Row, String, and_, column, func, select, table

from storage.artifacts import LOCATION, artifacts_of, open_artifacts, remove_artifacts
from storage.database import Database
from storage.errors import StorageError, database_errors
from storage.known_trials import KnownTrials
from storage.local_time import local_time
from storage.models import forget_models
from storage.turn import forget_turn

STATE_NAMES = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}

_CONFIRMATION = "/confirmation"  # a slash, which no user's study has in its name

# Optuna's tables, as far as a summary needs them: its own objects take seconds for 5,000 trials.
_trials = table(
    "trials",
    column("trial_id", Integer),
    column("study_id", Integer),
    column("state", String),
    column("datetime_start", DateTime),  # UTC without saying so
)
_values = table(
    "trial_values",
    column("trial_id", Integer),
    column("objective", Integer),
    column("value", Float),  # NULL where infinite
)


@dataclass(frozen=True)
class TrialRecord:
    """One stored trial.

    `state` is "waiting", "running", "complete", "pruned" or "failed"; `value` the objective (None
    where there is none, or where it is not finite); `intermediate_values` map an epoch (from 1) to
    the validation metric then, which may be NaN; `started` and `ended` are local times.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    intermediate_values: Mapping[int, float]
    attributes: Mapping[str, Any]
    started: datetime | None
    ended: datetime | None

    @property
    def seconds(self) -> float | None:
        """Seconds from start to end, None while the trial has not ended."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()

    @property
    def tie_breaker(self) -> float:
        """What decides between trials of equal value, the lower the better; 0 where nothing does."""
        return float(self.attributes.get("tie_breaker", 0.0))


@dataclass(frozen=True)
class StudyRecord:
    """One stored study with its trials by number; `minimize` says which direction is better."""

    name: str
    minimize: bool
    attributes: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]

    @property
    def best(self) -> TrialRecord | None:
        """The complete trial with the best value, None without one.

        The tie breaker decides between equals, then their number.
        """
        complete = [t for t in self.trials if t.state == "complete" and t.value is not None]
        if not complete:
            return None
        sign = 1 if self.minimize else -1
        return min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.tie_breaker))

    def count(self, state: str) -> int:
        """How many trials are in `state`."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True)
class StudySummary:
    """What a list of studies shows of one, without its trials.

    `counts` map each of the five states to a number of trials; `best` is the best finite value of a
    complete trial; `started` the local time at which the first trial began. `minimize` and `best`
    are None for a study with several objectives, which some other program has made.
    """

    name: str
    minimize: bool | None
    counts: Mapping[str, int]
    best: float | None
    started: datetime | None
    attributes: Mapping[str, Any]

    @property
    def total(self) -> int:
        """How many trials there are, whatever their state."""
        return sum(self.counts.values())


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Make the plain record of one of Optuna's trials (of a single objective)."""
    value = trial.values[0] if trial.values else None
    return TrialRecord(
        number=trial.number,
        state=STATE_NAMES[trial.state],
        value=value if value is not None and math.isfinite(value) else None,
        params=dict(trial.params),
        intermediate_values=dict(sorted(trial.intermediate_values.items())),
        attributes=dict(trial.user_attrs),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
    )


def record_of_study(study: optuna.Study) -> StudyRecord:
    """Make the plain record of one of Optuna's studies.

    Whoever looks repeatedly keeps the study and calls this: finished trials are then read once.

    Raises:
        StorageError: The study has several objectives, or the database does not answer.
    """
    with database_errors(f"cannot read study {study.study_name!r}"):
        return _record(study, study.get_trials(deepcopy=False))


def _record(study: optuna.Study, trials: Sequence[FrozenTrial]) -> StudyRecord:
    if len(study.directions) != 1:
        raise StorageError(
            f"study {study.study_name!r} has {len(study.directions)} objectives; expected one"
        )
    return StudyRecord(
        name=study.study_name,
        minimize=study.direction == StudyDirection.MINIMIZE,
        attributes=study.user_attrs,
        trials=tuple(record_of(trial) for trial in trials),
    )


def find_study(
    storage: Database,
    name: str,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
    hold_seconds: float = 0.0,
) -> optuna.Study:
    """Load Optuna's study of this name; `hold_seconds` are explained in `KnownTrials`.

    Raises:
        StorageError: There is no such study (the message names those with a similar name), or the
            database does not answer.
    """
    with database_errors(f"cannot read study {name!r}"):
        try:
            return optuna.load_study(
                study_name=name,
                storage=KnownTrials(storage, hold_seconds),
                sampler=sampler,
                pruner=pruner,
            )
        except KeyError:
            raise _absent(storage, name) from None


def read_study(storage: Database, name: str, *, epochs: bool = True) -> StudyRecord:
    """Read a study with all of its trials.

    Args:
        storage: the database.
        name: of the study.
        epochs: whether to read what trials reached in each epoch too, which is most of what is stored
            (intermediate values, and the attribute "curves").

    Raises:
        StorageError: There is no such study (the message names those with a similar name), it has
            several objectives, or the database does not answer.
    """
    study = find_study(storage, name)
    if epochs:
        return record_of_study(study)
    with database_errors(f"cannot read study {name!r}"):
        return _record(study, storage.read_without_epochs(study._study_id))


def confirmation_name(name: str) -> str:
    """The name of the study that holds the confirmation runs of another, and belongs to it."""
    return name + _CONFIRMATION


def has_study(storage: Database, name: str) -> bool:
    """Whether there is a study of this name.

    Raises:
        StorageError: The database does not answer.
    """
    with database_errors(f"cannot look for study {name!r}"):
        return any(study.study_name == name for study in storage.get_all_studies())


def study_names(storage: RDBStorage) -> tuple[str, ...]:
    """The names of the users' studies in the order of creation, without those that belong to one."""
    names = [study.study_name for study in storage.get_all_studies()]
    return tuple(
        name
        for name in names
        if not (name.endswith(_CONFIRMATION) and name.removesuffix(_CONFIRMATION) in names)
    )


def list_studies(storage: Database) -> tuple[StudySummary, ...]:
    """Summarise every study in the order of creation, in a number of queries that never grows.

    Raises:
        StorageError: The database does not answer.
    """
    query = (
        select(
            _trials.c.study_id,
            _trials.c.state,
            func.count().label("number"),
            func.min(_values.c.value).label("lowest"),
            func.max(_values.c.value).label("highest"),
            func.min(_trials.c.datetime_start).label("started"),
        )
        .join_from(
            _trials,
            _values,
            and_(_values.c.trial_id == _trials.c.trial_id, _values.c.objective == 0),
            isouter=True,
        )
        .group_by(_trials.c.study_id, _trials.c.state)
    )
    with database_errors("cannot list the studies"):
        names = study_names(storage)
        studies = [study for study in storage.get_all_studies() if study.study_name in names]
        with storage.engine.begin() as connection:
            rows = connection.execute(query).all()
    return tuple(
        _summary(study, [row for row in rows if row.study_id == study._study_id])
        for study in studies
    )


def delete_study(storage: Database, name: str, *, keep_artifacts: bool = False) -> None:
    """Delete a study, its confirmation, turn, registered models and, unless they are kept, artifacts.

    Raises:
        StorageError: There is no such study, the database does not answer, or the artifacts cannot be
            removed; the study is still there then.
    """
    study = find_study(storage, name)
    if has_study(storage, confirmation_name(name)):
        delete_study(storage, confirmation_name(name), keep_artifacts=keep_artifacts)
    with database_errors(f"cannot delete study {name!r}"):
        location = study.user_attrs.get(LOCATION)
        if location is not None and not keep_artifacts:
            artifacts = artifacts_of(study, study.get_trials(deepcopy=False))
            remove_artifacts(open_artifacts(location, check=False), artifacts)
        storage.delete_study(study._study_id)
    forget_turn(storage, study._study_id)
    forget_models(storage, name)


def _absent(storage: Database, name: str) -> StorageError:
    names = study_names(storage)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        hint = f"did you mean {' or '.join(repr(known) for known in close)}?"
    else:
        hint = f"studies that it has: {len(names)}, none with a similar name"
    return StorageError(f"there is no study {name!r} in the database; {hint}")


def _summary(study: FrozenStudy, rows: Sequence[Row[Any]]) -> StudySummary:
    """Lay out one study; `rows` hold its figures state by state."""
    found = {STATE_NAMES[TrialState[row.state]]: row for row in rows}
    minimize = study.direction == StudyDirection.MINIMIZE if len(study.directions) == 1 else None
    complete = found.get("complete")
    best = None
    if complete is not None and minimize is not None:
        best = complete.lowest if minimize else complete.highest
    started = min((row.started for row in rows if row.started is not None), default=None)
    return StudySummary(
        name=study.study_name,
        minimize=minimize,
        counts={
            state: found[state].number if state in found else 0 for state in STATE_NAMES.values()
        },
        best=best,
        started=started and local_time(started),
        attributes=study.user_attrs,
    )
