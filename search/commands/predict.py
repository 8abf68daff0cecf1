"""`lstm-search predict`: what an exported model says of fresh rows or sequences."""

import sys
from pathlib import Path

import pandas as pd

from objectives.errors import InputError
from reports.bundle import Bundle, load_bundle
from reports.bundle.classifying import classify
from reports.bundle.forecasting import answer
from reports.bundle.frames import tidy
from reports.bundle.sequence_frames import class_table
from reports.files import atomically
from search.bundles.fresh_rows import read_rows, series_of
from search.bundles.fresh_sequences import fresh_sequences

_PARQUET, _CSV = (".parquet", ".pq"), (".csv",)


def execute(
    bundle: Path, data: str, out: Path | None, interval: float | None, *, rolling: bool
) -> int:
    """Print the answers as CSV or write them to a file; warnings go to standard error."""
    if interval is not None and not 0 < interval < 1:
        raise InputError(f"--interval: expected a number between 0 and 1. Received: {interval:g}")
    if out is not None and out.suffix.lower() not in (*_PARQUET, *_CSV):
        raise InputError(f"--out {out}: expected a name that ends in .csv or .parquet")
    model = load_bundle(bundle)
    if model.metadata.task == "classification":
        warnings, found = _classes(model, data, interval, rolling=rolling)
    else:
        warnings, found = _forecasts(model, data, interval, rolling=rolling)
    for line in warnings:
        print(f"lstm-search: warning: {line}", file=sys.stderr)
    if out is None:
        found.to_csv(sys.stdout, index=False)
    else:
        _write(found, out)
    return 0


def _forecasts(
    model: Bundle, data: str, interval: float | None, *, rolling: bool
) -> tuple[list[str], pd.DataFrame]:
    series = series_of(read_rows(data), model.metadata)
    answers = answer(model, series, series.origins(rolling=rolling), interval=interval)
    return answers.warnings, tidy(answers)


def _classes(
    model: Bundle, data: str, interval: float | None, *, rolling: bool
) -> tuple[list[str], pd.DataFrame]:
    if interval is not None:
        raise InputError(f"--interval: the model {model.metadata.name!r} does not forecast")
    classified = classify(model, fresh_sequences(data, model.metadata, rolling=rolling))
    return classified.warnings, class_table(classified)


def _write(found: pd.DataFrame, out: Path) -> None:
    try:
        with atomically(out) as temporary:
            if out.suffix.lower() in _PARQUET:
                found.to_parquet(temporary, index=False)
            else:
                found.to_csv(temporary, index=False)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error.strerror or error}") from None
