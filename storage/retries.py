"""Retries: a trial that came to no result is tried again as a new one, which draws what it drew."""

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

_KEPT = ("confirms", "run", "seed")  # attributes that a retry takes over
_DRAWN = "hyperparameters"  # the attribute of a trial that has all its parameters
FIXED = "fixed_params"  # Optuna's attribute of a trial that was queued, with its point
_CHOICES = (FIXED, "grid_id", "search_space")  # Optuna's, made before anything is drawn
SLOT, RETRY = "slot", "retry_of"  # attributes of a retry: its slot, and the number it stands for


def slot_of(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """The trial's place among the trials asked for, from 0; a retry has that of its original."""
    if SLOT in trial.user_attrs:
        return int(trial.user_attrs[SLOT])
    earlier = (t for t in trials if t.number < trial.number)
    return trial.number - sum(RETRY in other.user_attrs for other in earlier)


def replaced(trials: Sequence[FrozenTrial]) -> set[int]:
    """Numbers of the trials that a retry stands for."""
    return {t.user_attrs[RETRY] for t in trials if RETRY in t.user_attrs}


def retry_of(trial: FrozenTrial, trials: Sequence[FrozenTrial], *, lost: bool) -> FrozenTrial:
    """The trial to add to a study for one of its `trials`; `lost` counts as one of its tries."""
    kept = {name: trial.user_attrs[name] for name in _KEPT if name in trial.user_attrs}
    tries = int(trial.user_attrs.get("tries", 1)) + lost
    marks = {SLOT: slot_of(trial, trials), RETRY: trial.number, "tries": tries}
    return create_trial(
        state=TrialState.WAITING, system_attrs=_chosen(trial), user_attrs={**kept, **marks}
    )


def _chosen(trial: FrozenTrial) -> dict[str, Any]:
    """What makes a retry draw what the trial drew, or would have drawn: Optuna's own attributes."""
    if _DRAWN in trial.user_attrs:
        return {FIXED: trial.params}
    # Parameters drawn before it was lost, if they stayed, would change what is drawn for the others.
    return {name: trial.system_attrs[name] for name in _CHOICES if name in trial.system_attrs}
