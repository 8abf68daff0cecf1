"""The timestamps of a series: in order, at equal distances or by a calendar, and which are missing."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.data.reading import read_times
from objectives.errors import InputError
from objectives.settings import DataSettings

FILL_HINT = 'set fill = "forward", "interpolate" or a number in [data]'
# a single mistyped year must not become millions of filled rows
_LARGEST_GROWTH = 10


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """The timestamps that there should be, and which of them are `present` (None for all)."""

    times: pd.DatetimeIndex | None = None
    step: pd.Timedelta | None = None
    frequency: str | None = None
    present: NDArray[np.bool_] | None = None


def find_grid(column: "pd.Series[Any]", settings: DataSettings, source: str) -> TimeGrid:
    """Find the step or the calendar of the timestamps, and which timestamps are missing."""
    times, wall = read_times(column, source)  # (rows,) each
    where = f"{source}: column {column.name!r}"
    _check_order(times, where)
    distances, counts = np.unique(np.diff(times.asi8), return_counts=True)
    if len(distances) <= 1:
        return TimeGrid(times, times[1] - times[0] if len(times) > 1 else None)
    frequency = _calendar(wall)
    if frequency is not None:
        return TimeGrid(times, None, frequency)
    step = pd.Timedelta(int(distances[counts.argmax()]), unit=times.unit)
    complete, frequency = _complete(times, wall, step, where)
    present = complete.isin(times)  # (rows with the missing timestamps,)
    if settings.fill == "none":
        row = int(present.argmin()) - 1  # none is missing before the first hole
        raise InputError(
            f"{where}, row {row}: {(~present).sum()} timestamps at distances of {frequency or step} "
            f"are missing, the first of them {complete[row + 1]} after this row: {FILL_HINT}"
        )
    return TimeGrid(complete, None if frequency else step, frequency, present)


def _check_order(times: pd.DatetimeIndex, where: str) -> None:
    repeated = times.duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        cure = "keep one row for each; if clocks were put back there, write UTC offsets"
        if repeated.mean() >= 0.5:
            cure = "of several series keep the rows of one, or give each a column of its own"
        raise InputError(
            f"{where}, row {row}: the timestamp {times[row]} is that of row "
            f"{times.get_indexer_for(times[row : row + 1])[0]} too (repeated: {repeated.sum()}): {cure}"
        )
    backward = np.diff(times.asi8) < 0
    if backward.any():
        row = int(backward.argmax()) + 1
        raise InputError(
            f"{where}, row {row}: the timestamp {times[row]} is earlier than {times[row - 1]} in "
            f"row {row - 1}: sort the rows by time"
        )


def _calendar(wall: pd.DatetimeIndex) -> str | None:
    """Return pandas' name for the calendar that the wall-clock times follow without a hole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 4 will return an offset instead of its name
        frequency: Any = pd.infer_freq(wall)
    return frequency if frequency is None else str(getattr(frequency, "freqstr", frequency))


def _complete(
    times: pd.DatetimeIndex, wall: pd.DatetimeIndex, step: pd.Timedelta, where: str
) -> tuple[pd.DatetimeIndex, str | None]:
    """Return the fewest timestamps that include all of these, by steps or by a named calendar."""
    first, last = times[0], times[-1]
    distances = np.diff(times.tz_localize(None).to_numpy())  # (rows - 1,)
    odd = distances % step.to_timedelta64() != np.timedelta64(0)
    size = len(times) * _LARGEST_GROWTH if odd.any() else (last - first) // step + 1
    best: tuple[pd.DatetimeIndex, str | None] | None = None
    month = wall[0].month_name()[:3].upper()
    names = [f"YS-{month}", f"YE-{month}", f"QS-{month}", f"QE-{month}", "MS", "ME", "B"]
    if step == pd.Timedelta(days=1):
        names.append("D")  # some of 23 or 25 hours, else they are steps
    for name in names:
        calendar = pd.date_range(wall[0], wall[-1], freq=name, unit=wall.unit)
        if len(calendar) < size and wall.isin(calendar).all():
            best, size = (_instants(calendar, times, wall), name), len(calendar)
    if best is None and odd.any():
        row = int(odd.argmax()) + 1
        raise InputError(
            f"{where}, row {row}: {times[row]} comes {pd.Timedelta(distances[row - 1])} after row "
            f"{row - 1}, which is no multiple of {step}, the most common distance: "
            "resample to equal distances"
        )
    if size > len(times) * _LARGEST_GROWTH:
        row = int(distances.argmax()) + 1
        raise InputError(
            f"{where}, row {row}: {times[row]} comes {pd.Timedelta(distances[row - 1])} after row "
            f"{row - 1}, so that {size - len(times)} of {size} timestamps {step} apart would be "
            "missing: mend the timestamps or resample"
        )
    return best or (pd.date_range(first, last, freq=step, unit=times.unit), None)


def _instants(
    calendar: pd.DatetimeIndex, times: pd.DatetimeIndex, wall: pd.DatetimeIndex
) -> pd.DatetimeIndex:
    """The instants of wall-clock times; one that no row has gets the UTC offset of the row before."""
    if times.tz is None:
        return calendar
    rows = wall.searchsorted(calendar, side="right") - 1  # (calendar,)
    offsets = wall - times.tz_localize(None)  # (rows,)
    return (calendar - offsets[rows]).tz_localize("UTC").as_unit(times.unit)
