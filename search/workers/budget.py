"""When a search ends: what its study's settings allow, and what its trials have used of that.

The settings are in the database, and everything is worked out from the trials there, so that workers on
any machine and later runs count alike.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

import optuna
from optuna.study import StudyDirection
from optuna.terminator import BestValueStagnationEvaluator
from optuna.trial import FrozenTrial, TrialState

from search.sections import StudySettings
from search.study import AnyStudy
from search.workers.slots import slots_left
from storage.known_trials import newest_trials
from storage.records import StudyRecord
from storage.retries import replaced

SETTINGS = "settings"  # the study's attribute that holds them
_SHARED = ("trials", "timeout", "until", "no_improvement", "grace_period", "checkpoint_seconds")


def share_settings(found: optuna.Study, study: AnyStudy) -> None:
    """Store what every worker of a study goes by; it may differ from run to run."""
    shared = study.study.model_dump(mode="json", include=set(_SHARED))
    found.set_user_attr(SETTINGS, {**shared, "trials": study.trials})


def shared_settings(found: optuna.Study, mine: StudySettings) -> StudySettings:
    """My settings, with those of the latest run wherever all workers must agree."""
    return mine.model_copy(update=found.user_attrs[SETTINGS])


def trials_left(trials: Sequence[FrozenTrial], settings: StudySettings) -> int:
    """How many trials may still be begun: none once the search has had enough."""
    return 0 if _enough(trials, settings) else slots_left(trials, settings.trials)


def has_enough(study: optuna.Study, settings: StudySettings) -> bool:
    """Whether the search has had enough, however many trials are left; reads as little as can be."""
    limits = (settings.timeout, settings.until, settings.no_improvement)
    return limits != (None, None, None) and _enough(newest_trials(study), settings)


def seconds_searched(trials: Sequence[FrozenTrial]) -> float:
    """Seconds during which at least one trial was training that came to an end of its own.

    Trials that were lost do not count: when they really ended is not known.
    """
    lost = replaced(trials)
    return seconds_covered(
        (trial.datetime_start, trial.datetime_complete)
        for trial in trials
        if trial.number not in lost
    )


def seconds_of_search(record: StudyRecord) -> float:
    """As `seconds_searched`, of what has been read of a study."""
    lost = {trial.attributes.get("retry_of") for trial in record.trials}
    kept = (trial for trial in record.trials if trial.number not in lost)
    return seconds_covered((trial.started, trial.ended) for trial in kept)


def seconds_covered(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float:
    """Seconds within at least one span from a start to an end; a span without one of them is none."""
    # Local times leap and come back where the clocks are changed; their time stamps do not.
    stamped = [(start.timestamp(), end.timestamp()) for start, end in spans if start and end]
    seconds, reached = 0.0, -math.inf
    for started, ended in sorted(stamped):
        seconds += max(0.0, ended - max(started, reached))
        reached = max(reached, ended)
    return seconds


def _enough(trials: Sequence[FrozenTrial], settings: StudySettings) -> bool:
    """Whether the time is up, the value wanted is reached, or nothing better has come for too long."""
    if settings.timeout is not None and seconds_searched(trials) >= settings.timeout:
        return True
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    values = [trial.value for trial in complete if trial.value is not None]
    if not values:
        return False
    if settings.until is not None and min(values) <= settings.until:
        return True
    if settings.no_improvement is None:
        return False
    left = BestValueStagnationEvaluator(settings.no_improvement - 1)
    return left.evaluate(list(trials), StudyDirection.MINIMIZE) < 0
