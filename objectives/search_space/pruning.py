"""Pruners by name, and what each is told about a trial of so many epochs."""

import time
import warnings
from collections.abc import Callable, Container
from typing import Any, Literal, cast

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from objectives.search_space.fold_pruning import FoldwisePruner

PrunerName = Literal[
    "median", "patient-median", "percentile", "successive-halving", "hyperband", "patient", "none"
]
_STARTUP_TRIALS = 5
_LOOK_SECONDS = 1.0


def make_pruner(name: PrunerName, epochs: int, folds: int = 1) -> BasePruner:
    """Build a pruner for trials of at most `epochs` epochs in each of `folds` folds.

    No trial is pruned before a fifth of its epochs nor among the first few trials. Hyperband is given
    its largest resource, since "auto" waits for a complete trial and prunes none until then.
    """
    warm_up = max(1, epochs // 5)
    patience = max(2, epochs // 5)
    start = {"n_startup_trials": _STARTUP_TRIALS, "n_warmup_steps": warm_up}
    makers: dict[str, Callable[[], BasePruner]] = {
        "median": lambda: MedianPruner(**start),
        "patient-median": lambda: PatientPruner(MedianPruner(**start), patience=patience),
        "percentile": lambda: PercentilePruner(25.0, **start),
        "successive-halving": lambda: SuccessiveHalvingPruner(
            min_resource=warm_up, reduction_factor=2
        ),
        "hyperband": lambda: HyperbandPruner(
            min_resource=warm_up, max_resource=epochs, reduction_factor=3
        ),
        "patient": lambda: PatientPruner(None, patience=patience),
        "none": NopPruner,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's word for PatientPruner
        pruner = makers[name]()
    return pruner if folds == 1 else FoldwisePruner(pruner, epochs)


class GlancingPruner(BasePruner):
    """A pruner that looks at the other trials when a trial begins, and then once a second at most.

    Optuna's look after every epoch, which is most of what a study reads from its database.

    Args:
        pruner: what decides.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner
        self._trial_id: int | None = None
        self._until = 0.0
        self._seen: _Seen | None = None

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """As the pruner decides from what was last seen of the others, and the trial's newest epoch."""
        now = time.monotonic()
        if self._seen is None or self._trial_id != trial._trial_id or now > self._until:
            self._trial_id, self._until = trial._trial_id, now + _LOOK_SECONDS
            self._seen = _Seen(study)
        return self._pruner.prune(cast(Study, self._seen), trial)


class _Seen:
    """A study as it was when it was first asked for its trials."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._seen: dict[Container[TrialState] | None, list[FrozenTrial]] = {}

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As the study's, of that moment; `deepcopy` is not needed, since pruners change nothing."""
        del deepcopy
        if states not in self._seen:
            self._seen[states] = self._study.get_trials(deepcopy=False, states=states)
        return self._seen[states]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)
