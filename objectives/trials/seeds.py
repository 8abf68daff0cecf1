"""Seeds derived from a trial's own, one for each further network that is trained for it."""

import numpy as np

_FOLDS, _MEMBERS, _ATTEMPTS = 1, 2, 3  # what they are derived for


def fold_seed(seed: int, number: int) -> int:
    """The seed in fold `number`, from 1; the last fold has the trial's own seed instead."""
    return _derived(seed, _FOLDS, number)


def member_seeds(seed: int, members: int) -> tuple[int, ...]:
    """The seeds of a refit's members: the winner's own, then others."""
    return (seed, *(_derived(seed, _MEMBERS, number) for number in range(2, members + 1)))


def attempt_seed(seed: int, number: int) -> int:
    """The seed of the attempt `number`, from 1, to train a network; the first has `seed` itself."""
    return seed if number == 1 else _derived(seed, _ATTEMPTS, number)


def _derived(seed: int, purpose: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, purpose, number)).generate_state(1)[0])
