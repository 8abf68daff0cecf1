"""DataFrames in, tidy DataFrames out."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.forecasting import Answers
from reports.bundle.metadata import Metadata
from reports.bundle.series import Series, make_series
from reports.bundle.timeline import Times, Timestamps, expected_zone


def series_from_frame(
    frame: pd.DataFrame,
    about: Metadata,
    source: str = "DataFrame",
    clock: pd.DatetimeIndex | None = None,
) -> Series:
    """Pick the model's columns out of a table and put its rows in order of time.

    Args:
        frame: has every column of the model, in any order, categorical ones as they are in the data, and
            the column of timestamps if the training data had one (as timestamps,
            ISO 8601 or the index); what else it has is left out.
        about: the model's metadata.
        source: how messages name the table.
        clock: what clocks showed at the timestamps, where these do not tell any more.

    Raises:
        BundleError: a column is missing or holds no numbers, or timestamps are not as in training.
    """
    check_columns(frame, about, source)
    numbers = {name: numbers_of(frame[name], source) for name in about.numeric_columns}
    labels = {name: _labels(frame[name]) for name in about.categories}
    return make_series(numbers, labels, _times(frame, about, source, clock), about, source)


def named_by_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns named as a model names them: a DataFrame's may be numbers."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def check_columns(frame: pd.DataFrame, about: Metadata, source: str) -> None:
    """Raise BundleError where a table lacks a column of the model, or has it twice."""
    names = (*about.numeric_columns, *about.categories)
    received = list(frame.columns)
    for name in names:
        if received.count(name) != 1:
            problem = "no column" if name not in received else "more than one column"
            raise BundleError(
                f"{source}: {problem} {name!r}; the model needs {', '.join(names)}. "
                f"Received: {', '.join(map(str, received))}"
            )


def numbers_of(column: "pd.Series[Any]", source: str) -> NDArray[np.float64]:
    """A column of numbers (rows,), NaN where a cell is missing; BundleError where it holds others."""
    if column.dtype.kind not in "biuf":
        raise BundleError(
            f"{source}: column {column.name!r}: expected numbers. Received: {column.dtype}"
        )
    return column.to_numpy(np.float64, na_value=np.nan)


def _labels(column: "pd.Series[Any]") -> list[str | None]:
    texts = [
        None if missing else str(cell).strip()
        for cell, missing in zip(column, column.isna(), strict=True)
    ]
    return [text or None for text in texts]


def _times(
    frame: pd.DataFrame, about: Metadata, source: str, clock: pd.DatetimeIndex | None
) -> Timestamps | None:
    name, by_time = about.time.column, isinstance(frame.index, pd.DatetimeIndex)
    if name is None and not (by_time and (about.time.step or about.time.frequency)):
        return None
    if name in frame.columns:
        found: Any = frame[name]
    elif by_time or frame.index.name == name:
        found = frame.index
    else:
        raise BundleError(f"{source}: no column {name!r}, which has the timestamps")
    where = f"{source}: " + ("the index" if name is None else f"column {name!r}")
    try:
        index, shown = _read_times(found)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{where}: expected timestamps: {' '.join(str(error).split())}") from None
    if index.hasnans:
        row = int(index.isna().argmax())
        raise BundleError(f"{where}, row {row}: no timestamp")
    if (index.tz is None) != (about.time.zone is None):
        raise BundleError(f"{where}: expected {expected_zone(about.time.zone)}")
    return Timestamps(_without_zone(index), _without_zone(shown if clock is None else clock))


def _read_times(found: Any) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """The instants, in UTC where they have offsets, and what clocks showed at them."""
    try:
        index = pd.DatetimeIndex(pd.to_datetime(found, format="ISO8601"))
    except ValueError:
        utc = pd.DatetimeIndex(pd.to_datetime(found, format="ISO8601", utc=True))
        cells = [pd.Timestamp(cell) for cell in found]
        if any(cell.tzinfo is None for cell in cells):
            raise
        # several offsets in one column, as summer time brings them
        return utc, pd.DatetimeIndex([cell.replace(tzinfo=None) for cell in cells])
    if index.tz is None:
        return index, index
    return index.tz_convert("UTC"), index.tz_localize(None)


def _without_zone(index: pd.DatetimeIndex) -> Times:
    return index.tz_localize(None).to_numpy("datetime64[us]")


def tidy(answers: Answers) -> pd.DataFrame:
    """A row for each forecast value.

    Returns:
        "time", or "row" counted as those of the series, then "target", "step", "forecast", "lower" and
        "upper" where intervals were asked for, and "quantile_0.1" and so on where the model forecasts
        them.
    """
    about = answers.series.about
    windows, targets = len(answers.origins), len(about.targets)

    def spread(values: NDArray[Any]) -> NDArray[Any]:  # (windows, horizon) -> (rows,)
        return np.repeat(values, targets, axis=-1).ravel()

    columns: dict[str, Any] = {
        **_moments(answers, spread(answers.target_rows)),
        "target": np.tile(np.array(about.targets), windows * about.horizon),
        "step": spread(np.tile(np.arange(1, about.horizon + 1), (windows, 1))),
        "forecast": answers.outputs["forecast"].ravel(),
    }
    if answers.lower is not None and answers.upper is not None:
        columns |= {"lower": answers.lower.ravel(), "upper": answers.upper.ravel()}
    for place, level in enumerate(about.quantiles):
        columns[f"quantile_{level:g}"] = answers.outputs["quantiles"][..., place].ravel()
    return pd.DataFrame(columns)


def _moments(answers: Answers, rows: NDArray[np.int64]) -> dict[str, Any]:
    times = answers.series.times
    if times is None:
        return {"row": rows}
    return {"time": pd.DatetimeIndex(times[rows], tz=answers.series.about.time.zone)}
