"""Probabilities of sequences by a saved model, as whoever deploys it would ask for them."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.classification.alone import without_padding
from objectives.classification.messages import ProbabilitiesOutcome, ProbabilitiesRequest
from objectives.classification.network import TEMPERATURE
from objectives.classification.text_network import FROM_IDS
from objectives.classification.vocabulary import joined_texts
from objectives.classification.windows import padded_windows

_SEQUENCES_AT_ONCE = 1024  # so that memory does not grow with the test set


def probabilities(request: ProbabilitiesRequest) -> ProbabilitiesOutcome:
    """Classify sequences or texts with a saved model."""
    model = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    if not request.calibrated:
        for layer in (model.get_layer(FROM_IDS) if request.words else model).layers:
            if layer.name.startswith(TEMPERATURE):
                layer.scale = 1.0
    rows = np.load(request.rows, mmap_mode="r", allow_pickle=False)
    predict = tf.function(
        lambda windows: model(windows, training=False), reduce_retracing=True, autograph=False
    )
    timesteps = 0 if request.words else model.input_shape[1]
    at_once = 1 if request.alone else _SEQUENCES_AT_ONCE
    found = []
    for start in range(0, len(request.ends), at_once):
        some = slice(start, start + at_once)
        if request.alone:
            timesteps = min(int(request.lengths[start]), request.alone.timesteps)
            predict = without_padding(model, request.alone, timesteps)
        outputs = predict(_inputs(request, rows, some, timesteps))
        found.append(outputs["probabilities"].numpy().astype(np.float64))
    return ProbabilitiesOutcome(np.concatenate(found))


def _inputs(
    request: ProbabilitiesRequest, rows: NDArray[Any], some: slice, timesteps: int
) -> tf.Tensor:
    """What a model of `timesteps` takes of some sequences; texts are as long as they are."""
    ends, lengths = request.ends[some], request.lengths[some]
    if request.words:
        return tf.constant(joined_texts(rows, ends, lengths, request.words))
    return tf.constant(padded_windows(rows, ends, lengths, timesteps).astype(np.float32))
