"""Pruners by name, and what each is told about a trial of so many epochs."""

from typing import Literal

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
    median = MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=warm_up)
    if name == "median":
        return median
    if name == "patient-median":
        return PatientPruner(median, patience=2)
    if name == "percentile":
        return PercentilePruner(25.0, n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=warm_up)
    if name == "successive-halving":
        return SuccessiveHalvingPruner(min_resource=warm_up, reduction_factor=2)
    if name == "hyperband":
        return HyperbandPruner(min_resource=warm_up, max_resource=epochs, reduction_factor=3)
    if name == "patient":
        return PatientPruner(None, patience=max(3, epochs // 5))
    return NopPruner()
