"""Reading labelled sequences from long tables: one row for each step."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.classification.recordings import Recordings
from objectives.classification.roles import (
    Roles,
    check_inputs,
    groups_of,
    is_test,
    labels_of,
    roles_of,
)
from objectives.classification.settings import SequenceSettings
from objectives.data.reading import check_once, listed, read_times, to_numbers
from objectives.data.table_file import named_by_text
from objectives.errors import InputError


def recordings_from_frame(
    frame: pd.DataFrame, settings: SequenceSettings, source: str
) -> Recordings:
    """Take the sequences from a table, or cut them from it where it is one stream.

    Args:
        frame: one row for each step; rows of sequences may be mixed, those of a stream are in order.
        settings: which columns are what.
        source: how messages name the table.

    Raises:
        InputError: a column, a label, a time or a value that cannot be, or a sequence with two labels.
    """
    frame = named_by_text(frame)
    check_once(list(frame.columns), "the table", source)
    roles = roles_of(frame, settings, source)
    if settings.timesteps is not None:
        return _windows(frame, roles, settings, source)
    codes, ids = pd.factorize(frame[roles.id], use_na_sentinel=True)  # (rows,), (sequences,)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise InputError(f"{source}: column {roles.id!r}, row {row}: no id: give every row one")
    order = _order(frame, roles, codes, source)
    features, values = _inputs(frame, roles, settings, source)
    lengths = np.bincount(codes).astype(np.int64)
    ends = np.cumsum(lengths)
    firsts = order[ends - lengths]  # a row of each sequence
    for role in (roles.label, roles.group, roles.split):
        if role is not None:
            _check_one(frame[role], codes, firsts, f"{source}: id", ids)
    return Recordings(
        values=values[order],
        borders=np.concatenate([[0], ends]).astype(np.int64),
        names=[f"id {name!r}" for name in ids.tolist()],
        features=features,
        ends=ends,
        lengths=lengths,
        labels=labels_of(frame[roles.label], firsts, source),
        groups=None if roles.group is None else groups_of(frame[roles.group], firsts, source),
        test=None if roles.split is None else is_test(frame[roles.split], firsts, source),
        time_column=roles.time,
    )


def _inputs(
    frame: pd.DataFrame, roles: Roles, settings: SequenceSettings, source: str
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The names of the inputs and their values (rows, features), holes as NaN."""
    check_inputs(settings.features or (), roles, source)
    # A stream's ids have no role, but tell nothing either.
    no_inputs = roles.names() | {name for name in frame.columns if name == settings.id}
    picked: dict[str, NDArray[np.float64]] = {}
    for name in settings.features or frame.columns:
        if name not in frame.columns:
            raise InputError(
                f"{source}: no column {name!r} (asked for in features): the columns are "
                f"{listed(frame.columns)}"
            )
        if settings.features is None and (name in no_inputs or name.startswith("Unnamed: ")):
            continue
        numbers, bad = to_numbers(frame[name])  # (rows,) each
        if settings.features is None and bad.sum() > np.isfinite(numbers).sum():
            continue
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{source}: column {name!r}, row {row}: expected a number, received "
                f"{frame[name].iloc[row]!r} ({bad.sum()} such cells): mend it, or list the columns to "
                "use in features"
            )
        picked[name] = numbers
    if not picked:
        raise InputError(f"{source}: has no columns of numbers beside {listed(sorted(no_inputs))}")
    return tuple(picked), np.column_stack(list(picked.values()))


def _moments(frame: pd.DataFrame, name: str, source: str) -> "pd.Index[Any]":
    """The times of all rows: numbers or timestamps."""
    column = frame[name]
    if column.dtype.kind not in "iuf":
        return read_times(column, source)[0]
    if column.isna().any():
        row = int(column.isna().to_numpy(np.bool_).argmax())
        raise InputError(f"{source}: column {name!r}, row {row}: no time: give every row one")
    numbers: pd.Index[Any] = pd.Index(column.to_numpy(np.float64))
    return numbers


