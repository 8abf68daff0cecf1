"""From a table to named columns of numbers and timestamps, with one clear line for what is not."""

import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.settings import DataSettings

_OFFSET = r"(?<=\d)\s*(?:[+-]\d\d(?::?\d\d)?|Z|UTC)$"
_OFFSET_AFTER_TIME = r":\d\d.*" + _OFFSET
_MISSING = {"", "None"}  # texts of cells that have no number, and need none


def check_once(names: Sequence[str], where: str, source: str) -> None:
    """Raise InputError if `names` lists a name twice; `where` says whose names they are."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{source}: column {twice!r} is listed twice in {where}: list it once")


def check_columns(
    available: Sequence[str], index: Sequence[str], settings: DataSettings, source: str
) -> None:
    """Check that the columns asked for exist, once each, and that time is not among the values.

    Args:
        available: the columns that there are.
        index: names of the table's index, which may be the time too.
        settings: what is asked for.
        source: how messages name the file.

    Raises:
        InputError: a column is missing, listed twice, or in two roles that exclude each other.
    """
    roles = {
        "targets": settings.targets,
        "features": settings.features or (),
        "categorical": settings.categorical,
    }
    for role, names in roles.items():
        check_once(names, role, source)
        if settings.time in names:
            raise InputError(
                f"{source}: column {settings.time!r} is the time column and one of the {role}: "
                f"take it out of {role}"
            )
    numeric = {*settings.targets, *(settings.features or ())}
    twice = next((name for name in settings.categorical if name in numeric), None)
    if twice is not None:
        raise InputError(
            f"{source}: column {twice!r} is categorical and a target or feature too: list it once"
        )
    roles["time"] = () if settings.time is None else (settings.time,)
    for role, names in roles.items():
        for name in names:
            if name not in available and not (role == "time" and name in index):
                raise InputError(f"{source}: {_missing(name, role, available)}")


def _missing(name: str, role: str, available: Sequence[str]) -> str:
    close = get_close_matches(name, available, n=3)
    hint = f"did you mean {listed(close)}? " if close else ""
    return f"no column {name!r} (asked for in {role}): {hint}the columns are {listed(available)}"


def read_values(
    frame: pd.DataFrame, settings: DataSettings, source: str
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Pick the targets and features and turn them into numbers.

    With `features` None, every other column that is numeric or mostly numeric is a feature. Columns
    of text, of timestamps or without a name (the index that `DataFrame.to_csv` writes) are not.

    Returns:
        The column names, targets first, and their values (rows, columns), missing and infinite
        cells as NaN.

    Raises:
        InputError: a cell of a picked column is text; names the column, the first row, the text.
    """
    requested = dict.fromkeys((*settings.targets, *(settings.features or ())))
    names = list(requested)
    if settings.features is None:
        names += [name for name in frame.columns if name not in requested and name != settings.time]
    picked: dict[str, NDArray[np.float64]] = {}
    for name in names:
        numbers, bad = to_numbers(frame[name])  # (rows,) each
        if name not in requested:
            unnamed = name == "" or name.startswith("Unnamed: ")
            if unnamed or bad.sum() > np.isfinite(numbers).sum():
                continue
        if bad.any():
            row = int(bad.argmax())
            other = "" if name in settings.targets else ", or list the columns to use in features"
            raise InputError(
                f"{source}: column {name!r}, row {row}: expected a number, received "
                f"{shown(frame[name].iloc[row])} ({bad.sum()} such cells): mend it{other}"
            )
        picked[name] = numbers
    values = np.column_stack(list(picked.values()))  # (rows, columns)
    values[np.isinf(values)] = np.nan
    return tuple(picked), values


