"""Windows cut from rows by index: an origin is the row of a window's first target.

The inputs of origin o are rows o - timesteps ... o - 1, its targets rows o ... o + horizon - 1.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def input_windows(
    values: NDArray[np.floating], origins: NDArray[np.int64], timesteps: int
) -> NDArray[np.floating]:
    """The rows before each origin.

    Args:
        values: (rows, columns).
        origins: (windows,), each at least `timesteps`.
        timesteps: rows of a window.

    Returns:
        A copy, (windows, timesteps, columns).

    Raises:
        IndexError: an origin with fewer than `timesteps` rows before it.
    """
    if len(origins) and origins.min() < timesteps:
        raise IndexError(
            f"a window of {timesteps} rows cannot end before row {origins.min()}: too early"
        )
    views = sliding_window_view(
        values, timesteps, axis=0
    )  # (rows - timesteps + 1, columns, timesteps)
    return views[origins - timesteps].swapaxes(1, 2)


def target_windows(
    values: NDArray[np.floating], origins: NDArray[np.int64], horizon: int, targets: int
) -> NDArray[np.floating]:
    """The target columns from each origin on, (windows, horizon, targets)."""
    views = sliding_window_view(values[:, :targets], horizon, axis=0)  # (…, targets, horizon)
    return views[origins].swapaxes(1, 2)
