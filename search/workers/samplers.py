"""Samplers by name, made anew for each trial from the study's seed and the trial's slot."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from objectives.errors import InputError
from objectives.search_space.space import Space, grid_values
from search.workers.slots import seed_of

_NEEDS = {"gp": "torch", "cmaes": "cmaes"}


def check_sampler(name: str) -> None:
    """Check that a sampler's packages are there.

    Raises:
        InputError: names the package to install.
    """
    needed = _NEEDS.get(name)
    if needed and importlib.util.find_spec(needed) is None:
        raise InputError(
            f"[study] sampler {name!r} needs the package {needed}: pip install {needed}"
        )


def make_sampler(
    name: str, space: Space[Any], workers: int, study_seed: int, seed: int
) -> BaseSampler:
    """Build a sampler for one trial.

    `seed` is the trial's. What spans the study takes `study_seed` instead: the order of the grid's
    points, and the scrambling of QMC's sequence.
    TPE starts with twice as many random trials as there are workers, ten at least.
    """
    first_random = max(10, 2 * workers)
    if name == "tpe":
        return TPESampler(n_startup_trials=first_random, group=space.conditional, seed=seed)
    if name == "grid":
        values = {n: grid_values(d) for n, d in space.distributions().items()}
        return GridSampler({n: v for n, v in values.items() if v is not None}, seed=study_seed)
    if name == "gp":
        return GPSampler(n_startup_trials=first_random, seed=seed)
    if name == "cmaes":
        return CmaEsSampler(n_startup_trials=first_random, seed=seed)
    if name == "qmc":
        return QMCSampler(
            scramble=True,
            seed=study_seed,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
        )
    return RandomSampler(seed=seed)


class SlotSampler(BaseSampler):
    """A sampler whose draws depend on the study so far and on the trial's slot, and on nothing else.

    Optuna's samplers keep one stream of random numbers for a process, so that a resumed study would
    draw its first points once more. `build` makes a sampler from a seed, `find_slot` tells a trial's
    slot; `began` is called once a trial exists in the database, before it is sampled. `slot` is that of
    the latest trial.
    """

    def __init__(
        self,
        study_seed: int,
        build: Callable[[int], BaseSampler],
        find_slot: Callable[[optuna.Study, FrozenTrial], int],
        began: Callable[[], None],
    ) -> None:
        self._study_seed = study_seed
        self._build = build
        self._find_slot = find_slot
        self._began = began
        self._sampler = build(study_seed)
        self.slot = 0

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self._began()
        self.slot = self._find_slot(study, trial)
        self._sampler = self._build(seed_of(self._study_seed, self.slot, "sampling"))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the trial's sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the trial's sampler does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As the trial's sampler does."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As the trial's sampler does."""
        self._sampler.after_trial(study, trial, state, values)
