"""The bundle of a classifier of sequences of unequal length: what it says, and that it equals Keras."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from objectives.classification.windows import padded_windows
from objectives.errors import InputError
from reports.bundle import Bundle, load_bundle
from search.audit.saved_scaling import saved_linear
from search.classification.challenge import challenge_classifier
from tests.search.classification.conftest import hot_and_cold
from tests.search.serving.conftest import serving


@pytest.fixture(scope="module")
def folder(run: tuple[Path, str]) -> Path:
    """The study's folder."""
    return run[0] / "runs" / "order"


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def trained(run: tuple[Path, str]) -> pd.DataFrame:
    """The rows that the model was trained on."""
    rows = pd.read_parquet(run[0] / "order.parquet")
    return rows[rows["split"] == "train"]


def padded(bundle: Bundle, count: int) -> NDArray[np.float32]:
    """Sequences of 7 to 30 steps as the model takes them."""
    generator = np.random.default_rng(5)
    lengths = generator.integers(7, 31, count)
    rows = generator.normal(scale=2, size=(lengths.sum(), len(bundle.metadata.columns)))
    windows = padded_windows(rows, np.cumsum(lengths), lengths, bundle.metadata.timesteps)
    return windows.astype(np.float32)


def test_a_run_leaves_a_bundle_and_says_where(run: tuple[Path, str], folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert run[0] / report["paths"]["bundle"] == folder / "bundle"
    smoke = [sys.executable, str(folder / "bundle" / "smoke_test.py")]
    assert subprocess.run(smoke, capture_output=True, text=True, check=True).stdout.startswith(
        "fine: "
    )


def test_metadata_say_what_the_model_takes_and_gives(
    folder: Path, bundle: Bundle, trained: pd.DataFrame
) -> None:
    about = bundle.metadata
    assert about.task == "classification"
    assert (about.input.shape, about.padding) == (("batch", 30, 12), -1e9)
    labels = trained.groupby("id")["label"].first().value_counts(normalize=True)
    assert about.labels == ("one first", "zero first")
    assert about.class_shares == pytest.approx([labels[name] for name in about.labels])
    for column in about.columns:
        values = trained[column.name]
        assert (column.minimum, column.maximum) == (values.min(), values.max())
        assert column.mean == pytest.approx(values.mean())
    assert (about.time.column, about.sequences.id) == ("time", "id")  # type: ignore[union-attr]
    report = json.loads((folder / "report.json").read_text())
    assert about.test.model["accuracy"] == report["test"]["accuracy"]
    assert about.test.naive["linear_summary"]["log_loss"] == pytest.approx(
        report["baselines"]["linear_summary"]["test"]["log_loss"]
    )
    assert about.test.naive["dtw_nearest_neighbour"]["log_loss"] is None
    assert set(about.artefacts) == {"onnx", "keras"}
    assert all(0 <= found.greatest_difference < 1e-4 for found in about.artefacts.values())


@pytest.mark.parametrize("part", ["all", "train"])
def test_what_it_was_made_from_is_no_fresh_data(
    run: tuple[Path, str], bundle: Bundle, tmp_path: Path, part: str
) -> None:
    rows = pd.read_parquet(run[0] / "order.parquet")
    known = tmp_path / "known.parquet"
    rows[(rows["split"] == "train") | (part == "all")].to_parquet(known)
    with pytest.raises(InputError, match="was made from these very data"):
        challenge_classifier(bundle, bundle, str(known))
    rows[rows["split"] == "test"].to_parquet(tmp_path / "test.parquet")
    assert challenge_classifier(bundle, bundle, str(tmp_path / "test.parquet")).sequences == 200


@pytest.fixture(scope="module")
def compared(folder: Path, bundle: Bundle) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A thousand sequences as the model takes them, and what Keras makes of them."""
    windows = padded(bundle, 1000)
    model = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    return windows, model.predict(windows, batch_size=256, verbose=0)["probabilities"]


def test_probabilities_equal_those_of_keras_on_a_thousand_sequences(
    bundle: Bundle, compared: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    windows, expected = compared
    found = bundle.run(windows)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(bundle.run(windows[:1])["probabilities"], expected[:1], atol=1e-5)
    assert found.argmax(axis=1).std() > 0


def test_what_is_served_equals_keras(
    command: list[str],
    folder: Path,
    bundle: Bundle,
    compared: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    windows, expected = compared
    about = bundle.metadata
    sequences = [window[window[:, 0] != about.padding] for window in windows]
    assert len({len(each) for each in sequences}) > 10
    with serving(command) as start:
        server = start(folder / "bundle", "--no-access-log")
        instances = [each.tolist() for each in sequences]
        answer = server.ask("/v1/models/order:predict", {"instances": instances})[1]
        np.testing.assert_allclose(answer["predictions"], expected, atol=1e-5)
        tensor = {"name": "window", "shape": list(windows.shape), "datatype": "FP32"}
        body = {"inputs": [{**tensor, "data": windows.ravel().tolist()}]}
        (output,) = server.ask("/v2/models/order/infer", body)[1]["outputs"]
        np.testing.assert_allclose(np.reshape(output["data"], output["shape"]), expected, atol=1e-5)
        names = [column.name for column in about.columns]
        for sequence, wanted in zip(sequences[:20], expected, strict=False):
            rows = [dict(zip(names, row, strict=True)) for row in sequence.tolist()]
            answer = server.ask("/classify", {"rows": rows})[1]
            assert answer["label"] == about.labels[wanted.argmax()]
            np.testing.assert_allclose(list(answer["probabilities"].values()), wanted, atol=1e-5)


def test_a_bundle_of_a_stream_equals_keras_on_a_thousand_windows(
    command: list[str], stream_runs: Path
) -> None:
    length, stride = 6, 2
    rows = hot_and_cold(length + 999 * stride, seed=6)
    windows = sliding_window_view(rows["level"].to_numpy(np.float32), length)[::stride, :, None]
    path = stream_runs / "stream" / "model.keras"
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    expected = model.predict(windows, batch_size=256, verbose=0)["probabilities"]
    assert expected.shape == (1000, 2)
    assert expected[:, 0].std() > 1e-3
    bundle = load_bundle(stream_runs / "stream" / "bundle")
    found = bundle.predict(rows.drop(columns="label"))
    assert found["row"].tolist() == list(range(length - 1, len(rows), stride))
    names = [f"probability_{label}" for label in bundle.metadata.labels]
    np.testing.assert_allclose(found[names], expected, atol=1e-5)
    with serving(command) as start:
        server = start(bundle.path, "--no-access-log")
        answer = server.ask("/v1/models/stream:predict", {"instances": windows.tolist()})[1]
        np.testing.assert_allclose(answer["predictions"], expected, atol=1e-5)
        asked = {"rows": [{"level": level} for level in rows["level"]]}
        answer = server.ask("/classify", asked)[1]  # of the last window
        np.testing.assert_allclose(list(answer["probabilities"].values()), expected[-1], atol=1e-5)


def test_metadata_and_card_say_how_much_of_the_model_is_linear(
    bundle: Bundle, stream_runs: Path
) -> None:
    assert bundle.metadata.linear is None, "sequences of several lengths"
    study = stream_runs / "stream"
    linear = load_bundle(study / "bundle").metadata.linear
    assert linear is not None
    assert linear["share"] == pytest.approx(saved_linear(study / "model.keras")[1])
    assert linear == json.loads((study / "model.json").read_text())["output"]["linear"]
    card = (study / "bundle" / "README.md").read_text()
    assert "comes from a logistic regression on all values." in card


def test_the_model_card_is_one_of_a_classifier(folder: Path, bundle: Bundle) -> None:
    _, front, text = (folder / "bundle" / "README.md").read_text().split("---\n", maxsplit=2)
    matter = yaml.safe_load(front)
    assert matter["pipeline_tag"] == "time-series-classification"
    (result,) = matter["model-index"][0]["results"]
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics["accuracy"] == bundle.metadata.test.model["accuracy"]
    assert "to which of 2 classes a sequence belongs" in text
    assert "A sequence of fewer than 30 rows stands at the window's end" in text


def test_mlflow_reads_the_bundle(folder: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    with np.load(folder / "bundle" / "golden.npz", allow_pickle=False) as golden:
        model = mlflow.pyfunc.load_model(str(folder / "bundle"))
        found = model.predict({"window": golden["window"]})
        np.testing.assert_allclose(found["probabilities"], golden["probabilities"], atol=1e-5)
