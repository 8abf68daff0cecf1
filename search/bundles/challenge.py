"""A new model against the one in production, on rows that neither has been fitted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.data.dataset import Dataset
from objectives.errors import InputError
from objectives.judging.metrics import Yardstick
from objectives.judging.uncertainty import (
    LEAST_BLOCKS,
    block_length,
    diebold_mariano,
    interval,
    losses,
    resampled_metrics,
    window_means,
)
from reports.bundle import Bundle, Metadata
from reports.bundle.forecasting import answer
from reports.bundle.series import Series
from reports.bundle.timeline import without_zone
from search.bundles.fresh_rows import FreshRows, series_of

_CHALLENGER, _CHAMPION = "challenger", "champion"
_SEED = 0  # of the resamples; the same data give the same decision


@dataclass(frozen=True)
class Contest:
    """Two models on the same targets: the mean loss of each.

    The difference is the first less the second, with its 95 % interval from `low` to `high` by a paired
    bootstrap. `short` says that errors depend on each other for longer than the data can show, so that
    the interval is too narrow.
    """

    challenger: float
    champion: float
    low: float
    high: float
    short: bool

    @property
    def difference(self) -> float:
        """Negative where the challenger errs less."""
        return self.challenger - self.champion

    @property
    def better(self) -> bool:
        """Whether the challenger errs less by more than chance."""
        return not self.doubt

    @property
    def doubt(self) -> str:
        """Why the challenger is not known to be better, in words; empty where it is."""
        if self.difference >= 0:
            return "it is no better"
        if self.short:
            return "the data are too short for how long errors depend on each other"
        return "" if self.high < 0 else "the difference may be chance"


@dataclass(frozen=True)
class Verdict(Contest):
    """Two forecasters, by mean squared errors in units of the targets' deviations in training.

    The bootstrap drew blocks of `block` windows; `p` is that of a Diebold–Mariano test.
    """

    windows: int
    block: int
    p: float


def challenge(challenger: Bundle, champion: Bundle, rows: FreshRows) -> Verdict:
    """Score two models on the targets of every window that both can look back on.

    Raises:
        InputError: the models do not forecast the same, the rows are too few, or one of the models was
            fitted on them.
        reports.bundle.BundleError: the rows do not fit a model.
    """
    _check_comparable(challenger.metadata, champion.metadata)
    mine, theirs = (series_of(rows, each.metadata) for each in (challenger, champion))
    horizon = challenger.metadata.horizon
    first = max(challenger.metadata.timesteps, champion.metadata.timesteps)
    origins = np.arange(first, len(mine.values) - horizon + 1)
    least = LEAST_BLOCKS * max(2, horizon)
    if len(origins) < least:
        raise InputError(
            f"{rows.source}: {len(mine.values)} rows are too few to tell the models apart: windows of "
            f"{first} rows with targets of {horizon} need at least {least + first + horizon - 1}"
        )
    for series in (mine, theirs):
        _check_fresh(series, int(origins[0]))
    truth = mine.truth(origins)
    if not np.array_equal(truth, theirs.truth(origins)):
        raise InputError(f"{rows.source}: the two models fill holes of the targets differently")
    forecasts = {
        _CHALLENGER: _forecast(challenger, mine, origins),
        _CHAMPION: _forecast(champion, theirs, origins),
    }
    return _judge(truth, forecasts, _measure(champion.metadata))


def _check_comparable(mine: Metadata, theirs: Metadata) -> None:
    for what, one, other in (
        ("task", mine.task, theirs.task),
        ("targets", mine.targets, theirs.targets),
        ("horizon", mine.horizon, theirs.horizon),
        ("time", mine.time, theirs.time),
    ):
        if one != other:
            raise InputError(
                f"the two models cannot be compared: their {what} differ: {one} and {other}"
            )
    if mine.task != "forecast":
        raise InputError("only models that forecast can be compared on fresh data")


def _check_fresh(series: Series, first: int) -> None:
    """Refuse rows that a model was fitted on, as far as its bundle tells; inputs may be old."""
    about, source = series.about, series.source
    name = f"the model of trial {about.provenance.trial} (export {about.version})"
    fitted = about.provenance.data
    if series.times is not None and fitted.get("fitted_until") is not None:
        until = np.datetime64(without_zone(fitted["fitted_until"], about.time.zone), "us")
        if series.times[first] <= until:
            raise InputError(
                f"{source}: {name} was fitted on rows up to {fitted['fitted_until']}, and the {first} "
                f"rows that are inputs only end before {series.times[first].item().isoformat()}: leave "
                "out older rows"
            )
    rows = min(fitted.get("rows", len(series.values)), len(series.values))
    # of a table that has grown since the first rows, of one whose first rows were left out the last
    starts = {0, len(series.values) - rows}
    if fitted.get("fingerprint") in {_fingerprint(series, start, rows) for start in starts}:
        raise InputError(f"{source}: {name} was made from these very data: give newer rows")


def _fingerprint(series: Series, start: int, rows: int) -> str:
    """That of the data set that so many rows from `start` on would be."""
    about, taken = series.about, slice(start, start + rows)
    times: Any = None
    if series.times is not None:
        times = pd.DatetimeIndex(series.times[taken], tz=about.time.zone)
    columns = tuple(column.name for column in about.columns)
    return Dataset(
        series.values[taken], columns, about.targets, times, None, None, series.source, {}
    ).fingerprint


def _forecast(bundle: Bundle, series: Series, origins: NDArray[np.int64]) -> NDArray[np.float64]:
    return answer(bundle, series, origins).outputs["forecast"].astype(np.float64)


def _measure(about: Metadata) -> Yardstick:
    deviations = {column.name: column.deviation for column in about.columns}
    unit = np.array([deviations[target] or 1.0 for target in about.targets])
    return Yardstick(deviation=unit, seasonal_error=np.ones_like(unit))


def _judge(
    truth: NDArray[np.float64], forecasts: dict[str, NDArray[np.float64]], measure: Yardstick
) -> Verdict:
    windows, horizon = truth.shape[:2]
    means = window_means(truth, forecasts)
    loss = losses(means, measure)
    difference = loss[_CHALLENGER] - loss[_CHAMPION]
    wanted = block_length(np.column_stack([loss[_CHALLENGER], difference]), horizon)
    block = min(wanted, windows // LEAST_BLOCKS)
    draws = resampled_metrics(means, measure, block, _SEED)
    challenger, champion = (draws[name]["standardised"]["mse"] for name in (_CHALLENGER, _CHAMPION))
    low, high = interval(challenger[1:] - champion[1:], windows / block)
    return Verdict(
        windows=windows,
        block=block,
        short=wanted > block,
        challenger=float(challenger[0]),
        champion=float(champion[0]),
        low=low,
        high=high,
        p=diebold_mariano(loss[_CHALLENGER], loss[_CHAMPION], horizon, block).p,
    )
