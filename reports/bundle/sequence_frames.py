"""DataFrames of sequences in, a DataFrame of their classes out."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.bundle.classifying import Classified
from reports.bundle.errors import BundleError
from reports.bundle.frames import check_columns, numbers_of
from reports.bundle.metadata import Metadata, SequenceRows
from reports.bundle.sequences import FreshSequences, completed
from reports.bundle.texts import FreshTexts, texts_from_column

_TIME = "time"  # the column that orders rows where the training data did not name one


def sequences_from_frame(
    frame: pd.DataFrame, about: Metadata, source: str = "DataFrame", *, rolling: bool = False
) -> FreshSequences | FreshTexts:
    """Take the sequences from a table as in training, or cut them from it where it is a stream.

    Args:
        frame: a row for each step, or for each text, with every column of the model in any order and
            the columns that `about.sequences` names; what else it has, the label too, is left out. Rows
            of sequences may be mixed, those of a stream are in order.
        about: the model's metadata.
        source: how messages name the table.
        rolling: take the window before every row of a stream, instead of those that training took.

    Raises:
        BundleError: a column is missing or holds no numbers, an id or a time is missing, a time is
            there twice or falls, or the sequences do not fit the model.
    """
    layout = about.sequences
    if layout is None:
        raise BundleError(
            f"the model {about.name!r} does not say how rows make up sequences: export it again"
        )
    if layout.text is not None:
        return _texts(frame, layout.text, about, source, rolling=rolling)
    check_columns(frame, about, source)
    values = np.column_stack([numbers_of(frame[name], source) for name in about.numeric_columns])
    times = _times(frame, about, source)
    if layout.length is not None:
        return completed(_stream(frame, values, times, about, source, rolling=rolling))
    if rolling:
        raise _not_rolling(about)
    return completed(_sequences(frame, values, times, about, source))


def _texts(
    frame: pd.DataFrame, name: str, about: Metadata, source: str, *, rolling: bool
) -> FreshTexts:
    if rolling:
        raise _not_rolling(about)
    if name not in frame.columns:
        raise BundleError(f"{source}: no column {name!r}, which has the texts")
    return texts_from_column(frame[name], about, source)


def _not_rolling(about: Metadata) -> BundleError:
    return BundleError(f"the model {about.name!r} classifies whole sequences: none can be rolling")


def _sequences(
    frame: pd.DataFrame,
    values: NDArray[np.float64],
    times: "pd.Index[Any] | None",
    about: Metadata,
    source: str,
) -> FreshSequences:
    name = _layout(about).id
    if name not in frame.columns:
        raise BundleError(f"{source}: no column {name!r}, which tells sequences apart")
    codes, ids = pd.factorize(frame[name], use_na_sentinel=True)  # (rows,), (sequences,)
    if (codes < 0).any():
        raise BundleError(f"{source}: column {name!r}, row {(codes < 0).argmax()}: no id")
    order = np.argsort(codes, kind="stable")
    if times is not None:
        order = np.lexsort((times.argsort().argsort(), codes))
        repeated = pd.DataFrame({"id": codes, "time": times}).duplicated().to_numpy(np.bool_)
        if repeated.any():
            row = int(repeated.argmax())
            raise BundleError(
                f"{source}: column {times.name!r}, row {row}: {name} {ids[codes[row]]} has "
                f"{times[row]} twice: keep one row for each time"
            )
    lengths = np.bincount(codes, minlength=len(ids)).astype(np.int64)
    ends = np.cumsum(lengths)
    borders = np.concatenate([[0], ends])
    return FreshSequences(values[order], borders, ends, lengths, "id", ids, about, source)


def _stream(
    frame: pd.DataFrame,
    values: NDArray[np.float64],
    times: "pd.Index[Any] | None",
    about: Metadata,
    source: str,
    *,
    rolling: bool,
) -> FreshSequences:
    """Cut a stream; no window reaches from one group into another."""
    layout = _layout(about)
    length, stride = (about.timesteps, 1) if rolling else (layout.length, layout.stride)
    breaks = np.array([], np.int64)
    if layout.group in frame.columns and layout.group not in about.numeric_columns:
        breaks = np.flatnonzero(np.diff(pd.factorize(frame[layout.group])[0])) + 1
    borders = np.concatenate([[0], breaks, [len(frame)]]).astype(np.int64)
    if times is not None:
        _check_rising(times, borders, source)
    ends = np.concatenate(
        [np.arange(first + length, end + 1, stride) for first, end in itertools.pairwise(borders)]
    ).astype(np.int64)
    if len(ends) == 0:
        raise BundleError(
            f"{source}: the model looks at {length} rows. Received: {np.diff(borders).max()}"
        )
    key, keys = ("row", ends - 1) if times is None else ("time", times[ends - 1])
    lengths = np.full(len(ends), length, np.int64)
    return FreshSequences(values, borders, ends, lengths, key, keys, about, source)


def _layout(about: Metadata) -> SequenceRows:
    if about.sequences is None:
        raise BundleError(f"the model {about.name!r} does not say how rows make up sequences")
    return about.sequences


def _times(frame: pd.DataFrame, about: Metadata, source: str) -> "pd.Index[Any] | None":
    """The times of all rows, numbers or timestamps, None where there are none."""
    name = about.time.column
    if name is None and _TIME in frame.columns and _TIME not in about.numeric_columns:
        name = _TIME
    if name is None:
        return None
    if name not in frame.columns:
        raise BundleError(f"{source}: no column {name!r}, which has the times")
    column, where = frame[name], f"{source}: column {name!r}"
    if column.isna().any():
        raise BundleError(f"{where}, row {column.isna().argmax()}: no time")
    if column.dtype.kind in "iuf":
        numbers: pd.Index[Any] = pd.Index(column)
        return numbers
    try:
        return pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601"), name=name)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{where}: expected times: {' '.join(str(error).split())}") from None


def _check_rising(times: "pd.Index[Any]", borders: NDArray[np.int64], source: str) -> None:
    falling = np.zeros(len(times), np.bool_)
    falling[1:] = times[1:] <= times[:-1]
    falling[borders[:-1]] = False
    if falling.any():
        row = int(falling.argmax())
        raise BundleError(
            f"{source}: column {times.name!r}, row {row}: {times[row]} is not later than "
            f"{times[row - 1]} in the row before: sort the rows of a stream by time"
        )


def class_table(found: Classified) -> pd.DataFrame:
    """A row for each sequence, in the order of their first rows.

    Returns:
        "id", or "time" or "row" of a window's last row; "label", the most probable class; and
        "probability_…" of each class.
    """
    probabilities = {
        f"probability_{label}": found.probabilities[:, place]
        for place, label in enumerate(found.sequences.about.labels)
    }
    keys = {found.sequences.key: found.sequences.keys}
    return pd.DataFrame({**keys, "label": found.labels, **probabilities})
