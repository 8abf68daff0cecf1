"""Small real bundles: a linear forecast as an ONNX model, and its metadata."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reports.bundle.checksums import write_checksums
from reports.bundle.metadata import (
    SCHEMA,
    Artefact,
    Column,
    Metadata,
    Preprocessing,
    Provenance,
    Tensor,
    TestScores,
    TimeAxis,
)

TIMESTEPS, HORIZON = 4, 3
METADATA = Metadata(
    schema=SCHEMA,
    name="power",
    version=1,
    created="2026-01-02T03:04:05+00:00",
    task="forecast",
    input=Tensor("window", "float32", ("batch", TIMESTEPS, 2), "those of the data"),
    outputs=(Tensor("forecast", "float32", ("batch", HORIZON, 1), "those of the data"),),
    columns=tuple(
        Column(name, name == "load", 0.0, 10.0, 5.0, 2.0, (2.5, 5.0, 7.5), (0.25,) * 4)
        for name in ("load", "temp")
    ),
    targets=("load",),
    timesteps=TIMESTEPS,
    horizon=HORIZON,
    time=TimeAxis("date", "P0DT1H0M0S", None, None),
    preprocessing=Preprocessing("standard", (5.0, 5.0), (2.0, 2.0), "change", "none"),
    test=TestScores({"mse": 1.0}, {"persistence": {"mse": 2.0}}),
    provenance=Provenance("power", 3, {"units": [8]}, {"study": 0, "trial": 9}, 1, {}, {}),
    artefacts={"onnx": Artefact("model.onnx", 1e-7, 1000)},
)


def kernel(version: int = 1) -> NDArray[np.float32]:
    """What the model multiplies windows with: (timesteps * columns, horizon)."""
    generator = np.random.default_rng(version)
    return generator.normal(size=(TIMESTEPS * 2, HORIZON)).astype(np.float32)


def expected(windows: Any, version: int = 1) -> NDArray[np.float32]:
    """What the model answers: (batch, horizon, 1)."""
    flat = np.asarray(windows, np.float32).reshape(-1, TIMESTEPS * 2)
    return (flat @ kernel(version))[..., None]


def linear_model(
    weights: NDArray[np.float32], input_name: str = "window", columns: int = 2
) -> bytes:
    """A linear forecast of one target; the weights are (timesteps * columns, horizon)."""
    inputs, horizon = weights.shape
    shape = ["batch", inputs // columns, columns]
    window = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["batch", horizon, 1])
    constants = [
        numpy_helper.from_array(weights, "kernel"),
        numpy_helper.from_array(np.array([-1, inputs]), "flat"),
        numpy_helper.from_array(np.array([-1, horizon, 1]), "steps"),
    ]
    nodes = [
        helper.make_node("Reshape", [input_name, "flat"], ["flattened"]),
        helper.make_node("MatMul", ["flattened", "kernel"], ["product"]),
        helper.make_node("Reshape", ["product", "steps"], ["forecast"]),
    ]
    return as_bytes(helper.make_graph(nodes, "linear", [window], [out], constants))


def as_bytes(graph: Any) -> bytes:
    """The model of a graph, as a file holds it."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def write_bundle(
    folder: Path, version: int = 1, model: bytes | None = None, **changes: Any
) -> Path:
    """Write a bundle of this version whole, then put it where another one may be.

    Without a `model` it is the linear one of the version; `changes` replace parts of the metadata.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir()
    (unfinished / "model.onnx").write_bytes(model or linear_model(kernel(version)))
    metadata = replace(METADATA, version=version, **changes)
    (unfinished / "metadata.json").write_text(metadata.as_json())
    write_checksums(unfinished)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.before_{version}"))
    unfinished.rename(folder)
    return folder
