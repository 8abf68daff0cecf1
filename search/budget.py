"""When a search has had enough before it has all of its trials."""

from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.terminator import BestValueStagnationEvaluator
from optuna.trial import FrozenTrial, TrialState

from search.study import StudySettings


def enough(trials: Sequence[FrozenTrial], settings: StudySettings) -> bool:
    """Whether the value wanted is reached, or the last complete trials brought nothing better.

    It is asked before each trial, by every worker and every later run alike: what counts is what is in
    the database.
    """
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
