"""Texts that a model may classify."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.metadata import Metadata

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class FreshTexts:
    """Texts to be classified, each called by its row in the table that `source` names."""

    texts: Sequence[str]
    about: Metadata
    source: str

    @property
    def key(self) -> str:
        """What `keys` are."""
        return "row"

    @property
    def keys(self) -> NDArray[np.int64]:
        """The rows, (texts,)."""
        return np.arange(len(self.texts), dtype=np.int64)

    def windows(self, some: slice) -> NDArray[np.object_]:
        """Some texts as the model takes them, (texts,)."""
        return np.array(self.texts[some], np.object_)


def texts_from_column(column: "pd.Series[str]", about: Metadata, source: str) -> FreshTexts:
    """Take texts from a column of a table.

    Raises:
        BundleError: there is none, or one is missing or has no words.
    """
    texts = column.astype(str).where(column.notna(), "").tolist()
    return checked_texts(texts, str(column.name), about, source)


def checked_texts(texts: Sequence[str], name: str, about: Metadata, source: str) -> FreshTexts:
    """Take the texts of a column called `name`.

    Raises:
        BundleError: there is none, or one has no words.
    """
    for row, text in enumerate(texts):
        if not text.strip():
            raise BundleError(
                f"{source}: column {name!r}, row {row}: the text has no words: leave the row out"
            )
    if not texts:
        raise BundleError(f"{source}: has no texts to classify")
    return FreshTexts(texts, about, source)
