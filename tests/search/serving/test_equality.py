"""What is served over HTTP beside what Keras computes, on a thousand windows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from objectives.export.messages import ConversionOutcome, ConversionRequest
from objectives.trials.trial_process import run_in_process
from reports.bundle.metadata import Column, Tensor
from tests.bundles import write_bundle
from tests.objectives.test_export import (
    COLUMNS,
    HORIZON,
    TARGETS,
    TIMESTEPS,
    make_windows,
    save_classifier,
    save_forecaster,
)
from tests.search.serving.conftest import Serve

NAMES = ("load", "temp", "wind")
QUANTILES = (0.1, 0.5, 0.9)
FORECAST = Tensor("forecast", "float32", ("batch", HORIZON, TARGETS), "those of the data")


@dataclass(frozen=True)
class Kind:
    """How a Keras model is saved, and what its metadata say beside that of all."""

    save: Callable[[Path], None]
    changes: dict[str, Any]
    length: int | str = TIMESTEPS


KINDS = {
    "change": Kind(partial(save_forecaster, output="change"), {"outputs": (FORECAST,)}),
    "quantiles of members": Kind(
        partial(save_forecaster, members=2, quantiles=QUANTILES),
        {
            "outputs": (FORECAST, Tensor("quantiles", "float32", (*FORECAST.shape, 3), "")),
            "quantiles": QUANTILES,
        },
    ),
    "classes of sequences of any length": Kind(
        save_classifier,
        {
            "task": "classification",
            "targets": (),
            "outputs": (Tensor("probabilities", "float32", ("batch", 3), "1"),),
            "labels": ("a", "b", "c"),
        },
        "timesteps",
    ),
}


def converted(kind: Kind, folder: Path) -> tuple[Path, NDArray[np.float32], ConversionOutcome]:
    """A bundle, a thousand windows, and what Keras makes of them in a process of its own."""
    kind.save(folder / "saved.keras")
    make_windows(folder / "windows.npy", 1000)
    files: Any = {"onnx": folder / "model.onnx"}
    request = ConversionRequest(folder / "saved.keras", files, folder / "windows.npy", {})
    outcome: ConversionOutcome = run_in_process(request, lambda _: True)
    about: dict[str, Any] = {
        "columns": tuple(Column(n, n != "wind", -1e3, 1e3, 0.0, 1.0, (), ()) for n in NAMES),
        "targets": NAMES[:TARGETS],
        "timesteps": TIMESTEPS,
        "horizon": HORIZON,
        "input": Tensor("window", "float32", ("batch", kind.length, COLUMNS), "those of the data"),
        **kind.changes,
    }
    model = (folder / "model.onnx").read_bytes()
    bundle = write_bundle(folder / "bundle", model=model, **about)
    return bundle, np.load(folder / "windows.npy", allow_pickle=False), outcome


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_served_equals_keras(serve: Serve, tmp_path: Path, name: str) -> None:
    bundle, windows, outcome = converted(KINDS[name], tmp_path)
    assert outcome.failures == {}
    server = serve(bundle, "--no-access-log")
    data, shape = windows.ravel().tolist(), list(windows.shape)
    tensor = {"name": "window", "shape": shape, "datatype": "FP32", "data": data}
    status, answer = server.ask("/v2/models/power/infer", {"inputs": [tensor]})
    assert status == 200, answer
    found = {each["name"]: np.reshape(each["data"], each["shape"]) for each in answer["outputs"]}
    assert found.keys() == outcome.outputs.keys()
    for output, expected in outcome.outputs.items():
        np.testing.assert_allclose(found[output], expected, rtol=1e-4, atol=1e-4)
    status, answer = server.ask("/v1/models/power:predict", {"inputs": windows.tolist()})
    assert status == 200
    outputs = answer["outputs"] if len(found) > 1 else {output: answer["outputs"]}
    for each, values in outputs.items():
        np.testing.assert_allclose(values, found[each], rtol=1e-6)
