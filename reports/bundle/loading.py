"""A bundle in memory, whose model runs on onnxruntime."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle.checksums import verify
from reports.bundle.classifying import classify
from reports.bundle.contained_files import contained_files
from reports.bundle.errors import BundleError
from reports.bundle.forecasting import answer
from reports.bundle.metadata import METADATA_FILE, Metadata, Tensor, read_metadata

if TYPE_CHECKING:
    import pandas as pd

ONNX_FILE = "model.onnx"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model and what its users must know; `path` is the folder or archive that it came from."""

    path: Path
    metadata: Metadata
    session: Any

    def run(self, windows: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Feed windows to the model.

        Args:
            windows: (batch, timesteps, columns) in the data's units, columns in the order of
                `metadata.columns`; or texts, (batch,) of str. The batch may be of any size.

        Returns:
            Each output by its name, in the data's units: "forecast" (batch, horizon, targets),
            "quantiles" (batch, horizon, targets, quantiles), or "probabilities" (batch, classes).

        Raises:
            BundleError: the shape is another, there is no window, a value is missing, infinite or beyond
                float32, or an output is not finite.
        """
        fed = _fed(windows, self.metadata)
        names = [output.name for output in self.metadata.outputs]
        found = self.session.run(names, {self.metadata.input.name: fed})
        for name, values in zip(names, found, strict=True):
            if not np.isfinite(values).all():
                raise BundleError(
                    f"{name!r} is not finite for these windows: they are too far from what the model "
                    "was trained on"
                )
        return dict(zip(names, found, strict=True))

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
        if self.metadata.task == "classification":
            return self._classify(frame, interval, rolling=rolling)
        from reports.bundle.frames import series_from_frame, tidy  # noqa: PLC0415  (imports pandas)

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
    session = open_session(files[ONNX_FILE], str(path), threads)
    _check_session(session, metadata, str(path))
    return Bundle(path, metadata, session)


def open_session(model: bytes, source: str, threads: int = 1) -> Any:
    """Open an ONNX model with onnxruntime on the CPU.

    Raises:
        BundleError: it is none that onnxruntime can run.
    """
    import onnxruntime  # noqa: PLC0415  (not needed by those who only read metadata)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        reason = " ".join(str(error).split())
        raise BundleError(f"{source}: {ONNX_FILE} cannot be run: {reason}") from None


def _check_session(session: Any, metadata: Metadata, source: str) -> None:
    """Refuse a model whose names are others: constants that became inputs show here."""
    inputs = [found.name for found in session.get_inputs()]
    outputs = {found.name for found in session.get_outputs()}
    expected = {output.name for output in metadata.outputs}
    if inputs != [metadata.input.name] or not expected <= outputs:
        raise BundleError(
            f"{source}: {ONNX_FILE} maps {inputs} to {sorted(outputs)}, and {METADATA_FILE} says "
            f"{[metadata.input.name]} to {sorted(expected)}: export it again"
        )


def _fed(windows: NDArray[Any], about: Metadata) -> NDArray[Any]:
    """Windows or texts as the session takes them, checked."""
    expected = about.input
    if expected.dtype == "string":
        if windows.ndim != 1 or len(windows) == 0 or not all(isinstance(t, str) for t in windows):
            raise BundleError(
                f"expected at least one text, as (batch,) of str. Received: {windows.dtype} "
                f"{windows.shape}"
            )
        return np.array([_last_words(text, about.timesteps) for text in windows], np.object_)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        fed = np.ascontiguousarray(windows, dtype=np.float32)
    _check_windows(fed, expected)
    return fed


def _last_words(text: str, most: int) -> str:
    """All that the model sees of a text; its graph pads every text to the longest."""
    return b" ".join(text.encode().rsplit(None, most)[-most:]).decode()


def _check_windows(windows: NDArray[np.float32], expected: Tensor) -> None:
    fits = windows.ndim == len(expected.shape) and all(
        isinstance(wanted, str) or wanted == received
        for wanted, received in zip(expected.shape, windows.shape, strict=True)
    )
    if not fits:
        shape = ", ".join(str(size) for size in expected.shape)
        raise BundleError(f"expected windows of shape ({shape}). Received: {windows.shape}")
    if windows.size == 0:
        raise BundleError(f"expected at least one window. Received: shape {windows.shape}")
    if not np.isfinite(windows).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(windows))[0])
        raise BundleError(
            f"windows must be finite in float32: {windows[place]} at {place} (batch, timesteps, "
            "columns)"
        )
