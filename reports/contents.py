"""What a report says, as plain frozen data; the writers of each format read nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.ledger import Opening
from storage.records import StudyRecord


@dataclass(frozen=True)
class Scores:
    """Scores of one forecast over one set of targets, in one unit.

    `overall` maps a metric ("mse", "mae", "rmse", "mase", "r2") to its figure over all steps and
    targets; `per_step` maps the same names to one figure for each step of the horizon.
    """

    overall: Mapping[str, float]
    per_step: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class ForecastScores:
    """The same forecast scored in the data's units and in training-standardised units."""

    data_units: Scores
    standardised: Scores


@dataclass(frozen=True)
class Winner:
    """The trial that won the search."""

    trial: int
    value: float
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Refit:
    """The retraining on train+validation: `epochs` (a fraction for a part) and `updates` made."""

    rule: str
    epochs: float
    updates: int
    seconds: float


@dataclass(frozen=True)
class Forecasts:
    """Stored forecasts on the test set, in the data's units.

    `truth` and `refitted` are (windows, horizon, targets); `naive` maps a baseline's name to the
    same shape. `times` label each window's first target: timestamps as ISO strings, or row numbers.
    """

    times: tuple[str, ...]
    targets: tuple[str, ...]
    truth: NDArray[np.float64]
    refitted: NDArray[np.float64]
    naive: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Ledger:
    """Every opening of the study's test set, the first one first.

    `other_winners` are the trial and seeds of every model tested that is not this report's; where there
    are any, its figure is not that of a first look.
    """

    openings: tuple[Opening, ...] = ()
    other_winners: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """What is known of a study while its test set is closed.

    `metric` names the objective. `winner` is the best trial so far, None before there is one. `facts`
    are lines for the reader (label → text): data, split dates, season, versions; "command" runs the
    study again. `importances` give each hyperparameter's share in the differences between trials.
    """

    study: StudyRecord
    task: str
    metric: str
    winner: Winner | None
    seconds: Mapping[str, float]
    paths: Mapping[str, str]
    facts: Mapping[str, str]
    ledger: Ledger = Ledger()
    importances: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StudyReport(SearchReport):
    """Everything that is known when a study is done.

    `validation` scores the winner as the search saw it; `test` the refitted model; `train_only` the
    winner before the refit, on the test set; `baselines` maps "persistence", "seasonal_naive" and
    "ridge" to their test scores.
    """

    winner: Winner
    validation: ForecastScores
    test: ForecastScores
    train_only: ForecastScores
    baselines: Mapping[str, ForecastScores]
    refit: Refit
    forecasts: Forecasts
