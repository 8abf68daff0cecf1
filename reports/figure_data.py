"""What each plot shows, as plain data that can be checked without a pixel."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.contents import Forecasts, ForecastScores, SearchReport, StudyReport
from reports.counts import finished_trials
from reports.wording import several_targets
from storage.records import StudyRecord, TrialRecord

STRETCH_POINTS = 200
WIDE_SPREAD = 10.0
MOST_RATE_DROPS = 5


@dataclass(frozen=True)
class LossCurves:
    """The winning run by epoch; entry i belongs to epoch i + 1, `best_epoch` counts from 1."""

    metric: str
    loss: tuple[float, ...]
    validation: tuple[float, ...]
    learning_rate: tuple[float, ...]
    best_epoch: int
    logarithmic: bool

    @property
    def lowered(self) -> tuple[int, ...]:
        """Epochs that began with a lower learning rate, none where it falls smoothly all along."""
        rates = self.learning_rate
        drops = tuple(i + 1 for i in range(1, len(rates)) if rates[i] < 0.99 * rates[i - 1])
        return drops if len(drops) <= MOST_RATE_DROPS else ()

    @property
    def still_improving(self) -> bool:
        """Whether the last epoch was the best one, so that training may have ended too soon."""
        return self.best_epoch == len(self.validation)


@dataclass(frozen=True)
class Points:
    """Trials of one state: `values[i]` belongs to trial `numbers[i]`."""

    numbers: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class History:
    """The value of every finished trial by its number.

    `failed` trials have no value. `best` holds a point for each trial that improved on all complete
    ones before it. `winner` is the number of the trial that was crowned, None without one. `total`
    counts the trials without a finite value to stand at, too.
    """

    metric: str
    total: int
    complete: Points
    pruned: Points
    failed: tuple[int, ...]
    best: Points
    winner: int | None
    logarithmic: bool


@dataclass(frozen=True)
class Stretch:
    """A readable part of the test set for one target, windows that do not overlap joined.

    `truth`, `refitted` and each of `naive` hold one figure a point; `rows` the row of each point, from
    that of the first on, and `labels` its time ("" where unknown); `starts` the points at which a new
    forecast was made.
    """

    target: str
    rows: tuple[int, ...]
    labels: tuple[str, ...]
    starts: tuple[int, ...]
    truth: NDArray[np.float64]
    refitted: NDArray[np.float64]
    naive: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class StepErrors:
    """Test RMSE by forecast step, over all targets; entry i belongs to step i + 1."""

    refitted: tuple[float, ...]
    naive: Mapping[str, tuple[float, ...]]


def loss_curves_info(report: SearchReport) -> LossCurves | None:
    """Read the winner's curves, None where its trial kept none."""
    winner = None if report.winner is None else report.winner.trial
    attributes = next((t.attributes for t in report.study.trials if t.number == winner), {})
    curves = attributes.get("curves", {})
    validation = tuple(curves.get(report.metric, ()))
    if not validation or "best_epoch" not in attributes:
        return None
    loss = tuple(curves.get("loss", ()))
    return LossCurves(
        metric=report.metric,
        loss=loss,
        validation=validation,
        learning_rate=tuple(curves.get("learning_rate", ())),
        best_epoch=int(attributes["best_epoch"]),
        logarithmic=spreads_widely([*loss, *validation]),
    )


def history_info(report: SearchReport) -> History:
    """Sort the finished trials by state, a pruned one at the last value that it reported."""
    trials = finished_trials(report.study)
    complete = _points(trials, "complete")
    pruned = _points(trials, "pruned")
    return History(
        metric=report.metric,
        total=len(trials),
        complete=complete,
        pruned=pruned,
        failed=tuple(trial.number for trial in trials if trial.state == "failed"),
        best=_running_best(complete, report.study),
        winner=None if report.winner is None else report.winner.trial,
        logarithmic=spreads_widely([*complete.values, *pruned.values]),
    )


def stretch_info(forecasts: Forecasts, points: int = STRETCH_POINTS) -> Stretch:
    """Take the first windows of the test set, about `points` points, for the first target.

    It is the start of the test set and never a part picked for its looks. A horizon longer than
    `points` is shown whole.
    """
    windows, horizon, _ = forecasts.truth.shape
    apart = math.ceil(horizon / forecasts.stride)
    chosen = np.arange(0, windows, apart)[: max(1, points // horizon)]
    rows = (chosen[:, None] * forecasts.stride + np.arange(horizon)).ravel()  # (chosen · horizon,)

    def joined(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[chosen, :, 0].reshape(-1)  # (chosen · horizon,)

    return Stretch(
        target=forecasts.targets[0],
        rows=tuple(rows.tolist()),
        labels=tuple(_label(row, forecasts) for row in rows.tolist()),
        starts=tuple(range(0, len(chosen) * horizon, horizon)),
        truth=joined(forecasts.truth),
        refitted=joined(forecasts.refitted),
        naive={name: joined(values) for name, values in forecasts.naive.items()},
    )


def step_errors_info(report: StudyReport) -> StepErrors | None:
    """Read RMSE by step in the units of the verdict, None for a horizon of one step."""

    def steps(scores: ForecastScores) -> tuple[float, ...]:
        unit = scores.standardised if several_targets(report) else scores.data_units
        return tuple(unit.per_step.get("rmse", ()))

    refitted = steps(report.test)
    if len(refitted) < 2:
        return None
    naive = {name: steps(scores) for name, scores in report.baselines.items()}
    return StepErrors(refitted, {n: v for n, v in naive.items() if len(v) == len(refitted)})


def spreads_widely(values: Sequence[float]) -> bool:
    """Say whether positive values reach over more than a factor of ten."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > WIDE_SPREAD


def _points(trials: Sequence[TrialRecord], state: str) -> Points:
    pairs = [(t.number, _shown_value(t)) for t in trials if t.state == state]
    finite = [(number, value) for number, value in pairs if math.isfinite(value)]
    return Points(tuple(n for n, _ in finite), tuple(value for _, value in finite))


def _shown_value(trial: TrialRecord) -> float:
    """Prefer a pruned trial's last report: its `value` may be an earlier, better one."""
    if trial.state == "pruned" and trial.intermediate_values:
        return trial.intermediate_values[max(trial.intermediate_values)]
    return math.nan if trial.value is None else trial.value


def _running_best(complete: Points, study: StudyRecord) -> Points:
    numbers: list[int] = []
    values: list[float] = []
    for number, value in sorted(zip(complete.numbers, complete.values, strict=True)):
        if not values or (value < values[-1] if study.minimize else value > values[-1]):
            numbers.append(number)
            values.append(value)
    return Points(tuple(numbers), tuple(values))


def _label(row: int, forecasts: Forecasts) -> str:
    """The time of a row, which is known where a window's targets begin."""
    window, within = divmod(row, forecasts.stride)
    return forecasts.times[window] if within == 0 and window < len(forecasts.times) else ""
