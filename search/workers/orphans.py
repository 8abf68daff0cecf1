"""Trials whose worker is gone: found, failed with the reason, and queued again."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import fail_stale_trials
from optuna.trial import TrialState

from search.study import AnyStudy
from search.workers.budget import shared_settings, trials_left
from search.workers.slots import try_again
from search.workers.worker_name import WorkerName

WORKER_DIED = "its worker died"


def trials_to_begin(found: optuna.Study, study: AnyStudy) -> int:
    """How many trials are to be begun, having queued again those whose worker is gone."""
    with experimental():
        fail_stale_trials(found)
    requeue_orphans(found)
    trials = found.get_trials(deepcopy=False)
    return trials_left(trials, shared_settings(found, study.study))


def any_running(found: optuna.Study) -> bool:
    """Whether trials are running, here or elsewhere."""
    return bool(found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def requeue_orphans(found: optuna.Study, *, lost: bool = True) -> None:
    """Fail the running trials of workers that are known to be dead, and queue them again.

    `lost` says whether that counts as one of a trial's tries.
    """
    for trial in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get("worker")
        if worker and WorkerName(*worker).dead:
            found._storage.set_trial_user_attr(trial._trial_id, "failure", WORKER_DIED)
            # Queued first, so that whoever is killed in between loses no point.
            try_again(found, trial, lost=lost)
            found.tell(trial.number, state=TrialState.FAIL)


@contextmanager
def experimental() -> Iterator[None]:
    """Silence Optuna's notice that a function is experimental; the user did not choose it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
