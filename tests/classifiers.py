"""Small real bundles of classifiers: linear ONNX models that leave padding out, and their metadata.

A row counts by its place in the window, so that padding behind a sequence gives another answer.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reports.bundle.metadata import Preprocessing, SequenceRows, Tensor, TimeAxis
from tests.bundles import METADATA, as_bytes, write_bundle

LONGEST, COLUMNS, PADDING = 6, ("x", "y"), -1e9
LABELS = ("run", "sit", "walk")
CHANGES: dict[str, Any] = {
    "name": "moves",
    "task": "classification",
    "input": Tensor("window", "float32", ("batch", LONGEST, len(COLUMNS)), "those of the data"),
    "outputs": (Tensor("probabilities", "float32", ("batch", len(LABELS)), "probabilities"),),
    "columns": tuple(replace(METADATA.columns[0], name=name, target=False) for name in COLUMNS),
    "targets": (),
    "timesteps": LONGEST,
    "horizon": 0,
    "time": TimeAxis("time", None, None, None),
    "preprocessing": Preprocessing("standard", (5.0, 5.0), (2.0, 2.0), "probabilities", "forward"),
    "labels": LABELS,
    "class_shares": (0.25, 0.25, 0.5),
    "sequences": SequenceRows("id", "label", "group", None, None),
    "padding": PADDING,
}


def weights(version: int = 1) -> NDArray[np.float32]:
    """What sums over a sequence are multiplied with: (columns, classes)."""
    generator = np.random.default_rng(version)
    return generator.normal(0, 0.1, (len(COLUMNS), len(LABELS))).astype(np.float32)


def places() -> NDArray[np.float32]:
    """What each row of a window counts: (timesteps, 1)."""
    return np.linspace(0.5, 1.5, LONGEST, dtype=np.float32)[:, None]


def expected_probabilities(sequence: Any, version: int = 1) -> NDArray[np.float64]:
    """What the model says of a sequence (rows, columns) without padding: (classes,)."""
    values = np.asarray(sequence, float)
    powers = np.exp((values * places()[-len(values) :]).sum(axis=0) @ weights(version))
    return np.asarray(powers / powers.sum())


def write_classifier(folder: Path, version: int = 1, **changes: Any) -> Path:
    """Write a bundle of the linear classifier; `changes` replace parts of its metadata."""
    return write_bundle(folder, version, _model(weights(version)), **{**CHANGES, **changes})


def _model(matrix: NDArray[np.float32]) -> bytes:
    window = ["batch", LONGEST, len(COLUMNS)]
    constants = [
        numpy_helper.from_array(np.float32(PADDING / 2), "far"),
        numpy_helper.from_array(np.float32(0), "nothing"),
        numpy_helper.from_array(np.array([1]), "time"),
        numpy_helper.from_array(places(), "places"),
        numpy_helper.from_array(matrix, "matrix"),
    ]
    nodes = [
        helper.make_node("Less", ["window", "far"], ["padded"]),
        helper.make_node("Where", ["padded", "nothing", "window"], ["present"]),
        helper.make_node("Mul", ["present", "places"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "time"], ["sums"], keepdims=0),
        helper.make_node("MatMul", ["sums", "matrix"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    given = helper.make_tensor_value_info("window", TensorProto.FLOAT, window)
    found = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ["batch", len(LABELS)]
    )
    return as_bytes(helper.make_graph(nodes, "classifier", [given], [found], constants))
