"""Conversion of finished models and the gate that each artefact passes, in real processes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from objectives.export.messages import (
    ComparisonOutcome,
    ComparisonRequest,
    ConversionOutcome,
    ConversionRequest,
    Format,
)
from objectives.trials.trial_process import run_in_process
from tests.objectives.conftest import SMALL

TIMESTEPS, COLUMNS, TARGETS, HORIZON = 6, 3, 2, 4
FILES: dict[Format, str] = {
    "onnx": "model.onnx",
    "keras": "model.keras",
    "saved_model": "saved_model/1",
    "litert": "model.tflite",
}
Converted = tuple[Path, ConversionOutcome]


def go_on(_: object) -> bool:
    return True


def save_forecaster(
    path: Path,
    targets: int = TARGETS,
    members: int = 1,
    quantiles: tuple[float, ...] = (),
    **changes: object,
) -> None:
    from objectives.lstm.network import build_deployable, build_network  # noqa: PLC0415
    from objectives.scaling import Scaling  # noqa: PLC0415
    from objectives.trials.learner import TrainedNetwork  # noqa: PLC0415

    hyperparameters = replace(
        SMALL, timesteps=TIMESTEPS, units=(5, 4), dropout=0.2, recurrent_dropout=0.1, l2=1e-3
    )
    hyperparameters = replace(hyperparameters, **changes)  # type: ignore[arg-type]
    generator = np.random.default_rng(1)
    networks = []
    for number in range(members):
        # As candidates of a search do, members differ in their sizes.
        wanted = replace(hyperparameters, timesteps=TIMESTEPS - number, units=(5 + number, 4))
        network = build_network(wanted, COLUMNS, targets, HORIZON, quantiles, fast=False)
        shapes = [weights.shape for weights in network.get_weights()]
        weights = tuple(generator.normal(0, 0.4, shape).astype("float32") for shape in shapes)
        networks.append(TrainedNetwork(wanted, weights))
    scaling = Scaling(np.array([100.0, -5.0, 0.0]), np.array([10.0, 2.0, 1.0]))
    build_deployable(networks, scaling, targets, HORIZON, quantiles).save(path)


def save_trained(path: Path) -> None:
    """A model that has been compiled, and has penalties."""
    import keras  # noqa: PLC0415

    window = keras.Input((TIMESTEPS, COLUMNS), name="window")
    hidden = keras.layers.LSTM(5, kernel_regularizer="l2")(window)
    model = keras.Model(window, keras.layers.Dense(HORIZON)(hidden))
    model.compile("adam", "mse")
    model.save(path)


def save_classifier(path: Path) -> None:
    """Sequences of any length, padded with zeros."""
    import keras  # noqa: PLC0415

    window = keras.Input((None, COLUMNS), name="window")
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(4))(keras.layers.Masking()(window))
    found = keras.layers.Dense(3, activation="softmax", name="probabilities")(hidden)
    keras.Model(window, {"probabilities": found}).save(path)


def make_windows(path: Path, count: int = 300) -> None:
    generator = np.random.default_rng(2)
    windows = generator.normal([100, -5, 0], [10, 2, 1], (count, TIMESTEPS, COLUMNS))
    windows[: count // 3, :2] = 0.0  # padding, to those who mask
    np.save(path, windows.astype("float32"))


def convert(folder: Path, formats: tuple[Format, ...]) -> ConversionOutcome:
    make_windows(folder / "windows.npy")
    files = {name: folder / FILES[name] for name in formats}
    properties = {"study": "power", "trial": "3"}
    request = ConversionRequest(folder / "saved.keras", files, folder / "windows.npy", properties)
    return run_in_process(request, go_on)


def compare(folder: Path, outcome: ConversionOutcome, name: Format) -> ComparisonOutcome:
    units = {output: np.array(1.0) for output in outcome.outputs}
    path = folder / FILES[name]
    request = ComparisonRequest(name, path, folder / "windows.npy", outcome.outputs, units)
    return run_in_process(request, go_on)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """A forecaster with everything in it, in every format."""
    folder = tmp_path_factory.mktemp("converted")
    save_forecaster(folder / "saved.keras", bidirectional=True)
    return folder, convert(folder, tuple(FILES))


@pytest.mark.parametrize("name", list(FILES))
def test_every_format_equals_keras(converted: Converted, name: Format) -> None:
    folder, outcome = converted
    assert outcome.failures == {}
    assert outcome.outputs["forecast"].shape == (300, HORIZON, TARGETS)
    found = compare(folder, outcome, name)
    assert found.problem is None
    assert found.greatest_difference < 1e-4


SAVERS: dict[str, Callable[[Path], None]] = {
    "levels": partial(save_forecaster, output="level", skip="none"),
    "quantiles of window-normalised members": partial(
        save_forecaster,
        members=2,
        quantiles=(0.1, 0.5, 0.9),
        window_normalization="standard",
    ),
    "classes of sequences of any length": save_classifier,
}


@pytest.mark.parametrize("kind", list(SAVERS))
def test_every_kind_of_model_equals_keras(kind: str, tmp_path: Path) -> None:
    SAVERS[kind](tmp_path / "saved.keras")
    outcome = convert(tmp_path, ("onnx", "keras"))
    assert outcome.failures == {}
    for name in ("onnx", "keras"):
        assert compare(tmp_path, outcome, name).problem is None


def test_litert_takes_one_target_with_a_linear_skip_and_members(tmp_path: Path) -> None:
    save_forecaster(tmp_path / "saved.keras", targets=1, members=2)
    outcome = convert(tmp_path, ("litert",))
    assert outcome.failures == {}
    assert compare(tmp_path, outcome, "litert").problem is None


def test_onnx_file_says_what_it_is_and_leaves_the_batch_free(converted: Converted) -> None:
    import onnx  # noqa: PLC0415

    model = onnx.load(converted[0] / "model.onnx")
    assert {found.key: found.value for found in model.metadata_props} == {
        "study": "power",
        "trial": "3",
    }
    assert [found.version for found in model.opset_import if found.domain == ""] == [18]
    assert [found.name for found in model.graph.input] == ["window"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_nothing_that_serves_training_gets_into_the_formats(tmp_path: Path) -> None:
    import keras  # noqa: PLC0415

    save_trained(tmp_path / "saved.keras")
    convert(tmp_path, ("keras",))
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert not model.compiled
    assert model.losses == []


def damage_values(path: Path) -> None:
    import onnx  # noqa: PLC0415
    from onnx import numpy_helper  # noqa: PLC0415

    model = onnx.load(path)
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float32 and values.ndim > 1:
            constant.CopyFrom(numpy_helper.from_array(values + 0.01, constant.name))
    onnx.save(model, path)


def damage_names(path: Path) -> None:
    import onnx  # noqa: PLC0415

    model = onnx.load(path)
    for node in model.graph.node:
        node.output[:] = ["result" if name == "forecast" else name for name in node.output]
    model.graph.output[0].name = "result"
    onnx.save(model, path)


def damage_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_values, "differs from the Keras model's by"),
        (damage_names, r"it maps \['window'\] to \['result'\]"),
        (damage_bytes, "it cannot be run"),
    ],
)
def test_damaged_artefact_does_not_pass(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    save_forecaster(tmp_path / "saved.keras")
    outcome = convert(tmp_path, ("onnx",))
    damage(tmp_path / "model.onnx")
    found = compare(tmp_path, outcome, "onnx")
    assert found.problem is not None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(found.problem)
    assert "\n" not in found.problem


def test_classes_of_ours_do_not_pass(tmp_path: Path) -> None:
    import keras  # noqa: PLC0415

    from objectives.lstm.fast_lstm import FastLSTM  # noqa: PLC0415

    save_forecaster(tmp_path / "saved.keras")
    outcome = convert(tmp_path, ())
    window = keras.Input((TIMESTEPS, COLUMNS), name="window")
    head = keras.layers.Reshape((HORIZON, TARGETS))(keras.layers.Dense(8)(FastLSTM(4)(window)))
    keras.Model(window, {"forecast": head}).save(tmp_path / "model.keras")
    problem = compare(tmp_path, outcome, "keras").problem
    assert problem is not None
    assert "classes that Keras does not have" in problem


def test_format_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    save_classifier(tmp_path / "saved.keras")
    (tmp_path / "model.onnx").mkdir()  # in its way
    outcome = convert(tmp_path, ("onnx", "keras"))
    assert list(outcome.failures) == ["onnx"]
    assert len(outcome.failures["onnx"]) < 300
    assert not (tmp_path / "model.onnx").exists()
    assert (tmp_path / "model.keras").exists()
