"""What a table holds, found by looking: its times, its numbers, and what is missing from them."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.data.categories import MOST_CATEGORIES, category_labels
from objectives.data.dataset import Dataset, dataset_from_frame
from objectives.data.reading import check_once, listed, read_times, read_values, shown
from objectives.data.table_file import read_table
from objectives.errors import InputError
from objectives.settings import DataSettings, Fill
from reports.wording import counted
from search.preparation import beyond_single_precision

CATEGORIES = "text, which categorical takes"
TRAINING = 0.7  # the share of rows that a proposed study trains on
_FEWEST_ROWS = 20
_SOON = (
    0.05  # the share of rows that are rather left out than filled where the table begins with holes
)
_FIRST_LOOK = 50
_VALUE = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?|\d{4}-\d\d-\d\d.*", re.IGNORECASE)


@dataclass(frozen=True)
class Hole:
    """Missing cells of one column: how many, in rows that the table has, and where the first is."""

    count: int
    first: str


@dataclass(frozen=True)
class Survey:
    """A table and what was seen in it.

    `dataset` is complete: `fill` has been used where cells or timestamps were missing. `time` names
    the column (or index) of timestamps; where it is None but the data set has times, they come from
    an index without a name, and where it has none, `almost_time` may tell of a column that nearly
    holds timestamps. `features` are all columns that can be inputs, in the table's order, targets
    among them; `left_out` maps the other columns to the reason. `rows` counts those of the table,
    `gaps` the timestamps missing between them, `holes` the missing cells of each column. The data set
    begins at `first_row`, the first without a missing cell where that comes soon.
    """

    dataset: Dataset
    time: str | None
    almost_time: str | None
    features: tuple[str, ...]
    left_out: dict[str, str]
    rows: int
    first_row: int
    fill: Fill | float
    gaps: int
    first_gap: str | None
    holes: dict[str, Hole]


def survey(data: Path, targets: tuple[str, ...], time: str | None) -> Survey:
    """Look at a table.

    Args:
        data: a CSV or Parquet file.
        targets: columns to forecast; where empty, the last numeric column whose values vary.
        time: the column of timestamps; None to look for it.

    Raises:
        InputError: the file, its columns or its timestamps cannot be used, or it has too few rows.
    """
    source = str(data)
    if not os.path.exists(data):  # Path.exists raises where the name is too long
        raise InputError(f"{source}: no such file: give the path of a CSV or Parquet file")
    if data.suffix.lower() in (".ts", ".npz"):
        raise InputError(
            f"{source}: holds labelled sequences, which need no study file: lstm-search run --task "
            f"classification --data {source}"
        )
    frame = read_table(data, source)
    check_once(list(frame.columns), "the table", source)
    _check_header(frame, source)
    if len(frame) < _FEWEST_ROWS:
        raise InputError(
            f"{source}: {counted(len(frame), 'row')}, too few to train, validate and test on: "
            f"give at least {_FEWEST_ROWS}"
        )
    almost = None
    if time is None and isinstance(frame.index, pd.DatetimeIndex):
        time = None if frame.index.name is None else str(frame.index.name)
    elif time is None:
        time, almost = _find_time(frame, source)
    numbers, left_out = _numeric(frame, time, source)
    if not (targets or numbers):
        raise InputError(f"{source}: {_no_numbers(frame, left_out)}")
    targets = targets or (_default_target(numbers, source),)
    left_out |= _useless(numbers, targets)
    features = tuple(name for name in numbers if name not in left_out)
    settings = DataSettings(time=time, targets=targets, features=features, fill=0.0)
    return _complete(frame, settings, source, left_out, almost)


def column_of_times(data: Path) -> str | None:
    """The column of timestamps of a CSV or Parquet file, None if it has none or they are an index.

    Raises:
        InputError: the file cannot be read.
    """
    frame = read_table(data, str(data))
    return None if isinstance(frame.index, pd.DatetimeIndex) else _find_time(frame, str(data))[0]


def _check_header(frame: pd.DataFrame, source: str) -> None:
    """Raise InputError where the names of columns are values, but for columns that are counted."""
    names = [str(name) for name in frame.columns]
    counted = all(name.isdecimal() for name in names)
    if not counted and all(_VALUE.fullmatch(name) for name in names):
        raise InputError(
            f"{source}: the first line holds values where names of columns are expected, "
            f"{listed(names)}: write a header above it"
        )


def _find_time(frame: pd.DataFrame, source: str) -> tuple[str | None, str | None]:
    """Find the first column of ascending timestamps, else the first of timestamps in any order.

    Returns:
        The column, None if there is none; and what is wrong with a column that nearly is one.
    """
    unordered: list[str] = []
    almost: str | None = None
    for name in frame.columns:
        column = frame[name]
        try:
            # a look at some rows, because reading a long column of any text as dates takes minutes
            if column.dtype.kind != "M":
                read_times(column.head(_FIRST_LOOK), source)
        except InputError:
            continue
        try:
            times, _ = read_times(column, source)
        except InputError as error:
            almost = almost or str(error)
            continue
        if times.is_monotonic_increasing and times.is_unique:
            return str(name), None
        if times[0].date() != times[-1].date() or times.nunique() > len(times) // 2:
            unordered.append(str(name))  # and not the time of day, over and over
    # the data set's reader will say which row is out of order
    return (unordered[0] if unordered else None), almost


def _numeric(
    frame: pd.DataFrame, time: str | None, source: str
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Find the columns of numbers (rows,) each, and why others that look like it are not."""
    numbers: dict[str, NDArray[np.float64]] = {}
    left_out: dict[str, str] = {}
    for name in frame.columns:
        if name == time:
            continue
        # the reader asks for a target; with this one every real column is judged as a feature
        alone = pd.DataFrame({name: frame[name], f"not {name}": 0.0})
        settings = DataSettings(targets=(f"not {name}",))
        try:
            names, values = read_values(alone, settings, source)
        except InputError:
            left_out[name] = "some of its cells are text"
            continue
        if name in names:
            numbers[name] = values[:, names.index(name)]
        elif name != "" and not name.startswith("Unnamed: "):
            categories = category_labels(frame[name]).nunique()
            left_out[name] = CATEGORIES if 1 < categories <= MOST_CATEGORIES else "not numbers"
    return numbers, left_out


