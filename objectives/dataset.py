"""A time series in memory: checked, complete and equidistant, or refused with one clear line.

Rows are counted from 0 and the header of a file is not one of them: "row 3" is the fourth line of
data. Nothing is fitted and nothing is scaled here.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.reading import (
    check_columns,
    check_once,
    read_table,
    read_times,
    read_values,
)
from objectives.settings import DataSettings

# a single mistyped year must not become millions of filled rows
_LARGEST_GROWTH = 10
_FILL_HINT = 'set fill = "forward", "interpolate" or a number in [data]'


@dataclass(frozen=True, eq=False)
class Dataset:
    """A series without holes.

    `values` (rows, columns) are finite float64 and read-only; the first `len(targets)` of the
    `columns` are the targets, in the order they were asked for. `times` (rows,) are the timestamps,
    in UTC where the data have UTC offsets, or None. `step` is the time between any two rows; it is
    None without timestamps and where a calendar makes it vary, and then `frequency` is pandas' name
    for that calendar ("MS" for months). `source` is the path as given, or "DataFrame". `filled`
    counts, for each column that had any, the cells that the fill rule made.
    """

    values: NDArray[np.float64]
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    times: pd.DatetimeIndex | None
    step: pd.Timedelta | None
    frequency: str | None
    source: str
    filled: Mapping[str, int]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex over the values, the column names and the timestamps, not the source."""
        digest = hashlib.sha256(json.dumps([self.columns, self.targets]).encode())
        digest.update(self.values.astype("<f8").tobytes())
        if self.times is not None:
            # one unit, because CSV and Parquet files differ in theirs
            digest.update(f"{self.times.tz}".encode())
            digest.update(self.times.as_unit("us").asi8.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class _Grid:
    """The timestamps that there should be, and which of them are `present` (None for all)."""

    times: pd.DatetimeIndex | None = None
    step: pd.Timedelta | None = None
    frequency: str | None = None
    present: NDArray[np.bool_] | None = None


def read_dataset(settings: DataSettings, directory: Path = Path()) -> Dataset:
    """Read the series that the settings name.

    Args:
        settings: `path` is a CSV or Parquet file.
        directory: what a relative path is relative to.

    Returns:
        The checked series.

    Raises:
        InputError: one line saying what is wrong, where, what was received and what to do.
    """
    if settings.path is None:
        raise InputError("[data] path is missing: give the path of a CSV or Parquet file")
    frame = read_table(directory / settings.path, settings.path)
    return dataset_from_frame(frame, settings, settings.path)


def dataset_from_frame(
    frame: pd.DataFrame, settings: DataSettings, source: str = "DataFrame"
) -> Dataset:
    """Check a table and make a series of it.

    `settings.time` may also name the table's index. Where it is None, an index of timestamps is
    taken as the time column (pandas and the Parquet files it writes have them); any other index is
    dropped.

    Args:
        frame: one row per time step; it is left as it is.
        settings: which columns to use, and what to do about missing cells and timestamps.
        source: how messages name the table.

    Returns:
        The checked series, missing timestamps and cells filled as `settings.fill` says. Infinite
        cells count as missing.

    Raises:
        InputError: one line saying what is wrong, where, what was received and what to do.
    """
    index, frame = frame.index, frame.set_axis([str(name) for name in frame.columns], axis=1)
    frame = frame.reset_index(drop=True)
    columns = list(frame.columns)
    check_once(columns, "the table", source)
    named = [] if index.name is None else [str(index.name)]
    check_columns(columns, named, settings, source)
    if len(frame) == 0:
        raise InputError(f"{source}: has no rows of data")
    column = _time_column(frame, index, settings)
    names, values = read_values(frame, settings, source)  # (rows, columns)
    grid = _Grid() if column is None else _find_grid(column, settings, source)
    _check_cells(values, names, settings, source)
    values = _spread(values, grid)  # (rows with the missing timestamps, columns)
    counts = np.isnan(values).sum(axis=0)  # (columns,)
    _fill(values, settings)
    _check_targets(values, settings, source)
    values.setflags(write=False)
    return Dataset(
        values=values,
        columns=names,
        targets=settings.targets,
        times=grid.times,
        step=grid.step,
        frequency=grid.frequency,
        source=source,
        filled={name: int(count) for name, count in zip(names, counts, strict=True) if count},
    )


def _time_column(
    frame: pd.DataFrame, index: pd.Index, settings: DataSettings
) -> "pd.Series[Any] | None":
    if settings.time in frame.columns:
        return frame[settings.time]
    if settings.time is None and not isinstance(index, pd.DatetimeIndex):
        return None
    return pd.Series(index, name=index.name or "index")


def _find_grid(column: "pd.Series[Any]", settings: DataSettings, source: str) -> _Grid:
    """Find the step or the calendar of the timestamps, and which timestamps are missing."""
    times, wall = read_times(column, source)  # (rows,) each
    where = f"{source}: column {column.name!r}"
    _check_order(times, where)
    distances, counts = np.unique(np.diff(times.asi8), return_counts=True)
    if len(distances) <= 1:
        return _Grid(times, times[1] - times[0] if len(times) > 1 else None)
    frequency = _calendar(wall)
    if frequency is not None:
        return _Grid(times, None, frequency)
    step = pd.Timedelta(int(distances[counts.argmax()]), unit=times.unit)
    complete, frequency = _complete(times, step, where)
    present = complete.isin(times)  # (rows with the missing timestamps,)
    if settings.fill == "none":
        row = int(present.argmin()) - 1  # none is missing before the first hole
        raise InputError(
            f"{where}, row {row}: {(~present).sum()} timestamps at distances of {frequency or step} "
            f"are missing, the first of them {complete[row + 1]} after this row: {_FILL_HINT}"
        )
    return _Grid(complete, None if frequency else step, frequency, present)


def _check_order(times: pd.DatetimeIndex, where: str) -> None:
    repeated = times.duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        raise InputError(
            f"{where}, row {row}: the timestamp {times[row]} is that of row "
            f"{times.get_indexer_for(times[row : row + 1])[0]} too ({repeated.sum()} such rows): "
            "keep one row for each; if clocks were put back there, write UTC offsets"
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
    times: pd.DatetimeIndex, step: pd.Timedelta, where: str
) -> tuple[pd.DatetimeIndex, str | None]:
    """Return the fewest timestamps that include all of these, by steps or by a named calendar."""
    first, last = times[0], times[-1]
    distances = np.diff(times.to_numpy())  # (rows - 1,)
    odd = distances % step.to_timedelta64() != np.timedelta64(0)
    size = len(times) * _LARGEST_GROWTH if odd.any() else (last - first) // step + 1
    best: tuple[pd.DatetimeIndex, str | None] | None = None
    month = first.month_name()[:3].upper()
    for name in (f"YS-{month}", f"YE-{month}", f"QS-{month}", f"QE-{month}", "MS", "ME", "B"):
        calendar = pd.date_range(first, last, freq=name, unit=times.unit)
        if len(calendar) < size and times.isin(calendar).all():
            best, size = (calendar, name), len(calendar)
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


def _check_cells(
    values: NDArray[np.float64], names: tuple[str, ...], settings: DataSettings, source: str
) -> None:
    """Raise InputError for missing cells that the fill rule does not or cannot fill."""
    missing = np.isnan(values)  # (rows, columns)
    if not missing.any():
        return
    if settings.fill == "none":
        row = int(missing.any(axis=1).argmax())
        counts = [
            f"{name!r} ({count})"
            for name, count in zip(names, missing.sum(axis=0), strict=True)
            if count
        ]
        raise InputError(
            f"{source}: {missing.sum()} cells are missing or infinite, in columns "
            f"{', '.join(counts)}; the first is column {names[missing[row].argmax()]!r}, "
            f"row {row}: {_FILL_HINT}"
        )
    ends = {"forward": (0,), "interpolate": (0, -1)}.get(str(settings.fill), ())
    for end in ends:
        if missing[end].any():
            name = names[missing[end].argmax()]
            row = range(len(values))[end]
            raise InputError(
                f"{source}: column {name!r}, row {row}: the {'last' if end else 'first'} cell is "
                f'missing or infinite, and fill = "{settings.fill}" has no value to fill it from: '
                "remove such rows, or set fill to a number in [data]"
            )


def _spread(values: NDArray[np.float64], grid: _Grid) -> NDArray[np.float64]:
    """Move the rows to their places among the missing timestamps, whose cells become NaN."""
    if grid.present is None:
        return values
    spread = np.full((len(grid.present), values.shape[1]), np.nan)
    spread[grid.present] = values
    return spread


def _fill(values: NDArray[np.float64], settings: DataSettings) -> None:
    """Fill missing cells (rows, columns) in place."""
    rows = np.arange(len(values))
    for column in values.T:  # (rows,), a view
        missing = np.isnan(column)
        if not missing.any():
            continue
        if settings.fill == "forward":
            column[:] = column[np.maximum.accumulate(np.where(missing, 0, rows))]
        elif settings.fill == "interpolate":
            column[missing] = np.interp(rows[missing], rows[~missing], column[~missing])
        else:
            column[missing] = settings.fill


def _check_targets(values: NDArray[np.float64], settings: DataSettings, source: str) -> None:
    for name, column in zip(settings.targets, values.T, strict=False):  # features follow
        if column.min() == column.max():
            raise InputError(
                f"{source}: column {name!r}, rows 0 to {len(column) - 1}: the target is constant "
                f"({column[0]:g}), so there is nothing to forecast: choose another target"
            )
