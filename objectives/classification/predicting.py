"""Probabilities of sequences by a saved model, as whoever deploys it would ask for them."""

import keras
import numpy as np
import tensorflow as tf

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
    predict = tf.function(lambda windows: model(windows, training=False), reduce_retracing=True)
    found = []
    for start in range(0, len(request.ends), _SEQUENCES_AT_ONCE):
        some = slice(start, start + _SEQUENCES_AT_ONCE)
        ends, lengths = request.ends[some], request.lengths[some]
        if request.words:
            outputs = predict(tf.constant(joined_texts(rows, ends, lengths, request.words)))
        else:
            windows = padded_windows(rows, ends, lengths, model.input_shape[1])
            outputs = predict(windows.astype(np.float32))
        found.append(outputs["probabilities"].numpy().astype(np.float64))
    return ProbabilitiesOutcome(np.concatenate(found))
