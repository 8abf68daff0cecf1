"""Labels and groups as texts, and the numbers of labels."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.errors import InputError


def plain_text(value: Any) -> str:
    """Write a cell as text, whole numbers without a decimal point: another file may have them so."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if pd.isna(value) else str(value).strip()


def label_text(value: Any, where: str) -> str:
    """Write a label as text.

    Raises:
        InputError: there is none.
    """
    text = plain_text(value)
    if not text:
        raise InputError(f"{where}: the label is missing: give every sequence one, or leave it out")
    return text


def number_labels(labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes, numbers by size and texts by letter, and the labels' numbers (sequences,)."""
    classes = tuple(_in_order(set(labels)))
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, np.array([numbers[label] for label in labels], np.int64)


def _in_order(labels: set[str]) -> list[str]:
    """Put labels into an order that does not depend on that of the set, which hashing decides."""
    try:
        values = {label: float(label) for label in labels}
    except ValueError:
        return sorted(labels)
    if any(math.isnan(value) for value in values.values()):  # which is neither less nor more
        return sorted(labels)
    return sorted(labels, key=lambda label: (values[label], label))
