"""Columns that say where in the day, the week or the year a row lies, told from its timestamp."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.settings import Period

_SECONDS = {"day": 86_400, "week": 604_800, "year": 31_556_952}  # of the Gregorian calendar's mean
_WAVES = (1, 2, 3)  # a sine and a cosine of each: more would tell hours apart that are alike


def calendar_names(periods: Sequence[Period]) -> tuple[str, ...]:
    """Name the columns: "day_sin1" is the sine that goes once around in a day."""
    return tuple(
        f"{period}_{wave}{number}"
        for period in periods
        for number in _WAVES
        for wave in ("sin", "cos")
    )


def calendar_columns(times: pd.DatetimeIndex, periods: Sequence[Period]) -> NDArray[np.float64]:
    """Sines and cosines of the phase in each period at times (rows,): (rows, columns).

    The columns are those of `calendar_names`. Days are those of UTC where the times have a zone.
    """
    seconds = times.as_unit("us").asi8 / 1e6
    columns: list[NDArray[Any]] = []
    for period in periods:
        phase = 2 * np.pi * (seconds % _SECONDS[period]) / _SECONDS[period]
        columns += [wave(number * phase) for number in _WAVES for wave in (np.sin, np.cos)]
    return np.column_stack(columns)
