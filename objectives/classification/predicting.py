"""Probabilities of sequences by a saved model, as whoever deploys it would ask for them."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.classification.messages import (
    PADDING,
    ProbabilitiesOutcome,
    ProbabilitiesRequest,
)
from objectives.classification.network import TEMPERATURE

_SEQUENCES_AT_ONCE = 1024  # so that memory does not grow with the test set


def probabilities(request: ProbabilitiesRequest) -> ProbabilitiesOutcome:
    """Classify sequences with a saved model."""
    model = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    if not request.calibrated:
        for layer in model.layers:
            if layer.name.startswith(TEMPERATURE):
                layer.scale = 1.0
    rows = np.load(request.rows, mmap_mode="r", allow_pickle=False)
    predict = tf.function(lambda windows: model(windows, training=False), reduce_retracing=True)
    found = []
    for start in range(0, len(request.ends), _SEQUENCES_AT_ONCE):
        some = slice(start, start + _SEQUENCES_AT_ONCE)
        windows = padded_windows(
            rows, request.ends[some], request.lengths[some], model.input_shape[1]
        )
        outputs = predict(windows.astype(np.float32))
        found.append(outputs["probabilities"].numpy().astype(np.float64))
    return ProbabilitiesOutcome(np.concatenate(found))


def padded_windows(
    rows: NDArray[np.floating],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    timesteps: int,
) -> NDArray[np.floating]:
    """The last `timesteps` rows of sequences as a saved model takes them.

    Args:
        rows: (rows, features).
        ends: (sequences,), the row after each sequence's last.
        lengths: (sequences,), how many rows each has.
        timesteps: rows that are kept; shorter sequences have `PADDING` before their first row.

    Returns:
        A copy, (sequences, timesteps, features).
    """
    offsets = np.arange(-timesteps, 0)
    present = offsets >= -lengths[:, None]  # (sequences, timesteps)
    windows = np.asarray(rows[np.where(present, ends[:, None] + offsets, 0)])
    return np.where(present[:, :, None], windows, PADDING)
