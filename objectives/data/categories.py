"""Columns of categories as inputs: a column of zeros and ones for each category."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.settings import DataSettings

MOST_CATEGORIES = 100  # of a column; more are names or numbers of things, not kinds of them


def read_categories(
    frame: pd.DataFrame, settings: DataSettings, source: str
) -> tuple[Mapping[str, tuple[str, ...]], NDArray[np.float64]]:
    """Read the columns that `settings.categorical` names.

    Returns:
        Each column's categories in alphabetical order, and their indicators (rows, categories of all
        columns): 1 where a row is of the category, 0 where not, NaN where the row's cell is missing.

    Raises:
        InputError: a column has no category, or too many.
    """
    categories: dict[str, tuple[str, ...]] = {}
    indicators = [np.empty((len(frame), 0))]
    for name in settings.categorical:
        labels = category_labels(frame[name])
        found = pd.get_dummies(labels, dtype=np.float64)  # (rows, categories)
        if not 1 <= found.shape[1] <= MOST_CATEGORIES:
            raise InputError(
                f"{source}: column {name!r} has {found.shape[1]} categories, where 1 to "
                f"{MOST_CATEGORIES} are possible: take it out of categorical"
            )
        categories[name] = tuple(found.columns)
        indicators.append(found.where(labels.notna()).to_numpy(np.float64, na_value=np.nan))
    return categories, np.hstack(indicators)


def indicator_names(categories: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Name the indicators' columns: "wind=NW" for the category NW of the column wind."""
    return tuple(f"{name}={label}" for name, labels in categories.items() for label in labels)


def category_labels(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The categories as text without spaces around it, None where a cell is missing or blank."""
    present = column.astype(object).where(column.notna(), "")
    labels = present.map(lambda cell: str(cell).strip())
    return labels.where(labels != "", None)