def _no_numbers(frame: pd.DataFrame, left_out: dict[str, str]) -> str:
    """That there is nothing to forecast, with a cell that may have been meant for a number."""
    cells = [f" ({name!r} begins with {shown(frame[name].iloc[0])})" for name in left_out]
    seen = cells[-1] if cells else ""
    return (
        f"has no column of numbers{seen}, so there is nothing to forecast: give a column of plain "
        "numbers, decimals with a point"
    )


def _default_target(numbers: dict[str, NDArray[np.float64]], source: str) -> str:
    for name, column in reversed(numbers.items()):
        present = column[~np.isnan(column)]
        if len(present) and present.min() < present.max():
            return name
    raise InputError(
        f"{source}: no column of numbers varies, so there is nothing to forecast: give other data"
    )


def _useless(numbers: dict[str, NDArray[np.float64]], targets: tuple[str, ...]) -> dict[str, str]:
    """Find columns that would harm or stop a study as inputs."""
    reasons: dict[str, str] = {}
    for name, column in numbers.items():
        if name in targets:
            continue
        differences = np.diff(column)  # (rows - 1,), NaN beside a missing cell
        if np.isnan(column).all():
            reasons[name] = "empty"
        elif differences[0] != 0 and (differences == differences[0]).all():
            # its later values lie outside everything seen in training
            reasons[name] = "only counts the rows"
        elif _too_far_from_zero(column[: round(TRAINING * len(column))]):
            reasons[name] = "too far from zero for single precision"
    return reasons


def _too_far_from_zero(training: NDArray[np.float64]) -> bool:
    present = training[~np.isnan(training)]
    return len(present) > 0 and beyond_single_precision(present)


def _complete(
    frame: pd.DataFrame,
    settings: DataSettings,
    source: str,
    left_out: dict[str, str],
    almost: str | None,
) -> Survey:
    """Find what is missing and make the data set with a rule that fills it.

    `settings` fill by a number, which any hole allows.
    """
    dataset = dataset_from_frame(frame, settings, source)
    names, values = read_values(frame, settings, source)  # (rows, columns)
    times = _times(frame, settings, source)
    missing = np.isnan(values)  # (rows, columns)
    fill: Fill | float = "none"
    first_row = 0
    if dataset.filled:
        complete = np.logical_not(missing.any(axis=1))  # (rows,)
        soon = complete[: 1 + round(_SOON * len(complete))]
        first_row = int(soon.argmax())
        fill = "forward" if soon.any() else 0.0
        settings = settings.model_copy(update={"fill": fill, "first_row": first_row})
        dataset = dataset_from_frame(frame, settings, source)
        fill = fill if dataset.filled else "none"
    absent = None
    if times is not None and dataset.times is not None:
        absent = dataset.times[~dataset.times.isin(times)]
    return Survey(
        dataset=dataset,
        time=settings.time,
        almost_time=almost,
        features=settings.features or (),
        left_out=left_out,
        rows=len(frame),
        first_row=first_row,
        fill=fill,
        gaps=0 if absent is None else len(absent),
        first_gap=None if absent is None or len(absent) == 0 else str(absent[0]),
        holes=_holes(names, missing, times),
    )


def _times(frame: pd.DataFrame, settings: DataSettings, source: str) -> pd.DatetimeIndex | None:
    """Return the timestamps that the table has, None if none."""
    if settings.time in frame.columns:
        return read_times(frame[settings.time], source)[0]
    if isinstance(frame.index, pd.DatetimeIndex):
        return read_times(pd.Series(frame.index), source)[0]
    return None


def _holes(
    names: tuple[str, ...], missing: NDArray[np.bool_], times: pd.DatetimeIndex | None
) -> dict[str, Hole]:
    """Count the missing cells (rows, columns) of each column and say where the first lies."""
    holes: dict[str, Hole] = {}
    for name, column in zip(names, missing.T, strict=True):
        if column.any():
            row = int(column.argmax())
            where = f"row {row}" if times is None else f"row {row}, {times[row]}"
            holes[name] = Hole(int(column.sum()), where)
    return holes
