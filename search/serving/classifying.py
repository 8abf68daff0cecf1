"""`POST /classify`: the rows of a sequence, or texts, by column name go in, classes come out."""

from typing import Any

import numpy as np

from reports.bundle import Bundle, Metadata
from reports.bundle.classifying import Classified
from reports.bundle.classifying import classify as classify_sequences
from reports.bundle.sequences import FreshSequences, completed
from reports.bundle.texts import checked_texts
from search.serving.errors import RequestError
from search.serving.rows import Rows, check_keys, read_numbers, read_rows, read_texts, read_times


def classify(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /classify`; gives the answer and how many windows or texts it took.

    The rows are one sequence in the order of time, of which the model sees the last `timesteps`; or each
    is a text by itself, and gets an answer of its own.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    about = bundle.metadata
    if about.task != "classification":
        raise RequestError(f"the model {about.name!r} does not classify", 404)
    check_keys(asked, "rows")
    rows = read_rows(asked.get("rows"), about)
    if not rows:
        raise RequestError("rows: expected at least one. Received: none")
    model = {"model": about.name, "version": about.version}
    if about.text_column is not None:
        texts = read_texts(rows, about.text_column, about)
        checked = checked_texts(texts, about.text_column, about, "rows")
        return {**model, "texts": _classes(classify_sequences(bundle, checked))}, len(texts)
    _check_order(rows, about)
    found = classify_sequences(bundle, _one_sequence(rows, about))
    (answer,), said = _classes(found), found.warnings
    return {**model, **answer, **({"warnings": said} if said else {})}, 1


def _classes(found: Classified) -> list[dict[str, Any]]:
    names = found.sequences.about.labels
    return [
        {"label": label, "probabilities": dict(zip(names, probabilities, strict=True))}
        for label, probabilities in zip(found.labels.tolist(), found.probabilities, strict=True)
    ]


def _one_sequence(rows: Rows, about: Metadata) -> FreshSequences:
    values = np.column_stack([read_numbers(rows, name) for name in about.numeric_columns])
    count = np.array([len(rows)])
    borders = np.array([0, len(rows)])
    return completed(
        FreshSequences(values, borders, count, count, "sequence", np.array([0]), about, "rows")
    )


def _check_order(rows: Rows, about: Metadata) -> None:
    """Refuse rows of which one is earlier than the last, by the numbers or timestamps that they have."""
    column = about.time.column
    if column is None or not any(column in row for row in rows):
        return
    counted = isinstance(rows[0].get(column), int | float)
    times = None if counted else read_times(rows, about)
    moments: Any = read_numbers(rows, column) if times is None else times.instants
    early = moments[1:] < moments[:-1]
    if early.any():
        at = int(np.argmax(early)) + 1
        raise RequestError(f"rows[{at}].{column}: is earlier than the row before: sort the rows")
