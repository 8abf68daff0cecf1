"""Where the training, validation and test windows begin, the same for every trial."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.settings import DataSettings, SplitSettings

_NAMES = ("train", "validation", "test")
Border = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the rows and its windows.

    `name` is "train", "validation", "test" or "train+validation". The part's targets lie in rows
    `first` to `end - 1`. `origins` (windows,) are the rows of the windows' first targets,
    ascending; a window's inputs are the rows before its origin and may lie before `first`.
    """

    name: str
    first: int
    end: int
    origins: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """The three parts; `horizon` and `stride` are those their windows were cut with, in rows."""

    train: Part
    validation: Part
    test: Part
    horizon: int
    stride: int

    def train_and_validation(self) -> Part:
        """Join training and validation for the refit.

        The rows are contiguous, so that windows whose targets straddle the old border or lie in the
        gap take part. The first origin is that of the training part.
        """
        start = int(self.train.origins[0])
        first, end = self.train.first, self.validation.end
        origins = _origins(start, end, self.horizon, self.stride)
        return Part("train+validation", first, end, origins)


def cut(
    rows: int,
    settings: SplitSettings,
    data: DataSettings,
    largest_timesteps: int,
    times: pd.DatetimeIndex | None,
) -> Split:
    """Cut the rows into train, validation and test, and each into windows.

    A trial's own timesteps play no part: training windows begin at row `largest_timesteps`, the
    others at their part's first row, and every target of a window lies inside its part.

    Shares are rounded where they end: with shares a, b, c the parts end at round(a * rows),
    round((a + b) * rows) and round((a + b + c) * rows), so that shares that add up to 1 leave no
    row over. With shares and dates the `gap` is taken from the end of the earlier part, so that the
    later one starts where it is said; with numbers of rows it lies between parts of the lengths
    given.

    Args:
        rows: number of rows of the data set.
        settings: how to divide them.
        data: gives `horizon` and `stride`, in rows.
        largest_timesteps: the longest window of the search space, in rows.
        times: one timestamp per row, needed for dates.

    Returns:
        The three parts, each with at least one window.

    Raises:
        InputError: a part is too short, the rows do not suffice, or a date cannot be used.
    """
    if settings.by_date:
        borders = _by_date(rows, settings, times)
    elif all(isinstance(size, int) for size in settings.sizes):
        borders = _by_rows(rows, settings)
    else:
        borders = _by_share(rows, settings)
    parts: list[Part] = []
    for name, (first, end) in zip(_NAMES, borders, strict=True):
        reach = largest_timesteps if name == "train" else 0
        _check_length(name, end - first, reach, data.horizon, settings.gap)
        origins = _origins(first + reach, end, data.horizon, data.stride)
        parts.append(Part(name, first, end, origins))
    train, validation, test = parts
    return Split(train, validation, test, data.horizon, data.stride)


def target_hash(part: Part, horizon: int) -> str:
    """Hash which rows are the targets of a part's windows.

    Args:
        part: the part; its origins (windows,) count, its name does not.
        horizon: target rows of each window.

    Returns:
        SHA-256 in hex, the same for every trial of a study whatever its timesteps.
    """
    digest = hashlib.sha256(f"horizon {horizon}:".encode())
    digest.update(part.origins.astype("<i8").tobytes())
    return digest.hexdigest()


def _origins(start: int, end: int, horizon: int, stride: int) -> NDArray[np.int64]:
    return np.arange(start, end - horizon + 1, stride, dtype=np.int64)  # (windows,)


def _by_rows(rows: int, settings: SplitSettings) -> list[Border]:
    train, validation, test = (int(size) for size in settings.sizes)
    needed = train + validation + test + 2 * settings.gap
    if needed > rows:
        raise InputError(
            f"[split] asks for {needed} rows (train {train}, validation {validation}, test {test}, "
            f"two gaps of {settings.gap}), but the data have {rows}: ask for fewer"
        )
    second = train + settings.gap
    third = second + validation + settings.gap
    return [(0, train), (second, second + validation), (third, third + test)]


def _by_share(rows: int, settings: SplitSettings) -> list[Border]:
    ends = [min(rows, round(share * rows)) for share in np.cumsum(settings.sizes)]
    return _with_gap(ends, settings.gap)


def _with_gap(ends: list[int], gap: int) -> list[Border]:
    train, validation, test = ends
    return [(0, train - gap), (train, validation - gap), (validation, test)]


def _by_date(rows: int, settings: SplitSettings, times: pd.DatetimeIndex | None) -> list[Border]:
    if times is None:
        raise InputError(
            "[split] is given by dates, but the data have no timestamps: name the time column in "
            "[data] time, or give train, validation and test as shares or rows"
        )
    keys = ("validation_from", "test_from", "test_until")
    given = {key: getattr(settings, key) for key in keys}
    dates = {key: _date(key, text, times) for key, text in given.items() if text is not None}
    for (early, first), (late, second) in pairwise(dates.items()):
        if first >= second:
            raise InputError(
                f"[split] {late} must be later than {early}: received {early} = "
                f"{given[early]!r} and {late} = {given[late]!r}"
            )
    ends = [int(times.searchsorted(date)) for date in dates.values()]
    return _with_gap(ends if len(ends) == 3 else [*ends, rows], settings.gap)


def _date(key: str, text: str, times: pd.DatetimeIndex) -> pd.Timestamp:
    """Read a date of the split, in UTC if the data are, and check that the data reach it."""
    date = pd.to_datetime(text, errors="coerce")
    if pd.isna(date):
        raise InputError(f"[split] {key}: expected a date such as 2024-01-31, received {text!r}")
    if times.tz is not None:
        date = date.tz_localize("UTC") if date.tz is None else date.tz_convert("UTC")
    elif date.tz is not None:
        raise InputError(
            f"[split] {key} = {text!r} has a UTC offset, but the timestamps of the data have none: "
            "leave the offset out"
        )
    # the end is exclusive, so that it may be the timestamp that would come next
    last = times[-1] + (times[-1] - times[-2:][0]) if key == "test_until" else times[-1]
    if not times[0] < date <= last:
        raise InputError(
            f"[split] {key} = {text!r} lies outside the data, which reach from {times[0]} "
            f"to {times[-1]}: give a date within"
        )
    return date


def _check_length(name: str, rows: int, reach: int, horizon: int, gap: int) -> None:
    if rows >= reach + horizon:
        return
    left = f" (with gaps of {gap})" if gap else ""
    what = f"the {name} part has {max(rows, 0)} rows{left}, too few for "
    if reach == 0:
        needs = f"horizon {horizon}: "
        fits = f"the largest horizon that fits is {rows}" if rows >= 1 else "give it more rows"
    else:
        needs = f"timesteps {reach} + horizon {horizon}: "
        if rows > horizon:
            fits = f"the largest timesteps that fits is {rows - horizon}"
        elif rows > 1:
            fits = f"no timesteps fits, and with timesteps 1 the largest horizon is {rows - 1}"
        else:
            fits = "give it more rows"
    raise InputError(what + needs + fits)
