"""Slots: the trials a study asked for, each run once however often its worker dies.

A trial that is lost is tried again as a new Optuna trial that bears its slot, so that its seed and the
draws of every later trial are those of an undisturbed study.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from storage.database import Database
from storage.known_trials import newest_trials
from storage.retries import RETRY, SLOT, replaced, retry_of

MOST_RETRIES = 2
_FEW = 100


def seed_of(study_seed: int, slot: int, purpose: Literal["training", "sampling"]) -> int:
    """The seed of everything random in one trial; sampling has a stream apart from training's."""
    entropy = [study_seed, slot, ("training", "sampling").index(purpose)]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def slots_left(trials: Sequence[FrozenTrial], total: int) -> int:
    """How many trials may still be begun: those that wait, and those not yet created."""
    gone = replaced(trials)
    counted = [trial for trial in trials if trial.number not in gone]
    waiting = sum(trial.state == TrialState.WAITING for trial in counted)
    return waiting + max(0, total - len(counted))


@dataclass(frozen=True)
class Slots:
    """How many trials may still be begun, and how many are running."""

    left: int
    running: int

    @property
    def scarce(self) -> bool:
        """Whether workers that count at the same time could begin more trials than are left.

        Each begins one after it has counted, and most of them have one running at any time.
        """
        return self.left <= max(_FEW, 4 * self.running)


def count_slots(study: optuna.Study, storage: Database, total: int) -> Slots:
    """As `slots_left`, without reading the trials."""
    counts = storage.count_trials(study._study_id, RETRY)
    left = counts.waiting + max(0, total - (counts.created - len(counts.marked)))
    return Slots(left, counts.running)


def find_slot(study: optuna.Study, storage: Database, trial: FrozenTrial) -> int:
    """As `slot_of`, without reading the trials."""
    if SLOT in trial.user_attrs:
        return int(trial.user_attrs[SLOT])
    retries = storage.count_trials(study._study_id, RETRY).marked
    return trial.number - sum(number < trial.number for number in retries)


def try_again(study: optuna.Study, trial: FrozenTrial, *, lost: bool = True) -> bool:
    """Queue a trial that came to no result once more.

    Args:
        study: the trial's.
        trial: the trial, running or just failed.
        lost: whether this counts as one of its tries; an interruption by the user does not.

    Returns:
        False where it has been queued before or has no try left.
    """
    trials = newest_trials(study)
    retry = retry_of(trial, trials, lost=lost)
    if trial.number in replaced(trials) or retry.user_attrs["tries"] > 1 + MOST_RETRIES:
        return False
    study.add_trial(retry)
    return True