def _order(
    frame: pd.DataFrame, roles: Roles, codes: NDArray[np.int64], source: str
) -> NDArray[np.int64]:
    """The rows in the order of their sequences, and within these by time or as they stand."""
    if roles.time is None:
        return np.argsort(codes, kind="stable")
    ranks = _moments(frame, roles.time, source).argsort().argsort()
    order = np.lexsort((ranks, codes))
    repeated = pd.DataFrame({"id": codes, "time": frame[roles.time]}).duplicated()
    if repeated.any():
        row = int(repeated.to_numpy(np.bool_).argmax())
        raise InputError(
            f"{source}: column {roles.time!r}, row {row}: id {frame[roles.id].iloc[row]!r} has "
            f"{frame[roles.time].iloc[row]!s} twice: keep one row for each time"
        )
    return order


def _check_one(
    column: "pd.Series[Any]",
    codes: NDArray[np.int64],
    firsts: NDArray[np.int64],
    where: str,
    ids: Iterable[Any],
) -> None:
    """Raise InputError for a sequence whose rows do not agree."""
    numbers, _ = pd.factorize(column)
    other = numbers != numbers[firsts][codes]  # (rows,)
    if other.any():
        missing = column.isna().to_numpy(np.bool_)
        if missing.any():
            raise InputError(
                f"{where} {list(ids)[codes[missing.argmax()]]!r} has no {column.name!r} in row "
                f"{missing.argmax()}: give every row one"
            )
        row = int(other.argmax())
        first = int(firsts[codes[row]])
        raise InputError(
            f"{where} {list(ids)[codes[row]]!r} has two values of {column.name!r}: "
            f"{column.iloc[first]!s} in row {first} and {column.iloc[row]!s} in row {row}: give each "
            "sequence one"
        )


def _windows(
    frame: pd.DataFrame, roles: Roles, settings: SequenceSettings, source: str
) -> Recordings:
    """Cut a stream into windows, none of which reaches from one group or official part into another."""
    length = settings.timesteps or 1
    stride = settings.stride or length
    features, values = _inputs(frame, roles, settings, source)
    apart = [
        pd.factorize(frame[name])[0] for name in (roles.group, roles.split) if name is not None
    ]
    breaks = [np.flatnonzero(np.diff(codes)) + 1 for codes in apart]
    borders = np.unique(np.concatenate([[0, len(frame)], *breaks])).astype(np.int64)
    times = None if roles.time is None else _moments(frame, roles.time, source)
    if times is not None:
        _check_rising(times, borders, f"{source}: column {roles.time!r}")
    ends = np.concatenate(
        [np.arange(first + length, end + 1, stride) for first, end in itertools.pairwise(borders)]
    ).astype(np.int64)
    if len(ends) == 0:
        torn = roles.group is not None and len(borders) - 1 > len(np.unique(apart[0]))
        raise InputError(
            f"{source}: the longest recording has {np.diff(borders).max()} rows, fewer than [data] "
            f"timesteps = {length}: make the windows shorter"
            + (f", or sort the rows by {roles.group!r}, then by time" if torn else "")
        )
    rows = ends - 1
    return Recordings(
        values=values,
        borders=borders,
        names=[f"rows {first} to {end - 1}" for first, end in itertools.pairwise(borders)],
        features=features,
        ends=ends,
        lengths=np.full(len(ends), length, np.int64),
        labels=labels_of(frame[roles.label], rows, source),
        groups=None if roles.group is None else groups_of(frame[roles.group], rows, source),
        test=None if roles.split is None else is_test(frame[roles.split], rows, source),
        times=times[rows] if isinstance(times, pd.DatetimeIndex) else None,
        stream=True,
        time_column=roles.time,
    )


def _check_rising(times: "pd.Index[Any]", borders: NDArray[np.int64], where: str) -> None:
    falling = np.zeros(len(times), np.bool_)
    falling[1:] = times[1:] <= times[:-1]
    falling[borders[:-1]] = False
    if falling.any():
        row = int(falling.argmax())
        raise InputError(
            f"{where}, row {row}: {times[row]} is not later than {times[row - 1]} in row {row - 1}: "
            "sort the rows of a stream by time"
        )
