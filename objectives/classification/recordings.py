"""What one file of labelled sequences holds before it is checked: holes are NaN, labels are texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.settings import Fill


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings laid end to end, and the sequences that are cut from them.

    `values` (rows, features) are float64; recording i reaches from row `borders[i]` to
    `borders[i + 1]`, and `names[i]` is how messages call it. Sequence j is the `lengths[j]` rows that
    end before row `ends[j]`; without windows every recording is one sequence. `labels` and `groups` hold
    a text for each sequence, `test` (sequences,) whether it belongs to the official test part.
    `time_column` names the column that gave rows their order, None where they are as they were.
    Of texts the values (rows, 1) are numbers of `words`, which are sorted.
    """

    values: NDArray[np.float64]
    borders: NDArray[np.int64]
    names: Sequence[str]
    features: tuple[str, ...]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: Sequence[str]
    groups: Sequence[str] | None = None
    test: NDArray[np.bool_] | None = None
    times: pd.DatetimeIndex | None = None
    stream: bool = False
    time_column: str | None = None
    words: tuple[str, ...] = ()


def whole(
    parts: Sequence[NDArray[np.float64]],
    labels: Sequence[str],
    names: Sequence[str],
    features: tuple[str, ...],
    source: str,
) -> Recordings:
    """Lay arrays (steps, features) end to end, a sequence each.

    Raises:
        InputError: one of them has no steps.
    """
    lengths = np.array([len(part) for part in parts], np.int64)
    if (lengths == 0).any():
        name = names[int((lengths == 0).argmax())]
        raise InputError(f"{source}: {name} has no steps: leave it out")
    ends = np.cumsum(lengths)
    values = np.concatenate(parts)
    borders = np.concatenate([[0], ends]).astype(np.int64)
    return Recordings(values, borders, names, features, ends, lengths, labels)


def fill(found: Recordings, rule: Fill | float, source: str) -> int:
    """Fill the holes in place, within each recording, and count them.

    Raises:
        InputError: the rule does not fill them, or has nothing to fill one from.
    """
    found.values[np.isinf(found.values)] = np.nan
    missing = np.isnan(found.values)  # (rows, features)
    if not missing.any():
        return 0
    if rule == "none":
        where = _place(found, *(int(index[0]) for index in np.nonzero(missing)))
        raise InputError(
            f"{source}: {missing.sum()} cells are missing or infinite, the first in {where}: set fill = "
            '"forward", "interpolate" or a number in [data]'
        )
    if not isinstance(rule, str):
        found.values[missing] = rule
        return int(missing.sum())
    for number in np.unique(np.searchsorted(found.borders, np.nonzero(missing)[0], "right") - 1):
        first, end = found.borders[number], found.borders[number + 1]
        _check_edges(found, missing[first:end], (int(first), int(end)), rule, source)
        _fill_recording(found.values[first:end], rule)
    return int(missing.sum())


def _check_edges(
    found: Recordings,
    missing: NDArray[np.bool_],
    rows: tuple[int, int],
    rule: str,
    source: str,
) -> None:
    """Raise InputError for a hole that has no value before it, or none after it to draw a line to."""
    edges = [(0, "first")] + ([(-1, "last")] if rule == "interpolate" else [])
    for edge, name in edges:
        if missing[edge].any():
            where = _place(found, range(*rows)[edge], int(missing[edge].argmax()))
            raise InputError(
                f"{source}: {where}: the {name} value of a sequence is missing, and fill = "
                f'"{rule}" has nothing to fill it from: leave the sequence out, or set fill to a number '
                "in [data]"
            )


def _fill_recording(values: NDArray[np.float64], rule: str) -> None:
    steps = np.arange(len(values))
    for column in values.T:  # (steps,), a view
        holes = np.isnan(column)
        if rule == "forward":
            column[:] = column[np.maximum.accumulate(np.where(holes, 0, steps))]
        else:
            column[holes] = np.interp(steps[holes], steps[~holes], column[~holes])


def _place(found: Recordings, row: int, column: int) -> str:
    number = int(np.searchsorted(found.borders, row, "right")) - 1
    step = row - int(found.borders[number])
    return f"{found.names[number]}, step {step}, column {found.features[column]!r}"
