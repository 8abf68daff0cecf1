"""Reading labelled texts from tables: one row for each text."""

from typing import Any

import numpy as np
import pandas as pd

from objectives.classification.recordings import Recordings
from objectives.classification.roles import groups_of, is_test, labels_of, roles_of
from objectives.classification.settings import SequenceSettings
from objectives.classification.vocabulary import numbered, words_of
from objectives.data.reading import check_once
from objectives.data.table_file import named_by_text
from objectives.errors import InputError


def recordings_from_texts(
    frame: pd.DataFrame, settings: SequenceSettings, source: str
) -> Recordings:
    """Take texts from a table as sequences of words.

    Args:
        frame: one row for each text.
        settings: which columns are what; `text` is given.
        source: how messages name the table.

    Returns:
        Recordings whose values (words, 1) are numbers of `words`.

    Raises:
        InputError: a column or a label that cannot be, or a text without words.
    """
    frame = named_by_text(frame)
    check_once(list(frame.columns), "the table", source)
    roles = roles_of(frame, settings, source)
    texts = _split(frame[roles.text], source)
    words, values = numbered(texts)
    lengths = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(lengths)
    rows = np.arange(len(texts), dtype=np.int64)
    return Recordings(
        values=values,
        borders=np.concatenate([[0], ends]).astype(np.int64),
        names=[f"row {row}" for row in rows],
        features=(str(roles.text),),
        ends=ends,
        lengths=lengths,
        labels=labels_of(frame[roles.label], rows, source),
        groups=None if roles.group is None else groups_of(frame[roles.group], rows, source),
        test=None if roles.split is None else is_test(frame[roles.split], rows, source),
        words=words,
    )


def _split(column: "pd.Series[Any]", source: str) -> list[list[str]]:
    texts = [words_of(text) for text in column.astype(str).where(column.notna(), "")]
    for row, words in enumerate(texts):
        if not words:
            raise InputError(
                f"{source}: column {column.name!r}, row {row}: the text has no words: give every row "
                "one, or leave it out"
            )
    return texts
