"""How far fresh rows are from those that a model was trained on, column by column."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.bundle.metadata import Column, Metadata

SHIFTED = 0.25  # a stability index above this is held to be a shift of the whole (Siddiqi 2006)
_LEAST_PER_BIN = 20  # rows; with fewer, chance alone makes the index large
_LEAST_SHARE = 1e-4  # of a bin, since the index of an empty one would be infinite


@dataclass(frozen=True)
class Drift:
    """A column of fresh rows beside the training rows.

    `outside` is the share of its values below the training minimum or above the maximum. `stability` is
    the population stability index: the sum over bins of (share - training share) · ln(share / training
    share), 0 for equal distributions; None where there are too few rows or the bundle has no bins.
    """

    column: str
    outside: float
    stability: float | None
    minimum: float
    maximum: float
    rows: int

    @property
    def notable(self) -> bool:
        """Whether someone should be told."""
        return self.outside > 0 or (self.stability or 0) > SHIFTED

    def __str__(self) -> str:
        """In words, for a warning."""
        parts = []
        if self.outside > 0:
            few = self.outside < 0.0005  # a share that would read 0.0%
            some = round(self.outside * self.rows) if few else f"{self.outside:.1%}"
            parts.append(
                f"{some} of {self.rows} values lie outside of the training data's range, "
                f"{self.minimum:g} to {self.maximum:g}"
            )
        if self.stability is not None:
            parts.append(f"population stability index {self.stability:.2f}")
        return f"column {self.column!r}: {'; '.join(parts)}"


def measure_drift(values: NDArray[np.float64], about: Metadata) -> tuple[Drift, ...]:
    """Compare rows (rows, columns) without holes with the training data of the model."""
    return tuple(_drift(values[:, place], column) for place, column in enumerate(about.columns))


def _drift(values: NDArray[np.float64], column: Column) -> Drift:
    outside = float(np.mean((values < column.minimum) | (values > column.maximum)))
    return Drift(
        column.name,
        outside,
        _stability(values, column),
        column.minimum,
        column.maximum,
        len(values),
    )


def _stability(values: NDArray[np.float64], column: Column) -> float | None:
    bins = len(column.bin_shares)
    if bins == 0 or len(values) < _LEAST_PER_BIN * bins:
        return None
    places = np.searchsorted(column.bin_edges, values)  # a bin has its upper edge
    found = np.maximum(np.bincount(places, minlength=bins) / len(values), _LEAST_SHARE)
    expected = np.maximum(column.bin_shares, _LEAST_SHARE)
    return float(np.sum((found - expected) * np.log(found / expected)))
