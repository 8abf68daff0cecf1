"""Where the training, validation and test windows begin, the same for every trial.

Rolling-origin validation after Tashman, International Journal of Forecasting 16 (2000).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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

    `name` is "train", "validation", "test" or "train+validation", or one of the first two with the
    number of an earlier fold, "train 1". The part's targets lie in rows `first` to `end - 1`. `origins`
    (windows,) are the rows of the windows' first targets, ascending; a window's inputs are the rows
    before its origin and may lie before `first`.
    """

    name: str
    first: int
    end: int
    origins: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """A block of validation rows, and the training rows before it."""

    train: Part
    validation: Part


@dataclass(frozen=True, eq=False)
class Split:
    """The three parts; `horizon` and `stride` are those their windows were cut with, in rows.

    `earlier` are the folds before that of `train` and `validation`, in order of time.
    """

    train: Part
    validation: Part
    test: Part
    horizon: int
    stride: int
    earlier: tuple[Fold, ...] = ()

    @property
    def folds(self) -> tuple[Fold, ...]:
        """What a trial is trained and judged on, in order of time."""
        return (*self.earlier, Fold(self.train, self.validation))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Training and validation part of each fold, in order, and the test part."""
        return (*(part for fold in self.folds for part in (fold.train, fold.validation)), self.test)

    def last_fold(self) -> "Split":
        """The same without the earlier folds."""
        return replace(self, earlier=())

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
    given. Validation blocks of earlier folds are as long as the validation part and end the `gap` of
    validation before the next one begins.

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
    for name, (first, end) in zip(_NAMES, borders, strict=True):
        reach = largest_timesteps if name == "train" else 0
        _check_length(name, end - first, reach, data.horizon, settings.gaps)
    _check_folds(borders[:2], settings, largest_timesteps, data.horizon)

    def part(name: str, first: int, end: int) -> Part:
        start = first + largest_timesteps if name.startswith("train") else first
        return Part(name, first, end, _origins(start, end, data.horizon, data.stride))

    *earlier, last = (
        Fold(part(f"train{name}", *train), part(f"validation{name}", *validation))
        for name, train, validation in _folds(borders[:2], settings)
    )
    test = part("test", *borders[2])
    return Split(last.train, last.validation, test, data.horizon, data.stride, tuple(earlier))


def _folds(
    borders: Sequence[Border], settings: SplitSettings
) -> Iterator[tuple[str, Border, Border]]:
    """The folds in order of time, each as what its parts' names end with, and their borders.

    `borders` are those of the training and the validation part, the first of which begins at row 0.
    """
    (_, train_end), (first, end) = borders
    shift = end - first + settings.gaps[0]
    shortest = train_end - shift * (settings.folds - 1)
    for number in range(1, settings.folds + 1):
        back = shift * (settings.folds - number)
        fold_end = train_end - back
        start = fold_end - shortest if settings.window == "sliding" else 0
        yield f" {number}" if back else "", (start, fold_end), (first - back, end - back)


def _check_folds(
    borders: Sequence[Border], settings: SplitSettings, reach: int, horizon: int
) -> None:
    """Raise InputError if too few rows are left before the earliest of the validation blocks."""
    (_, train_end), (first, end) = borders
    shift = end - first + settings.gaps[0]
    left = train_end - shift * (settings.folds - 1)
    if settings.folds == 1 or left >= reach + horizon:
        return
    most = 1 + (train_end - reach - horizon) // shift
    raise InputError(
        f"[split] folds = {settings.folds}: {max(left, 0)} rows are left for training before the "
        f"earliest validation block of {end - first} rows, too few for timesteps {reach} + horizon "
        f"{horizon}: the most folds that fit are {most}"
    )


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


def validation_hash(split: Split) -> str:
    """Hash which rows trials are judged on, over all folds; with one fold the hash of its targets."""
    hashes = [target_hash(fold.validation, split.horizon) for fold in split.folds]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _origins(start: int, end: int, horizon: int, stride: int) -> NDArray[np.int64]:
    return np.arange(start, end - horizon + 1, stride, dtype=np.int64)  # (windows,)


def _by_rows(rows: int, settings: SplitSettings) -> list[Border]:
    train, validation, test = (int(size) for size in settings.sizes)
    gaps = settings.gaps
    needed = train + validation + test + sum(gaps)
    if needed > rows:
        raise InputError(
            f"[split] asks for {needed} rows (train {train}, validation {validation}, test {test}, "
            f"{_gaps_in_words(gaps)}), but the data have {rows}: ask for fewer"
        )
    second = train + gaps[0]
    third = second + validation + gaps[1]
    return [(0, train), (second, second + validation), (third, third + test)]


def _by_share(rows: int, settings: SplitSettings) -> list[Border]:
    ends = [min(rows, round(share * rows)) for share in np.cumsum(settings.sizes)]
    return _with_gaps(ends, settings.gaps)


def _with_gaps(ends: list[int], gaps: tuple[int, int]) -> list[Border]:
    train, validation, test = ends
    return [(0, train - gaps[0]), (train, validation - gaps[1]), (validation, test)]


def _gaps_in_words(gaps: tuple[int, int]) -> str:
    before_validation, before_test = gaps
    return f"gaps of {before_validation} and {before_test}"


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
    return _with_gaps(ends if len(ends) == 3 else [*ends, rows], settings.gaps)


def _date(key: str, text: str, times: pd.DatetimeIndex) -> pd.Timestamp:
    """Read a date of the split, in UTC if the data are, and check that the data reach it."""
    date = pd.to_datetime(text, errors="coerce", format="ISO8601")
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


def _check_length(name: str, rows: int, reach: int, horizon: int, gaps: tuple[int, int]) -> None:
    if rows >= reach + horizon:
        return
    left = f" (with {_gaps_in_words(gaps)})" if any(gaps) else ""
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
