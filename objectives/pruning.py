"""Pruners by name, and what each is told about a trial of so many epochs."""

import warnings
from collections.abc import Callable
from typing import Literal

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

PrunerName = Literal[
    "median", "patient-median", "percentile", "successive-halving", "hyperband", "patient", "none"
]
_STARTUP_TRIALS = 5


def make_pruner(name: PrunerName, epochs: int) -> BasePruner:
    """Build a pruner for trials of at most `epochs` epochs.

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
        return makers[name]()
