"""A small real bundle: the mean of a window's rows as an ONNX model, and its metadata."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

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

METADATA = Metadata(
    schema=SCHEMA,
    name="mean",
    version=1,
    created="2026-01-02T03:04:05+00:00",
    task="forecast",
    input=Tensor("window", "float32", ("batch", 4, 2), "those of the data"),
    outputs=(Tensor("forecast", "float32", ("batch", 1, 2), "those of the data"),),
    columns=tuple(
        Column(name, True, 0.0, 10.0, 5.0, 2.0, (2.5, 5.0, 7.5), (0.25, 0.25, 0.25, 0.25))
        for name in ("load", "temp")
    ),
    targets=("load", "temp"),
    timesteps=4,
    horizon=1,
    time=TimeAxis("date", "P0DT1H0M0S", None, None),
    preprocessing=Preprocessing("standard", (5.0, 5.0), (2.0, 2.0), "change", "none"),
    test=TestScores({"mse": 1.0}, {"persistence": {"mse": 2.0}}),
    provenance=Provenance("mean", 3, {"units": [8]}, {"study": 0, "trial": 9}, 1, {}, {}),
    artefacts={"onnx": Artefact("model.onnx", 1e-7, 1000)},
)


def mean_model(input_name: str = "window") -> bytes:
    window = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", 4, 2])
    forecast = helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["batch", 1, 2])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    node = helper.make_node("ReduceMean", [input_name, "axis"], ["forecast"], keepdims=1)
    graph = helper.make_graph([node], "mean", [window], [forecast], [axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write the bundle into a folder; keywords replace parts of its metadata."""

    def make(model: bytes | None = None, **changes: object) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / "model.onnx").write_bytes(model or mean_model())
        metadata = replace(METADATA, **changes)  # type: ignore[arg-type]
        (folder / "metadata.json").write_text(metadata.as_json())
        write_checksums(folder)
        return folder

    return make
