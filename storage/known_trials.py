"""Optuna's cache of a study's trials, made to read what has changed and no more."""

import time
from collections.abc import Container
from typing import TYPE_CHECKING

import optuna
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from storage.database import Database

_OUT_OF_ORDER = 100  # trials that another process may have begun to create, and not yet committed
_MANY = 200


class KnownTrials(_CachedStorage):
    """Reads again only trials that are running, have just ended, or are new.

    Optuna's own reads every trial that has not ended, each time it is asked; among them those that wait,
    which may be ten thousand, and cannot change before they run.

    Args:
        backend: the database.
        hold_seconds: for how long after it has read it answers from what it read then. What its own
            process creates is always known.
    """

    _backend: "Database"

    def __init__(self, backend: "Database", hold_seconds: float = 0.0) -> None:
        super().__init__(backend)
        self._hold_seconds = hold_seconds
        self._held_until = 0.0  # on the monotonic clock
        self._wants_running = self._wants_waiting = True

    def let_go(self) -> None:
        """Read again when next asked."""
        self._held_until = 0.0

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """As Optuna's, which keeps the new trial without noting that it has not ended."""
        trial_id = super().create_new_trial(study_id, template_trial)
        with self._lock:
            study = self._studies[study_id]
            study.unfinished_trial_ids.add(trial_id)
        return trial_id

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """As Optuna's; who asks for trials that have ended does not make it read those that run."""
        self._wants_running = states is None or TrialState.RUNNING in states
        self._wants_waiting = states is None or TrialState.WAITING in states
        return super().get_all_trials(study_id, deepcopy, states)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        with self._lock:
            # Whoever is about to begin a trial must see what has just been queued.
            asks_for_queue = self._wants_waiting and not self._wants_running
            if time.monotonic() < self._held_until and not asks_for_queue:
                return
            if self._wants_running:
                self._held_until = time.monotonic() + self._hold_seconds
            study = self._studies.setdefault(study_id, _StudyInfo())
            newest, unfinished = study.last_finished_trial_id, study.unfinished_trial_ids
            oldest = min(unfinished, default=newest + 1)
            listed = self._backend.list_trials(study_id, newest - _OUT_OF_ORDER, oldest)
            wanted = {
                number for number, state in listed.items() if self._is_wanted(study, number, state)
            }
            if not wanted:
                return
            # Many are asked for by the first of them, few by name.
            before = min(wanted) - 1 if len(wanted) > _MANY else max(listed)
            trials = self._backend._get_trials(study_id, None, wanted, before)
            self._add_trials_to_cache(study_id, trials)
            for trial in trials:
                if trial.state.is_finished():
                    unfinished.discard(trial._trial_id)
                else:
                    unfinished.add(trial._trial_id)
            if self._wants_running:
                # Here it means the newest trial that is known, whether or not it has ended.
                study.last_finished_trial_id = max(newest, *(t._trial_id for t in trials))

    def _is_wanted(self, study: _StudyInfo, number: int, state: str) -> bool:
        """Whether what is known of a trial, now in `state`, is too old for what was asked."""
        place = self._trial_id_to_study_id_and_number.get(number)
        known = None if place is None else study.trials.get(place[1])
        if known is not None and (
            known.state.is_finished() or known.state.name == state == "WAITING"
        ):
            return False
        if state == "RUNNING":
            was_queued = known is not None and known.state == TrialState.WAITING
            return self._wants_running or (self._wants_waiting and was_queued)
        return state != "WAITING" or self._wants_waiting


def newest_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The study's trials by number, read now even where they are held; nobody may change them."""
    if isinstance(study._storage, KnownTrials):
        study._storage.let_go()
    return study.get_trials(deepcopy=False)
