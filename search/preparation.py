"""From a study file and a table to what every trial shares, checked before anything is trained."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.data.calendar import calendar_names
from objectives.data.dataset import Dataset, dataset_from_frame, read_dataset
from objectives.data.season import find_season
from objectives.errors import InputError
from objectives.split import Part, Split, cut, validation_hash
from objectives.trials.messages import ForecastTask
from reports.files import atomically
from search.study import CommonStudy, Study


@dataclass(frozen=True)
class Preparation:
    """A data set cut for a study; `season` is the seasonal naive forecast's period in rows."""

    dataset: Dataset
    split: Split
    season: int
    target_hash: str

    @property
    def fingerprint(self) -> str:
        """Identifies the data."""
        return self.dataset.fingerprint

    @property
    def target_values(self) -> str:
        """SHA-256 in hex of the targets' values that trials are judged on and measured in.

        Studies of one hash and one `target_hash` have comparable scores, whatever else they see.
        """
        train, validation = self.split.train, self.split.validation
        values = self.dataset.values[train.first : validation.end, : len(self.dataset.targets)]
        digest = hashlib.sha256(" ".join(self.dataset.targets).encode())
        digest.update(np.ascontiguousarray(values, "<f8").tobytes())
        if train.end < validation.first:  # the rows of a gap have no part in the unit
            digest.update(f"train to {train.end}".encode())
        return digest.hexdigest()

    def dates(self, part: Part) -> str:
        """The first and last timestamp of a part's targets, or its rows where there are none."""
        times = self.dataset.times
        if times is None:
            return f"rows {part.first} to {part.end - 1}"
        return f"{times[part.first]} to {times[part.end - 1]}"

    def label(self, row: int) -> str:
        """A row's timestamp, or its number."""
        times = self.dataset.times
        return str(row) if times is None else times[row].isoformat()


def prepare(study: Study, frame: pd.DataFrame | None = None) -> Preparation:
    """Read and check the data, and cut them.

    Raises:
        InputError: anything about the data or the split that cannot be.
    """
    if frame is not None:
        dataset = dataset_from_frame(frame, study.data)
    elif study.data.path is None:
        raise InputError("[data] path: name a CSV or Parquet file, or pass a DataFrame")
    else:
        dataset = read_dataset(study.data)
    longest = study.space.largest_timesteps
    split = cut(len(dataset.values), study.split, study.data, longest, dataset.times)
    train = split.train
    check_precision(dataset.columns, dataset.values[train.first : train.end], dataset.source)
    dataset = dataset.knowing(train.first, train.end)
    training_targets = dataset.values[train.first : train.end, : len(dataset.targets)]
    season = find_season(training_targets, dataset.step, study.data.season, dataset.frequency)
    return Preparation(dataset, split, season, validation_hash(split))


def check_precision(names: Sequence[str], rows: NDArray[np.float64], source: str) -> None:
    """Raise InputError for a column of training rows that single precision hardly tells apart.

    Args:
        names: of the columns.
        rows: (rows, columns).
        source: how messages name the file.
    """
    for name, column in zip(names, rows.T, strict=True):
        if beyond_single_precision(column):
            with np.errstate(over="ignore", invalid="ignore"):
                deviation = column.std()
            raise InputError(
                f"{source}: column {name!r} reaches {np.abs(column).max():.4g} with a deviation "
                f"of {deviation:.4g} in training, which the single precision of a network cannot hold: "
                "subtract a constant from it, or divide it by one"
            )


def beyond_single_precision(column: NDArray[np.float64]) -> bool:
    """Whether single precision hardly tells the values (rows,) of a column apart that differ."""
    if column.min() == column.max():
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        step = np.spacing(np.abs(column).max().astype(np.float32))
        return not step <= column.std() / 4


def make_directory(directory: Path) -> None:
    """Make the folder of a study, and find out now whether files can be written there.

    Raises:
        InputError: they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InputError(
            f"[output] directory: cannot write to {directory}: {error.strerror}; choose another "
            "with --out"
        ) from None


def rows_file(fingerprint: str, directory: Path) -> Path:
    """Where the rows of data lie that every trial maps, in a study's folder."""
    return directory / f"rows_{fingerprint[:16]}.npy"


def share_rows(preparation: Preparation, study: Study) -> ForecastTask:
    """Write the rows where every trial can map them into its memory."""
    return ForecastTask(
        rows=write_rows(preparation.dataset.values, preparation.fingerprint, study),
        targets=len(preparation.dataset.targets),
        split=preparation.split,
        training=study.training,
        calendar=len(calendar_names(study.data.calendar)),
    )


def write_rows(values: NDArray[np.float64], fingerprint: str, study: CommonStudy) -> Path:
    """Write rows (rows, columns) into a study's folder, unless they are there."""
    path = rows_file(fingerprint, study.directory)
    if not path.exists():
        with atomically(path) as unfinished:
            np.save(unfinished, values, allow_pickle=False)
    return path.resolve()
