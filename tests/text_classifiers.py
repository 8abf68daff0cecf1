"""Small real bundles of classifiers of texts: an ONNX model that counts the words it knows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from objectives.classification.vocabulary import words_of
from objectives.export.words import with_words
from reports.bundle.metadata import Preprocessing, SequenceRows, Tensor, TimeAxis
from tests.bundles import as_bytes, write_bundle

LONGEST, WORDS, COLUMN = 5, ("good", "bad", "not"), "review"
LABELS = ("panned", "praised")
CHANGES: dict[str, Any] = {
    "name": "reviews",
    "task": "classification",
    "input": Tensor("text", "string", ("batch",), "words between blanks"),
    "outputs": (Tensor("probabilities", "float32", ("batch", len(LABELS)), "probabilities"),),
    "columns": (),
    "targets": (),
    "timesteps": LONGEST,
    "horizon": 0,
    "time": TimeAxis(None, None, None, None),
    "preprocessing": Preprocessing("words", (), (), "probabilities", "none"),
    "labels": LABELS,
    "class_shares": (0.5, 0.5),
    "sequences": SequenceRows("id", "label", "group", None, None, COLUMN),
}


def word_weights(version: int = 1) -> NDArray[np.float32]:
    """What the words add to the logits, by id: (padding, unknown and known words, classes)."""
    generator = np.random.default_rng(version)
    found = generator.normal(0, 1, (2 + len(WORDS), len(LABELS))).astype(np.float32)
    found[0] = 0
    return found


def expected_probabilities(texts: list[str], version: int = 1) -> NDArray[np.float64]:
    """What the model says of texts: (texts, classes)."""
    weights, logits = word_weights(version).astype(float), []
    for text in texts:
        last = words_of(text)[-LONGEST:]
        ids = [2 + WORDS.index(word) if word in WORDS else 1 for word in last]
        logits.append(weights[ids].sum(axis=0))
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def write_text_classifier(folder: Path, version: int = 1, **changes: Any) -> Path:
    """Write a bundle of the classifier of texts; `changes` replace parts of its metadata."""
    return write_bundle(folder, version, _model(version), **{**CHANGES, **changes})


def _model(version: int) -> bytes:
    constants = [
        numpy_helper.from_array(word_weights(version), "weights"),
        numpy_helper.from_array(np.array([1]), "time"),
    ]
    nodes = [
        helper.make_node("Gather", ["weights", "ids"], ["added"]),
        helper.make_node("ReduceSum", ["added", "time"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    given = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", LONGEST])
    found = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ["batch", len(LABELS)]
    )
    graph = helper.make_graph(nodes, "classifier", [given], [found], constants)
    model = ModelProto.FromString(as_bytes(graph))
    content: bytes = with_words(model, WORDS, LONGEST).SerializeToString()
    return content
