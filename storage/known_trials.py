"""Optuna's cache of a study's trials, made to read what has changed and no more."""

from typing import TYPE_CHECKING

from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.trial import FrozenTrial

if TYPE_CHECKING:
    from storage.database import Database

_OUT_OF_ORDER = 100  # trials that another process may have begun to create, and not yet committed


class KnownTrials(_CachedStorage):
    """Reads again only trials that are running, have just ended, or are new.

    Optuna's own reads every trial that has not ended, each time it is asked; among them those that wait,
    which may be ten thousand, and cannot change before they run.
    """

    _backend: "Database"

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """As Optuna's, which keeps the new trial without noting that it has not ended."""
        trial_id = super().create_new_trial(study_id, template_trial)
        with self._lock:
            study = self._studies[study_id]
            study.unfinished_trial_ids.add(trial_id)
        return trial_id

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        with self._lock:
            study = self._studies.setdefault(study_id, _StudyInfo())
            newest, unfinished = study.last_finished_trial_id, study.unfinished_trial_ids
            oldest = min(unfinished, default=newest + 1)
            listed = self._backend.list_trial_ids(study_id, newest - _OUT_OF_ORDER, oldest)
            new = [
                number for number in listed if number not in self._trial_id_to_study_id_and_number
            ]
            again = {number for number in unfinished if not listed.get(number, True)}
            if not new and not again:
                return
            before = min(new, default=newest + 1) - 1
            trials = self._backend._get_trials(study_id, None, again, before)
            self._add_trials_to_cache(study_id, trials)
            for trial in trials:
                if trial.state.is_finished():
                    unfinished.discard(trial._trial_id)
                else:
                    unfinished.add(trial._trial_id)
            # Here it means the newest trial that is known, whether or not it has ended.
            study.last_finished_trial_id = max(newest, *(trial._trial_id for trial in trials))
