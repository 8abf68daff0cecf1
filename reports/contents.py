"""What a report says, as plain frozen data; the writers of each format read nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.ledger import Opening
from storage.records import StudyRecord

COMMAND = "command"  # the fact that is a command, and shown as one


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
    """The retraining: `epochs` passes through train+validation (fractions for parts), and `updates`."""

    rule: str
    epochs: float
    updates: int
    seconds: float


@dataclass(frozen=True)
class Forecasts:
    """Stored forecasts on the test set, in the data's units.

    `truth` and `refitted` are (windows, horizon, targets); `naive` maps a baseline's name to the
    same shape. `times` label each window's first target: timestamps as ISO strings, or row numbers.
    `stride` is the number of rows from one window to the next.
    """

    times: tuple[str, ...]
    targets: tuple[str, ...]
    truth: NDArray[np.float64]
    refitted: NDArray[np.float64]
    naive: Mapping[str, NDArray[np.float64]]
    stride: int = 1


@dataclass(frozen=True)
class Estimate:
    """A figure of the test set and the ends of its 95 % interval (NaN where there is none)."""

    figure: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The refitted model's scores less a naive forecast's on the same test windows, by metric.

    `statistic` and `p` are those of the Diebold–Mariano test of their standardised squared errors, and
    `adjusted_p` is raised for the number of naive forecasts tested (Holm 1979).
    """

    data_units: Mapping[str, Estimate]
    standardised: Mapping[str, Estimate]
    statistic: float
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Uncertainty:
    """How far the test scores can be trusted.

    The intervals are the refitted model's, from `resamples` bootstrap resamples of the test `windows`
    in blocks of `block` neighbouring ones. `differences` maps a naive forecast's name to the
    comparison, `naive_validation` to its standardised MSE on validation. `short` says that the errors
    depend on each other for longer than a fifth of the test set, so that all this claims too much.
    """

    windows: int
    block: int
    short: bool
    resamples: int
    data_units: Mapping[str, Estimate]
    standardised: Mapping[str, Estimate]
    differences: Mapping[str, Difference]
    naive_validation: Mapping[str, float]

    @property
    def strongest(self) -> str:
        """The naive forecast that was best on validation, before the test set was opened."""
        return min(self.naive_validation, key=self.naive_validation.__getitem__)


@dataclass(frozen=True)
class LevelCoverage:
    """How prediction intervals of one `level` did on the test set.

    `coverage` is the share of the test values that they held, the widths are means over steps and
    targets; each is also there for every step of the horizon. Standardised widths are in units of each
    target's deviation over the training rows.
    """

    level: float
    coverage: float
    mean_width: float
    mean_width_standardised: float
    coverage_per_step: tuple[float, ...]
    mean_width_per_step: tuple[float, ...]
    mean_width_standardised_per_step: tuple[float, ...]


@dataclass(frozen=True)
class Intervals:
    """Prediction intervals from the errors in `windows` validation windows, level by level.

    There are none where `absent` says why.
    """

    windows: int
    levels: tuple[LevelCoverage, ...] = ()
    absent: str = ""


@dataclass(frozen=True)
class Check:
    """A claim of the leakage audit, whether it holds, and what that was seen by."""

    check: str
    passed: bool
    evidence: str


@dataclass(frozen=True)
class Ledger:
    """Every opening of the study's test set, the first one first.

    `other_winners` are the trial and seeds of every model tested that is not this report's; where there
    are any, its figure is not that of a first look.
    """

    openings: tuple[Opening, ...] = ()
    other_winners: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A trial that is trained again with `seeds` fresh seeds.

    `search` is its score in the search; `scores` are those of the runs that have ended, in the same
    units, None for one that failed. `tie_breaker`, the lower the better, decides between equal means.
    """

    trial: int
    search: float
    scores: tuple[float | None, ...]
    seeds: int
    tie_breaker: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether all of its runs have ended."""
        return len(self.scores) == self.seeds

    @property
    def mean(self) -> float | None:
        """The mean over the seeds, None where one failed or is missing."""
        whole = [score for score in self.scores if score is not None]
        return fmean(whole) if whole and len(whole) == self.seeds else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation over the seeds, None for fewer than two."""
        whole = [score for score in self.scores if score is not None]
        return stdev(whole) if len(whole) > 1 else None


@dataclass(frozen=True)
class Confirmation:
    """The candidates in the order of their scores in the search: the first one led it."""

    candidates: tuple[Candidate, ...]

    @property
    def ranked(self) -> tuple[int, ...]:
        """The trials in the order of their means, less those that failed; none before all runs ended."""
        if not all(each.ended for each in self.candidates):
            return ()
        confirmed = [each for each in self.candidates if each.mean is not None]
        by_mean = sorted(confirmed, key=lambda each: (each.mean or 0.0, each.tie_breaker))
        return tuple(each.trial for each in by_mean)

    @property
    def winner(self) -> int | None:
        """The trial with the best mean; None before every run has ended, or if all candidates failed."""
        return self.ranked[0] if self.ranked else None


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
    confirmation: Confirmation | None = None


@dataclass(frozen=True, kw_only=True)
class StudyReport(SearchReport):
    """Everything that is known when a study is done.

    `validation` scores the winner as the search saw it; `test` the refitted model; `train_only` the
    winner before the refit, on the test set; `baselines` maps "persistence", "seasonal_naive" and
    "ridge" to their test scores. `uncertainty` is None where the test set is too short to tell. `audit`
    holds what the run that tested the winner checked, nothing before it has.
    """

    winner: Winner
    validation: ForecastScores
    test: ForecastScores
    train_only: ForecastScores
    baselines: Mapping[str, ForecastScores]
    refit: Refit
    forecasts: Forecasts
    intervals: Intervals
    uncertainty: Uncertainty | None = None
    audit: tuple[Check, ...] = ()
