"""Pruning over folds: trials are compared by what they were worth at the same epoch of the same fold."""

import copy
from collections.abc import Container, Mapping
from typing import Any, cast

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class FoldwisePruner(BasePruner):
    """Shows a pruner one fold at a time, so that its steps are that fold's epochs.

    A trial reports epoch e of fold f as step (f - 1) * epochs + e. The pruner sees step e, and of every
    trial the mean that it would end with if its folds had come to their end there.

    Args:
        pruner: what decides, as for trials of one fold; it may ask the study for trials, and store what
            belongs to a trial.
        epochs: the most a trial may train for in a fold.
    """

    def __init__(self, pruner: BasePruner, epochs: int) -> None:
        self._pruner = pruner
        self._epochs = epochs

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to give the trial up at its newest epoch."""
        if trial.last_step is None:
            return False
        seen = _OneFold(study, (trial.last_step - 1) // self._epochs + 1, self._epochs)
        return self._pruner.prune(cast(Study, seen), seen.show(trial))


def values_in_fold(values: Mapping[int, float], fold: int, epochs: int) -> dict[int, float]:
    """Means over the folds up to `fold`, by epoch of that fold: the earlier ones at their best epochs.

    Args:
        values: step → validation metric, smaller being better.
        fold: counts from 1.
        epochs: steps of a fold, the last of which may be absent.
    """
    by_fold: dict[int, dict[int, float]] = {}
    for step, value in values.items():
        number, epoch = divmod(step - 1, epochs)
        by_fold.setdefault(number + 1, {})[epoch + 1] = value
    before = sum(min(by_fold[number].values()) for number in by_fold if number < fold)
    return {epoch: (before + value) / fold for epoch, value in by_fold.get(fold, {}).items()}


class _OneFold:
    """A study whose trials seem to have had one fold only."""

    def __init__(self, study: Study, fold: int, epochs: int) -> None:
        self._study, self._fold, self._epochs = study, fold, epochs
        self._prefix = f"fold {fold}: "
        self._storage = _OneFoldStorage(study._storage, self._prefix)

    def show(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial as it was in this fold, with what a pruner has stored of it there."""
        shown = copy.copy(trial)
        shown.intermediate_values = values_in_fold(
            trial.intermediate_values, self._fold, self._epochs
        )
        shown.system_attrs = {
            key.removeprefix(self._prefix): value
            for key, value in trial.system_attrs.items()
            if key.startswith(self._prefix)
        }
        return shown

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As the study's; they are copies anyway."""
        del deepcopy
        return [self.show(trial) for trial in self._study.get_trials(deepcopy=False, states=states)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


class _OneFoldStorage:
    """Where a pruner stores what belongs to a trial, told apart by fold."""

    def __init__(self, storage: Any, prefix: str) -> None:
        self._storage, self._prefix = storage, prefix

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As the storage's."""
        self._storage.set_trial_system_attr(trial_id, self._prefix + key, value)
