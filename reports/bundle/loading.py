"""A bundle in memory, and how it is opened."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from reports.bundle.checksums import verify
from reports.bundle.classifying import classify
from reports.bundle.contained_files import contained_files
from reports.bundle.errors import BundleError
from reports.bundle.forecasting import answer
from reports.bundle.metadata import METADATA_FILE, read_metadata
from reports.bundle.onnx_model import ONNX_FILE, OnnxModel, open_session

if TYPE_CHECKING:
    import pandas as pd


class Bundle(OnnxModel):
    """A bundle's model, fed with tables."""

    def predict(
        self, frame: "pd.DataFrame", *, interval: float | None = None, rolling: bool = False
    ) -> "pd.DataFrame":
        """Forecast what follows the last rows of a table, or classify the sequences in it.

        Warns (UserWarning) of cells that were filled and of values unlike those of the training data.

        Args:
            frame: rows in the order of time, with the model's columns in the data's units and, if the
                training data had timestamps, their column or an index of them. Cells and timestamps
                may be missing as far as the fill rule of the training data allows. For a classifier
                of sequences, rows of several, told apart by the column of ids.
            interval: how often "lower" to "upper" shall hold the truth, such as 0.9.
            rolling: answer for every window of the rows instead of the last one (of a stream to be
                classified: instead of windows as far apart as in training).

        Returns:
            A row for each window, step and target, as `reports.bundle.frames.tidy` describes them, or
            for each sequence, as `reports.bundle.sequence_frames.class_table` does.

        Raises:
            BundleError: rows that do not fit the model, or no intervals of that level.
        """
        from reports.bundle.frames import (  # noqa: PLC0415  (imports pandas)
            named_by_text,
            series_from_frame,
            tidy,
        )

        frame = named_by_text(frame)
        if self.metadata.task == "classification":
            return self._classify(frame, interval, rolling=rolling)
        series = series_from_frame(frame, self.metadata)
        answers = answer(self, series, series.origins(rolling=rolling), interval=interval)
        for line in answers.warnings:
            warnings.warn(line, stacklevel=2)
        return tidy(answers)

    def _classify(
        self, frame: "pd.DataFrame", interval: float | None, *, rolling: bool
    ) -> "pd.DataFrame":
        from reports.bundle.sequence_frames import (  # noqa: PLC0415  (imports pandas)
            class_table,
            sequences_from_frame,
        )

        if interval is not None:
            raise BundleError(f"the model {self.metadata.name!r} does not forecast: no intervals")
        found = classify(self, sequences_from_frame(frame, self.metadata, rolling=rolling))
        for line in found.warnings:
            warnings.warn(line, stacklevel=3)
        return class_table(found)


def load_bundle(path: str | Path, threads: int = 1) -> Bundle:
    """Open a bundle after checking that no file of it was changed.

    Args:
        path: its folder, or a .zip or .tar.gz file of it.
        threads: how many of them one call of `run` may use.

    Raises:
        BundleError: no such bundle, a changed, missing or unlisted file, another schema, or a model
            that does not fit its metadata. Nothing is loaded before all files are checked.
    """
    path = Path(path)
    files = contained_files(path)
    verify(files, str(path))
    metadata = read_metadata(files[METADATA_FILE], str(path))
    if ONNX_FILE not in files:
        raise BundleError(
            f"{path}: has no {ONNX_FILE}, which this needs: export it with `--format onnx`"
        )
    session = open_session(files[ONNX_FILE], metadata, str(path), threads)
    return Bundle(path, metadata, session)
