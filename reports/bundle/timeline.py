"""Timestamps as far apart as those of the training data.

They are datetime64[us] without a zone, in UTC where the training data have UTC offsets.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.metadata import TimeAxis

Times = NDArray[np.datetime64]
_LAST = np.datetime64(datetime.max, "us")  # what comes later has no name in ISO 8601
_LARGEST_GROWTH = 10  # a single mistyped year must not become millions of missing rows
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
)


@dataclass(frozen=True, eq=False)
class Timestamps:
    """The timestamps of rows, (rows,), and what a clock where they come from showed at each."""

    instants: Times
    clock: Times


def grid_of(
    times: Timestamps, horizon: int, axis: TimeAxis, source: str
) -> tuple[NDArray[np.int64], Times]:
    """Find the places of rows among the timestamps that there should be.

    A calendar is that of UTC or, where the rows do not follow it, of their clocks. A timestamp of it
    that no row has gets the UTC offset of the row before.

    Returns:
        Each row's number of steps since the first, (rows,), and the timestamps from the first row to
        `horizon` steps after the last.

    Raises:
        BundleError: timestamps are not in order, or do not fit the step or the calendar.
    """
    shown = times.instants
    try:
        places = places_in_time(shown, axis, source)
    except BundleError:
        if axis.step is not None:
            raise
        shown = times.clock
        places = places_in_time(shown, axis, source)
    grid = following(shown[0], int(places[-1]) + 1 + horizon, axis)
    rows = np.searchsorted(places, np.arange(len(grid)), side="right") - 1
    return places, grid - (shown - times.instants)[rows]


def following(first: np.datetime64, count: int, axis: TimeAxis) -> Times:
    """Give `count` timestamps from `first` on.

    Raises:
        BundleError: they leave the calendar's years, or there can be no such first one.
    """
    try:
        if axis.step is not None:
            step = _step(axis.step)
            if (_LAST - first) // step < count:
                raise OverflowError("they leave the calendar")
            return np.asarray(first + step * np.arange(count))
        return _calendar(first, axis, periods=count)
    except (OverflowError, ValueError) as error:
        raise BundleError(f"no timestamps can follow {first}: {error}") from None


def places_in_time(times: Times, axis: TimeAxis, source: str) -> NDArray[np.int64]:
    """Number timestamps by the steps since the first one; a number left out is a missing row.

    Args:
        times: (rows,), at least one.
        axis: how far apart they should be.
        source: how messages name the rows.

    Raises:
        BundleError: one is not later than the one before, or lies between two that there should be.
    """
    late = times[1:] <= times[:-1]
    if late.any():
        row = int(late.argmax()) + 1
        raise BundleError(
            f"{_cell(source, row, axis)}: {_text(times[row])} is not later than {_text(times[row - 1])} "
            "in the row before: sort the rows by time, one for each timestamp"
        )
    places: NDArray[np.int64]
    if axis.step is not None:
        places = (times - times[0]) // _step(axis.step)
        off = times[0] + places * _step(axis.step) != times
    else:
        grid = _calendar(times[0], axis, end=times[-1])
        places = np.searchsorted(grid, times)
        off = np.append(grid, np.datetime64("NaT"))[places] != times
    if off.any():
        row = int(off.argmax())
        raise BundleError(
            f"{_cell(source, row, axis)}: {_text(times[row])} does not fit rows that are "
            f"{axis.step or axis.frequency} apart, as in training: resample them"
        )
    if places[-1] >= _LARGEST_GROWTH * len(times):
        raise BundleError(
            f"{source}: {places[-1] + 1} rows would be {axis.step or axis.frequency} apart from "
            f"{_text(times[0])} to {_text(times[-1])}. Received: {len(times)}: mend the timestamps"
        )
    return places


def without_zone(text: str | None, zone: str | None) -> datetime:
    """Read an ISO 8601 timestamp; give it without a zone, in UTC where `zone` is "UTC".

    Raises:
        ValueError: see `with_clock`.
    """
    return with_clock(text, zone)[0]


def with_clock(text: str | None, zone: str | None) -> tuple[datetime, datetime]:
    """Read an ISO 8601 timestamp as `without_zone` does; give also what its clock showed.

    Raises:
        ValueError: it is none, or has a UTC offset where there should be none, or the reverse; the
            message says what was expected.
    """
    try:
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("expected an ISO 8601 timestamp") from None
    if (found.tzinfo is None) != (zone is None):
        raise ValueError(f"expected {expected_zone(zone)}")
    clock = found.replace(tzinfo=None)
    return (clock if zone is None else found.astimezone(UTC).replace(tzinfo=None)), clock


def expected_zone(zone: str | None) -> str:
    """What timestamps must have, in words."""
    return f"{'no' if zone is None else 'a'} UTC offset, as in the training data"


def as_texts(times: Times, zone: str | None) -> list[str]:
    """Write timestamps in ISO 8601."""
    suffix = "" if zone is None else "+00:00"
    return [f"{_text(moment)}{suffix}" for moment in times]


def _text(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[us]").item().isoformat())


def _cell(source: str, row: int, axis: TimeAxis) -> str:
    return f"{source}: row {row}, " + (
        "the index" if axis.column is None else f"column {axis.column!r}"
    )


def _calendar(first: np.datetime64, axis: TimeAxis, **until: Any) -> Times:
    import pandas as pd  # noqa: PLC0415  (needed for calendars only, and large)

    return pd.date_range(first, freq=axis.frequency, unit="us", **until).to_numpy()


def _step(text: str) -> np.timedelta64:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise BundleError(f"{text!r} is no ISO 8601 duration of days and smaller units")
    step = timedelta(**{unit: float(count) for unit, count in found.groupdict("0").items()})
    return np.timedelta64(step, "us")
