"""A time series in memory: checked, complete and equidistant, or refused with one clear line.

Rows are counted from 0 and the header of a file is not one of them: "row 3" is the fourth line of
data. Nothing is fitted and nothing is scaled here.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.data.calendar import calendar_columns, calendar_names
from objectives.data.categories import indicator_names, read_categories
from objectives.data.reading import check_columns, check_once, read_values
from objectives.data.table_file import named_by_text, read_table
from objectives.data.time_grid import FILL_HINT, TimeGrid, find_grid
from objectives.errors import InputError
from objectives.settings import DataSettings, Fill


@dataclass(frozen=True, eq=False)
class Dataset:
    """A series without holes.

    `values` (rows, columns) are finite float64 and read-only; the first `len(targets)` of the
    `columns` are the targets, in the order they were asked for. `times` (rows,) are the timestamps,
    in UTC where the data have UTC offsets, or None. `step` is the time between any two rows; it is
    None without timestamps and where a calendar makes it vary, and then `frequency` is pandas' name
    for that calendar ("MS" for months). `source` is the path as given, or "DataFrame". `filled`
    counts, for each column that had any, the cells that the fill rule made. `categories` are those of
    each categorical column, whose indicators ("wind=NW") follow the numeric columns, in this order; the
    columns of the calendar are the last.
    """

    values: NDArray[np.float64]
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    times: pd.DatetimeIndex | None
    step: pd.Timedelta | None
    frequency: str | None
    source: str
    filled: Mapping[str, int]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def knowing(self, first: int, end: int) -> "Dataset":
        """The same without the categories that no row from `first` to `end - 1` is of."""
        used: NDArray[np.bool_] = np.any(self.values[first:end] != 0, axis=0)  # (columns,)
        seen = dict(zip(self.columns, used.tolist(), strict=True))
        categories = {
            name: tuple(label for label in labels if seen[f"{name}={label}"])
            for name, labels in self.categories.items()
        }
        unknown = {*indicator_names(self.categories)} - {*indicator_names(categories)}
        if not unknown:
            return self
        kept = [index for index, name in enumerate(self.columns) if name not in unknown]
        values = self.values[:, kept]
        values.setflags(write=False)
        columns = tuple(self.columns[index] for index in kept)
        filled = {name: count for name, count in self.filled.items() if name not in unknown}
        return replace(self, values=values, columns=columns, filled=filled, categories=categories)

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
    frame, where = _from_first_row(frame, settings, source)
    index, frame = frame.index, named_by_text(frame)
    frame = frame.reset_index(drop=True)
    columns = list(frame.columns)
    check_once(columns, "the table", where)
    named = [] if index.name is None else [str(index.name)]
    check_columns(columns, named, settings, where)
    column = _time_column(frame, index, settings)
    numbers, values = read_values(
        frame.drop(columns=list(settings.categorical)), settings, where
    )  # (rows, columns)
    categories, indicators = read_categories(frame, settings, where)
    names = (*numbers, *indicator_names(categories))
    of_calendar = calendar_names(settings.calendar)
    check_once((*names, *of_calendar), "the inputs", where)
    values = np.hstack([values, indicators])
    grid = TimeGrid() if column is None else find_grid(column, settings, where)
    _check_cells(values, names, settings, where)
    values = _spread(values, grid)  # (rows with the missing timestamps, columns)
    counts = np.isnan(values).sum(axis=0)  # (columns,)
    _fill(values[:, : len(numbers)], settings.fill)
    of_no_category = settings.fill if isinstance(settings.fill, str) else 0.0
    _fill(values[:, len(numbers) :], of_no_category)
    _check_targets(values, settings, where)
    filled = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
    if settings.calendar:
        values = np.hstack([values, _calendar(grid, settings, where)])
    values.setflags(write=False)
    return Dataset(
        values=values,
        columns=(*names, *of_calendar),
        targets=settings.targets,
        times=grid.times,
        step=grid.step,
        frequency=grid.frequency,
        source=source,
        filled=filled,
        categories=categories,
    )


def _from_first_row(
    frame: pd.DataFrame, settings: DataSettings, source: str
) -> tuple[pd.DataFrame, str]:
    """The table from its first row on that is used, and how messages name it, which count from there."""
    if len(frame) <= settings.first_row:
        left = f" from row {settings.first_row} on" if settings.first_row else ""
        raise InputError(f"{source}: has no rows of data{left}")
    if settings.first_row == 0:
        return frame, source
    return frame.iloc[settings.first_row :], f"{source} from row {settings.first_row} on"


def _time_column(
    frame: pd.DataFrame, index: pd.Index, settings: DataSettings
) -> "pd.Series[Any] | None":
    if settings.time in frame.columns:
        return frame[settings.time]
    if settings.time is None and not isinstance(index, pd.DatetimeIndex):
        return None
    return pd.Series(index, name=index.name or "index")


def _calendar(grid: TimeGrid, settings: DataSettings, source: str) -> NDArray[np.float64]:
    if grid.times is None:
        raise InputError(
            f"{source}: [data] calendar needs timestamps, and there are none: name their column in "
            "[data] time, or leave calendar out"
        )
    return calendar_columns(grid.times, settings.calendar)


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
            f"row {row}: {FILL_HINT}"
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


def _spread(values: NDArray[np.float64], grid: TimeGrid) -> NDArray[np.float64]:
    """Move the rows to their places among the missing timestamps, whose cells become NaN."""
    if grid.present is None:
        return values
    spread = np.full((len(grid.present), values.shape[1]), np.nan)
    spread[grid.present] = values
    return spread


def _fill(values: NDArray[np.float64], rule: Fill | float) -> None:
    """Fill missing cells (rows, columns) in place."""
    rows = np.arange(len(values))
    for column in values.T:  # (rows,), a view
        missing = np.isnan(column)
        if not missing.any():
            continue
        if rule == "forward":
            column[:] = column[np.maximum.accumulate(np.where(missing, 0, rows))]
        elif rule == "interpolate":
            column[missing] = np.interp(rows[missing], rows[~missing], column[~missing])
        else:
            column[missing] = rule


def _check_targets(values: NDArray[np.float64], settings: DataSettings, source: str) -> None:
    for name, column in zip(settings.targets, values.T, strict=False):  # features follow
        if column.min() == column.max():
            raise InputError(
                f"{source}: column {name!r}, rows 0 to {len(column) - 1}: the target is constant "
                f"({column[0]:g}), so there is nothing to forecast: choose another target"
            )
