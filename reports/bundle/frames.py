"""DataFrames in, tidy DataFrames out."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.forecasting import Answers
from reports.bundle.metadata import Metadata
from reports.bundle.series import Series, make_series
from reports.bundle.timeline import Times, expected_zone


def series_from_frame(frame: pd.DataFrame, about: Metadata, source: str = "DataFrame") -> Series:
    """Pick the model's columns out of a table and put its rows in order of time.

    Args:
        frame: has every column of the model, in any order, or the categorical column that some of them
            are made of, and the column of timestamps if the training data had one (as timestamps,
            ISO 8601 or the index); what else it has is left out.
        about: the model's metadata.
        source: how messages name the table.

    Raises:
        BundleError: a column is missing or holds no numbers, or timestamps are not as in training.
    """
    frame = with_indicators(frame, about)
    check_columns(frame, about, source)
    values = np.column_stack([_numbers(frame[column.name], source) for column in about.columns])
    return make_series(values, _times(frame, about, source), about, source)


def with_indicators(frame: pd.DataFrame, about: Metadata) -> pd.DataFrame:
    """Add the columns that the model's categorical ones become; a category it does not know is none.

    A missing category is one to fill, except where a number fills: that makes it none too.
    """
    missing = np.nan if isinstance(about.preprocessing.fill, str) else 0.0
    added = {}
    for name in about.categories.keys() & set(frame.columns):
        labels = frame[name].astype(object).where(frame[name].notna(), "").map(str).str.strip()
        for label in about.categories[name]:
            found = (labels == label).astype(np.float64)
            added[f"{name}={label}"] = found.where(labels != "", missing)
    return frame.assign(**added)


def check_columns(frame: pd.DataFrame, about: Metadata, source: str) -> None:
    """Raise BundleError where a table lacks a column of the model, or has it twice."""
    names = [column.name for column in about.columns]
    received = list(frame.columns)
    for name in names:
        if received.count(name) != 1:
            problem = "no column" if name not in received else "more than one column"
            raise BundleError(
                f"{source}: {problem} {name!r}; the model needs {', '.join(names)}. "
                f"Received: {', '.join(map(str, received))}"
            )


def _numbers(column: "pd.Series[Any]", source: str) -> NDArray[np.float64]:
    if column.dtype.kind not in "biuf":
        raise BundleError(
            f"{source}: column {column.name!r}: expected numbers. Received: {column.dtype}"
        )
    return column.to_numpy(np.float64, na_value=np.nan)


def _times(frame: pd.DataFrame, about: Metadata, source: str) -> Times | None:
    name = about.time.column
    if name is None:
        return None
    if name in frame.columns:
        found: Any = frame[name]
    elif frame.index.name == name or isinstance(frame.index, pd.DatetimeIndex):
        found = frame.index
    else:
        raise BundleError(f"{source}: no column {name!r}, which has the timestamps")
    try:
        index = pd.DatetimeIndex(pd.to_datetime(found, format="ISO8601"))
    except (ValueError, TypeError) as error:
        raise BundleError(
            f"{source}: column {name!r}: expected timestamps: {' '.join(str(error).split())}"
        ) from None
    if index.hasnans:
        row = int(index.isna().argmax())
        raise BundleError(f"{source}: row {row}, column {name!r}: no timestamp")
    if (index.tz is None) != (about.time.zone is None):
        raise BundleError(f"{source}: column {name!r}: expected {expected_zone(about.time.zone)}")
    return (index if index.tz is None else index.tz_convert("UTC").tz_localize(None)).to_numpy(
        "datetime64[us]"
    )


def tidy(answers: Answers) -> pd.DataFrame:
    """A row for each forecast value, or for each window that got a class.

    Returns:
        "time", or "row" counted as those of the series, then of a forecast "target", "step", "forecast",
        "lower" and "upper" where intervals were asked for, and "quantile_0.1" and so on where the model
        forecasts them; of a classification "label" and "probability_…" of each class, at the last row of
        the window.
    """
    if answers.series.about.task == "classification":
        return _tidy_classes(answers)
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


def _tidy_classes(answers: Answers) -> pd.DataFrame:
    labels = answers.series.about.labels
    probabilities = answers.outputs["probabilities"]  # (windows, classes)
    return pd.DataFrame(
        {
            **_moments(answers, answers.origins - 1),
            "label": np.array(labels)[probabilities.argmax(axis=1)],
            **{
                f"probability_{label}": probabilities[:, place]
                for place, label in enumerate(labels)
            },
        }
    )


def _moments(answers: Answers, rows: NDArray[np.int64]) -> dict[str, Any]:
    times = answers.series.times
    if times is None:
        return {"row": rows}
    return {"time": pd.DatetimeIndex(times[rows], tz=answers.series.about.time.zone)}
