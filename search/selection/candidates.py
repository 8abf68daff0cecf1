"""Which trials are worth confirming: the best ones that are not nearly the same."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    FloatDistribution,
    IntDistribution,
)

from storage.records import TrialRecord

NEAR = 0.1  # of each parameter's range, at which two points are as good as one


def choose_candidates(
    trials: Sequence[TrialRecord], space: Mapping[str, BaseDistribution], most: int
) -> tuple[TrialRecord, ...]:
    """The best complete trials, the best one first, less those that nearly repeat a better one.

    Args:
        trials: of a study that is minimised.
        space: the varied parameters.
        most: how many to choose.
    """
    complete = [t for t in trials if t.state == "complete" and t.value is not None]
    chosen: list[TrialRecord] = []
    for trial in sorted(complete, key=lambda trial: (trial.value, trial.tie_breaker, trial.number)):
        if all(distance(trial.params, other.params, space) > NEAR for other in chosen):
            chosen.append(trial)
    return tuple(chosen[:most])


def distance(
    one: Mapping[str, Any], other: Mapping[str, Any], space: Mapping[str, BaseDistribution]
) -> float:
    """How far apart two points are in the parameter in which they differ most, from 0 to 1.

    The difference of two numbers is a share of the parameter's range, on its logarithmic scale where it
    has one. Two choices are 0 or 1 apart, as are a parameter and its absence.
    """
    return max((_apart(name, one, other, space[name]) for name in space), default=0.0)


def _apart(
    name: str, one: Mapping[str, Any], other: Mapping[str, Any], distribution: BaseDistribution
) -> float:
    if name not in one or name not in other:
        return float((name in one) != (name in other))
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return float(one[name] != other[name])  # choices
    scale = math.log if distribution.log else float
    span = scale(distribution.high) - scale(distribution.low)
    return abs(scale(one[name]) - scale(other[name])) / span if span > 0 else 0.0
