"""Which pruner saves most and loses least: replayed over recorded curves, in many orders.

    python tests/bench/pruners.py sqlite:///runs/studies.db STUDY [STUDY ...]

Each study must have been run with `sampler = "random"` and `pruner = "none"`, so that its trials
are exchangeable and their curves whole. For every pruner and many random orders of the trials, the
curves are told to a fresh in-memory study epoch by epoch, as a worker would. Printed are the share of
epochs trained, and by how much the best value found is worse than the best of all, both averaged over
the orders.
"""

import sys
from typing import get_args

import numpy as np
import optuna
from rich.console import Console
from rich.table import Table

from objectives.search_space.pruning import PrunerName, make_pruner
from storage.database import open_storage
from storage.studies import read_study

ORDERS = 40
Curves = list[list[float]]


def replay(curves: Curves, name: PrunerName, epochs: int, seed: int) -> tuple[float, float]:
    """Share of epochs trained, and excess of the best value, for one order of the trials."""
    order = np.random.default_rng(seed).permutation(len(curves))
    study = optuna.create_study(pruner=make_pruner(name, epochs))
    trained, best = 0, float("inf")
    for index in order:
        trial, pruned = study.ask(), False
        for epoch, value in enumerate(curves[index], start=1):
            trial.report(value, epoch)
            trained += 1
            if trial.should_prune():
                pruned = True
                break
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, min(curves[index]))
            best = min(best, *curves[index])
    whole = sum(len(curve) for curve in curves)
    best_of_all = min(min(curve) for curve in curves)
    return trained / whole, best / best_of_all - 1


def main() -> None:
    """Print one table for the studies named on the command line."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(sys.argv[1])
    table = Table("study", "pruner", "epochs trained", "best value worse by")
    for study_name in sys.argv[2:]:
        record = read_study(storage, study_name)
        metric, epochs = "mse", record.attributes["identity"]["training"]["epochs"]
        curves = [t.attributes["curves"][metric] for t in record.trials if t.state == "complete"]
        for name in get_args(PrunerName):
            runs = [replay(curves, name, epochs, seed) for seed in range(ORDERS)]
            share, excess = np.mean(runs, axis=0)
            table.add_row(study_name, name, f"{share:.0%}", f"{excess:.2%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
