"""Studies in the database: found, read, listed and deleted."""

import difflib
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import StudyModel
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import TrialState
from sqlalchemy import DateTime, Float, Integer, Row, String, and_, column, func, select, table
from sqlalchemy.orm import Session

from storage.artifacts import LOCATION, artifacts_of, open_artifacts, remove_artifacts
from storage.database import Database
from storage.errors import StorageError, database_errors
from storage.known_trials import KnownTrials
from storage.local_time import local_time
from storage.models import forget_models
from storage.records import STATE_NAMES, StudyRecord, StudySummary, record_of_study
from storage.turn import forget_turn

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


def find_study(
    storage: Database,
    name: str,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
    hold_seconds: float = 0.0,
) -> optuna.Study:
    """Load Optuna's study of this name; `hold_seconds` are explained in `KnownTrials`.

    Raises:
        StorageError: There is no such study (the message names those with a similar name), or another
            that the database does not tell from it, or the database does not answer.
    """
    with database_errors(f"cannot read study {name!r}"):
        try:
            study = optuna.load_study(
                study_name=name,
                storage=KnownTrials(storage, hold_seconds),
                sampler=sampler,
                pruner=pruner,
            )
        except KeyError:
            raise _absent(storage, name) from None
        # MySQL's collations pass over case and accents.
        known = storage.get_study_name_from_id(study._study_id)
    if known != name:
        raise StorageError(
            f"the database does not tell {name!r} from its study {known!r}: write that name, or choose "
            "another"
        )
    return study


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
        trials = storage.read_without_epochs(study._study_id)
    return record_of_study(study, trials)


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
    studies = [find_study(storage, name)]
    if has_study(storage, confirmation_name(name)):
        studies.append(find_study(storage, confirmation_name(name)))
    with database_errors(f"cannot delete study {name!r}"):
        for study in studies:
            location = study.user_attrs.get(LOCATION)
            if location is not None and not keep_artifacts:
                artifacts = artifacts_of(study, study.get_trials(deepcopy=False))
                remove_artifacts(open_artifacts(location, check=False), artifacts)
        # At once: who misses one of them must find that the other is gone too.
        with Session(storage.engine) as session, session.begin():
            for study in studies:
                session.delete(session.get_one(StudyModel, study._study_id))
    for study in studies:
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
