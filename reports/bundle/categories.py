"""Columns of categories: rows name one, and the model is fed a column of zeros and ones for each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reports.bundle.metadata import Metadata

Labels = Mapping[str, Sequence[str | None]]


def indicators(labels: Labels, about: Metadata) -> dict[str, NDArray[np.float64]]:
    """Make the indicators (rows,) of every category that the model knows, by their columns' names.

    Args:
        labels: the category of each row by column, None where the cell is missing.
        about: the model's metadata.

    Returns:
        1 where a row is of the category, 0 where it is of another one, NaN where the cell is missing.
    """
    found = {}
    for column, known in about.categories.items():
        numbered = {label: place for place, label in enumerate(known)}
        places = np.array([_place(label, numbered) for label in labels[column]], np.float64)
        for label, place in numbered.items():
            found[f"{column}={label}"] = np.where(np.isnan(places), np.nan, places == place)
    return found


def unknown_categories(labels: Labels, about: Metadata) -> list[str]:
    """Say which categories the model was never shown, a line for each column that has any."""
    lines = []
    for column, known in about.categories.items():
        numbered = {label: place for place, label in enumerate(known)}
        new = [label for label in labels[column] if _place(label, numbered) == -1]
        if new:
            lines.append(
                f"column {column!r}: {len(new)} of {len(labels[column])} rows have a category that "
                f"training did not have, such as {new[0]!r}: taken for none of {', '.join(known[:10])}"
            )
    return lines


def _place(label: str | None, numbered: Mapping[str, int]) -> float:
    """The category's number; -1 for one that the model does not know, NaN for a missing cell."""
    if label is None:
        return float("nan")
    if label in numbered:
        return numbered[label]
    # a column of whole numbers reads as "1" or, where cells are missing, as "1.0"
    other = label.removesuffix(".0") if label.endswith(".0") else f"{label}.0"
    return numbered.get(other, -1)
