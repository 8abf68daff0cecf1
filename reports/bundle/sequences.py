"""Sequences that a model may classify: rows laid end to end, filled as in training."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.metadata import Metadata
from reports.bundle.series import fill_rows, missing_value


@dataclass(frozen=True, eq=False)
class FreshSequences:
    """Sequences to be classified.

    `values` (rows, columns) float64 has the columns of `about`, NaN or infinite where nothing is known.
    Recording i reaches from row `borders[i]` to `borders[i + 1]`, and is what holes are filled within.
    Sequence j is the `lengths[j]` rows that end before row `ends[j]`, called `keys[j]` in a column
    named `key`: "id", or the "time" or the "row" of a window's last row. `filled` counts the cells that
    the fill rule made, and `source` is how messages name the rows.
    """

    values: NDArray[np.float64]
    borders: NDArray[np.int64]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    key: str
    keys: Any
    about: Metadata
    source: str
    filled: int = 0

    def windows(self, some: slice) -> NDArray[np.float64]:
        """Some sequences as the model takes them: (sequences, timesteps, columns).

        Shorter ones stand at the end, behind rows of the model's padding.
        """
        offsets = np.arange(-self.about.timesteps, 0)
        present = offsets >= -self.lengths[some, None]  # (sequences, timesteps)
        rows = np.where(present, self.ends[some, None] + offsets, 0)
        padding = 0.0 if self.about.padding is None else self.about.padding
        return np.where(present[:, :, None], self.values[rows], padding)


def completed(found: FreshSequences) -> FreshSequences:
    """Fill the holes by the rule of the training data, within each recording.

    Raises:
        BundleError: there is no sequence, a hole is left, or a sequence is shorter than any the model
            was trained on.
    """
    if len(found.ends) == 0:
        raise BundleError(f"{found.source}: has no sequences to classify")
    about, short = found.about, found.lengths < found.about.timesteps
    if about.padding is None and short.any():
        number = int(short.argmax())
        raise BundleError(
            f"{found.source}: {found.key} {found.keys[number]} has {found.lengths[number]} rows; the "
            f"model needs {about.timesteps}, since training had no shorter sequence"
        )
    values = np.where(np.isfinite(found.values), found.values, np.nan)
    missing = np.isnan(values)
    holes = np.flatnonzero(missing.any(axis=1))
    for number in np.unique(np.searchsorted(found.borders, holes, "right") - 1):
        fill_rows(values[found.borders[number] : found.borders[number + 1]], about)
    filled = replace(found, values=values, filled=int(missing.sum() - np.isnan(values).sum()))
    _check_cells(filled)
    return filled


def _check_cells(found: FreshSequences) -> None:
    missing = np.isnan(found.values)
    if not missing.any():
        return
    row, column = (int(place) for place in np.argwhere(missing)[0])
    where = f"row {row}"
    if found.key == "id":
        number = int(np.searchsorted(found.borders, row, "right")) - 1
        where = f"id {found.keys[number]}, step {row - found.borders[number]}"
    raise missing_value(f"{found.source}: {where}", column, int(missing.sum()), found.about)