def to_numbers(column: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return numbers, NaN where there is none, and where a cell holds something else: (rows,) each."""
    kind = column.dtype.kind
    if kind in "biuf":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)  # (rows,)
        return numbers, np.zeros(len(column), np.bool_)
    present = column.notna().to_numpy(np.bool_)
    if kind in "mMc":
        return np.full(len(column), np.nan), present
    column = column.astype(object)
    try:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    except (TypeError, OverflowError):  # lists, integers beyond any float: coerce covers neither
        numbers = np.array([_number(cell) for cell in column])
    bad = np.isnan(numbers) & present
    bad[bad] = column[bad].map(lambda cell: str(cell).strip() not in _MISSING).to_numpy(np.bool_)
    return numbers, bad


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def read_times(column: "pd.Series[Any]", source: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Turn a column of timestamps or of their texts into instants.

    Texts are read as ISO 8601, else in the format of the first one, else with the day first: the
    first of these that reads every row.

    Returns:
        The instants (rows,), in UTC where the column has UTC offsets and naive where not, and the
        same as wall-clock times (rows,), always naive, by which days and months are told.

    Raises:
        InputError: a timestamp is missing, cannot be read, or has no offset where others have.
    """
    where = f"{source}: column {column.name!r}"
    missing = column.isna().to_numpy(np.bool_)
    if missing.any():
        raise InputError(
            f"{where}, row {missing.argmax()}: no timestamp (rows without one: {missing.sum()}): "
            "give every row a timestamp or remove the row"
        )
    if column.dtype.kind in "biufcm":
        raise InputError(
            f"{where}, row 0: expected a timestamp such as 2024-01-31 06:00, received the number "
            f"{column.iloc[0]!s}: write timestamps, or leave [data] time out"
        )
    wall = None
    parsed = column if column.dtype.kind == "M" else _parse(column, where)
    if parsed is None:  # several offsets in one column, as summer time brings them
        parsed, wall = _parse_offsets(column.astype(str), where)
    times = pd.DatetimeIndex(parsed)
    if times.tz is None:
        return times, times
    return times.tz_convert("UTC"), times.tz_localize(None) if wall is None else wall


def _parse(column: "pd.Series[Any]", where: str) -> "pd.Series[pd.Timestamp] | None":
    """Return the timestamps, or None where their UTC offsets differ from row to row."""
    fewest: NDArray[np.bool_] | None = None
    for day_first, style in ((False, "ISO8601"), (False, None), (True, None)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a format that cannot be guessed is an error below
                parsed = pd.to_datetime(column, errors="coerce", format=style, dayfirst=day_first)
        except ValueError:
            return None
        failed = parsed.isna().to_numpy(np.bool_)
        if not failed.any():
            return parsed
        if fewest is None or failed.sum() < fewest.sum():
            fewest = failed
    row = 0 if fewest is None else int(fewest.argmax())
    raise InputError(
        f"{where}, row {row}: cannot read the timestamp {shown(column.iloc[row])}: "
        "write timestamps as 2024-01-31 06:00 or 2024-01-31T06:00+01:00"
    )


def _parse_offsets(
    texts: "pd.Series[str]", where: str
) -> "tuple[pd.Series[pd.Timestamp], pd.DatetimeIndex]":
    with_offset = texts.str.contains(_OFFSET_AFTER_TIME, regex=True).to_numpy(np.bool_)
    if not with_offset.all():
        row = int((~with_offset).argmax())
        raise InputError(
            f"{where}, row {row}: {shown(texts.iloc[row])} has no UTC offset, while other rows "
            "have: give every timestamp an offset, or none"
        )
    utc = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    failed = utc.isna().to_numpy(np.bool_)
    if failed.any():
        row = int(failed.argmax())
        raise InputError(f"{where}, row {row}: cannot read the timestamp {shown(texts.iloc[row])}")
    wall = pd.to_datetime(texts.str.replace(_OFFSET, "", regex=True), format="ISO8601")
    return utc, pd.DatetimeIndex(wall)


def shown(value: object) -> str:
    """Show a received value in quotes, on one line and not longer than a message can bear."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def listed(names: Iterable[str]) -> str:
    """List names in quotes on one line, the first twenty of them."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - 20} more" if len(quoted) > 20 else ""
    return ", ".join(quoted[:20]) + more
