"""The model of a bundle, which runs on onnxruntime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.metadata import METADATA_FILE, Metadata, Tensor

ONNX_FILE = "model.onnx"


@dataclass(frozen=True, eq=False)
class OnnxModel:
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


def open_session(model: bytes, metadata: Metadata, source: str, threads: int) -> Any:
    """Open an ONNX model with onnxruntime on the CPU.

    Raises:
        BundleError: it is none that onnxruntime can run, or does not fit its metadata.
    """
    import onnxruntime  # noqa: PLC0415  (not needed by those who only read metadata)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        reason = " ".join(str(error).split())
        raise BundleError(f"{source}: {ONNX_FILE} cannot be run: {reason}") from None
    _check_session(session, metadata, source)
    return session


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
