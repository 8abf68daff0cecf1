"""Scaling of columns, fitted on the rows it is given and on no others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.errors import InputError


@dataclass(frozen=True)
class Scaling:
    """A column's value v is seen by the network as (v - center) / scale; both are (columns,) float64."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scale rows (rows, columns) in float64, then round to float32."""
        return ((rows - self.center) / self.scale).astype(np.float32)

    def invert(self, forecast: NDArray[np.floating]) -> NDArray[np.float64]:
        """Bring a scaled forecast (windows, horizon, targets) back to the data's units.

        It may have further axes after these.
        """
        targets, further = forecast.shape[2], forecast.ndim - 3
        scale, center = (
            part[:targets].reshape(-1, *(1,) * further) for part in (self.scale, self.center)
        )
        return forecast.astype(np.float64) * scale + center


def fit_scaling(kind: str, rows: NDArray[np.float64]) -> Scaling:
    """Fit a scaling on training rows (rows, columns).

    "standard" takes the mean and the population deviation, "min-max" the least value and the range,
    "none" leaves values as they are. A constant column keeps the scale 1.

    Raises:
        InputError: an unknown kind.
    """
    columns = rows.shape[1]
    if kind == "none":
        return Scaling(np.zeros(columns), np.ones(columns))
    if kind == "standard":
        center, scale = rows.mean(axis=0), rows.std(axis=0)
    elif kind == "min-max":
        center = rows.min(axis=0)
        scale = rows.max(axis=0) - center
    else:
        raise InputError(f"scaling must be standard, min-max or none. Received: {kind!r}")
    return Scaling(center, one_where_constant(scale, rows))


def one_where_constant(
    spread: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each column's spread (columns,), or 1 where the column's rows (rows, columns) never change.

    Many equal numbers may have a deviation of 1e-16 by rounding; divided by it, any later change of
    the column would be huge.
    """
    return np.where(spread > 1e-12 * np.abs(rows).max(axis=0), spread, 1.0)
