"""Where in the day, the week or the year rows lie, as the model was shown it in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERIOD_SECONDS = {"day": 86_400, "week": 604_800, "year": 31_556_952}
_WAVES = (1, 2, 3)


def calendar_names(periods: Sequence[str]) -> tuple[str, ...]:
    """Name the columns, in the order of the model's."""
    return tuple(
        f"{period}_{wave}{number}"
        for period in periods
        for number in _WAVES
        for wave in ("sin", "cos")
    )


def calendar_columns(times: NDArray[np.datetime64], periods: Sequence[str]) -> NDArray[np.float64]:
    """Sines and cosines of the phase in each period at times (rows,): (rows, columns)."""
    seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
    columns: list[NDArray[Any]] = []
    for period in periods:
        phase = 2 * np.pi * (seconds % PERIOD_SECONDS[period]) / PERIOD_SECONDS[period]
        columns += [wave(number * phase) for number in _WAVES for wave in (np.sin, np.cos)]
    return np.column_stack(columns)
