"""`POST /forecast`: rows by column name go in, forecasts by target name come out."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from reports.bundle import Bundle, Metadata
from reports.bundle.metadata import TimeAxis
from search.serving.errors import RequestError
from search.serving.windows import run, shown

_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
)


def forecast(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /forecast`; gives the answer and how many windows it took, which is one.

    Of the rows, which are in the order of time, the last `timesteps` are the window.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    about = bundle.metadata
    if about.task != "forecast":
        raise RequestError(f"the model {about.name!r} does not forecast", 404)
    rows = _window_rows(asked, about)
    values = np.array([[_number(row, name, at) for name in _names(about)] for at, row in rows])
    times = _times_ahead(rows, about)
    found = run(bundle, values[None])["forecast"][0]  # (horizon, targets)
    steps = [
        {"step": step + 1, **times[step], **dict(zip(about.targets, found[step], strict=True))}
        for step in range(about.horizon)
    ]
    return {"model": about.name, "version": about.version, "forecast": steps}, 1


Rows = Sequence[tuple[int, Mapping[str, Any]]]  # with their places among those received


def _window_rows(asked: dict[str, Any], about: Metadata) -> Rows:
    unknown = sorted(asked.keys() - {"rows"})
    if unknown:
        raise RequestError(f'unknown key {shown(unknown[0])}; expected "rows"')
    rows = asked.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RequestError(f"rows: expected a list of objects. Received: {shown(rows)}")
    if len(rows) < about.timesteps:
        raise RequestError(
            f"rows: the model looks back {about.timesteps} rows. Received: {len(rows)}"
        )
    window = list(enumerate(rows))[-about.timesteps :]
    known = {*_names(about), about.time.column}
    for at, row in window:
        if not row.keys() <= known:
            name = next(name for name in row if name not in known)
            raise RequestError(
                f"rows[{at}]: unknown column {shown(name)}; known are {', '.join(_names(about))}"
            )
    return window


def _names(about: Metadata) -> list[str]:
    return [column.name for column in about.columns]


def _number(row: Mapping[str, Any], name: str, at: int) -> float:
    if name not in row:
        raise RequestError(f"rows[{at}]: the column {name!r} is missing")
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"rows[{at}].{name}: expected a number. Received: {shown(value)}")
    return float(value)


def _times_ahead(rows: Rows, about: Metadata) -> Sequence[Mapping[str, str]]:
    """The timestamp of each step as a cell by the column's name; empty where rows have none."""
    column = about.time.column
    if column is None or not any(column in row for _, row in rows):
        return [{}] * about.horizon
    times = [_time(row, column, about.time, at) for at, row in rows]
    expected = _grid(times[0], len(times) + about.horizon, about.time)
    for (at, _), found, wanted in zip(rows, times, expected, strict=False):
        if found != wanted:
            raise RequestError(
                f"rows[{at}].{column}: expected {wanted.isoformat()}, since rows are "
                f"{about.time.step or about.time.frequency} apart. Received: {found.isoformat()}"
            )
    return [{column: time.isoformat()} for time in expected[len(times) :]]


def _time(row: Mapping[str, Any], column: str, axis: TimeAxis, at: int) -> datetime:
    text = row.get(column)
    try:
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        received = shown(text)
        raise RequestError(
            f"rows[{at}].{column}: expected an ISO 8601 timestamp. Received: {received}"
        ) from None
    if (found.tzinfo is None) != (axis.zone is None):
        wanted = "no UTC offset" if axis.zone is None else "a UTC offset"
        raise RequestError(f"rows[{at}].{column}: expected {wanted}, as in the training data")
    return found if found.tzinfo is None else found.astimezone(UTC)


def _grid(first: datetime, rows: int, axis: TimeAxis) -> Sequence[datetime]:
    """Timestamps from `first` on, as far apart as those of the training data.

    Raises:
        RequestError: they leave the calendar's years, or there can be no such first one.
    """
    try:
        if axis.step is not None:
            step = _duration(axis.step)
            return [first + number * step for number in range(rows)]
        import pandas as pd  # noqa: PLC0415  (needed for calendars only, and large)

        found = pd.date_range(first, periods=rows, freq=axis.frequency)
        return [moment.to_pydatetime() for moment in found]
    except (OverflowError, ValueError) as error:
        raise RequestError(f"no timestamps can follow {first.isoformat()}: {error}") from None


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no ISO 8601 duration of days and smaller units")
    return timedelta(**{unit: float(count) for unit, count in found.groupdict("0").items()})


def example_rows(about: Metadata) -> list[dict[str, float | str]]:
    """Rows that the model answers: the training data's means, with timestamps where they have them."""
    means: dict[str, float | str] = {column.name: column.mean for column in about.columns}
    if about.time.column is None:
        return [means] * about.timesteps
    first = datetime(2024, 1, 1, tzinfo=None if about.time.zone is None else UTC)
    grid = _grid(first, about.timesteps, about.time)
    return [{about.time.column: moment.isoformat(), **means} for moment in grid]
