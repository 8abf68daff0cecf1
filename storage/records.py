"""Studies and trials as plain frozen records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from storage.errors import StorageError, database_errors

STATE_NAMES = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


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
        return self.ended.timestamp() - self.started.timestamp()  # exact where clocks change

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


def record_of_study(
    study: optuna.Study, trials: Sequence[FrozenTrial] | None = None
) -> StudyRecord:
    """Make the plain record of one of Optuna's studies, with these trials or, left out, with all.

    Whoever looks repeatedly keeps the study and calls this: finished trials are then read once.

    Raises:
        StorageError: The study has several objectives, or the database does not answer.
    """
    with database_errors(f"cannot read study {study.study_name!r}"):
        known = study.get_trials(deepcopy=False) if trials is None else trials
        if len(study.directions) != 1:
            raise StorageError(
                f"study {study.study_name!r} has {len(study.directions)} objectives; expected one"
            )
        return StudyRecord(
            name=study.study_name,
            minimize=study.direction == StudyDirection.MINIMIZE,
            attributes=study.user_attrs,
            trials=tuple(record_of(trial) for trial in known),
        )
