"""A study of texts from the command line to its report: words in their order, which no bag has."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.typing import NDArray

from objectives.errors import InputError
from reports.bundle import load_bundle
from search.study import TextStudy, load_study, make_study
from tests.reviews import reviews
from tests.search.serving.conftest import serving

STUDY = """
[data]
task = "classification"
path = "reviews.csv"
text = "review"
label = "food"

[space]
units = 32
depth = 1
dropout = 0.0
batch_size = 32
embedding_dim = [16, 32]
learning_rate = 0.01
bidirectional = false

[split]
folds = 1

[study]
trials = 2

[training]
epochs = 25
patience = 8

[final]
members = 1
calibration = "temperature"

[confirm]
seeds = 0

[output]
formats = ["onnx", "keras"]
"""
KERAS_ALONE = """
import json, sys, keras, tensorflow
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
texts = json.load(sys.stdin)
print(json.dumps(model(tensorflow.constant(texts))["probabilities"].numpy().tolist()))
assert not {"search", "objectives", "reports"} & set(sys.modules)
"""


def run_command(
    command: list[str], *arguments: object, given: str = ""
) -> subprocess.CompletedProcess[str]:
    words = [*command, *map(str, arguments)]
    return subprocess.run(
        words, input=given, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, command: list[str]) -> Path:
    """Where a finished study of texts lies."""
    folder = tmp_path_factory.mktemp("texts")
    reviews().to_csv(folder / "reviews.csv", index=False)
    (folder / "reviews.toml").write_text(STUDY)
    done = run_command(command, "run", folder / "reviews.toml", "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "runs" / "reviews" / "report.json").read_text())
    return found


def test_an_lstm_reads_what_no_bag_of_words_holds(report: dict[str, Any]) -> None:
    baselines = report["baselines"]
    assert set(baselines) == {"majority_class", "linear_bag_of_words", "linear_tfidf"}
    for name in baselines:
        assert baselines[name]["test"]["accuracy"] < 0.6
        difference = report["uncertainty"]["differences"][name]
        assert difference["outcome"] == "better"
        assert difference["mcnemar"]["p"] < 0.01
    assert report["test"]["accuracy"] > 0.95
    assert report["facts"]["test"] == "300 texts, the official ones"


def awkward_reviews() -> list[str]:
    """A thousand texts unlike those trained on: raised letters, other blanks, words never heard."""
    texts = reviews(2300)["review"].tolist()[1300:]
    changes = (
        str.upper,
        lambda text: text.replace(" ", "\t \r\n"),
        lambda text: f"{text}. Été! A\u00a0B\x1c 日本 😀",
        lambda text: f"\n\x0b{text}\x0c ",
        lambda text: text[: len(text) % 7],
    )
    return [changes[number % len(changes)](text) for number, text in enumerate(texts)]


@pytest.fixture(scope="module")
def expected(folder: Path) -> NDArray[np.float64]:
    """What Keras alone makes of the thousand texts: (texts, classes)."""
    alone, model = [sys.executable, "-c", KERAS_ALONE], folder / "runs" / "reviews" / "model.keras"
    done = run_command(alone, model, given=json.dumps(awkward_reviews()))
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout))


def test_onnxruntime_alone_gives_a_thousand_texts_what_keras_alone_does(
    folder: Path, expected: NDArray[np.float64]
) -> None:
    texts = awkward_reviews()
    session = onnxruntime.InferenceSession(folder / "runs" / "reviews" / "bundle" / "model.onnx")
    (found,) = session.run(["probabilities"], {"text": np.array(texts, np.object_)})
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    one = session.run(None, {"text": np.array(texts[2:3], np.object_)})[0]
    np.testing.assert_allclose(one, expected[2:3], rtol=1e-3)
    assert 0.2 < (expected[:, 1] > 0.5).mean() < 0.8, "the texts are told apart"


def test_a_server_gives_a_thousand_texts_what_keras_alone_does(
    folder: Path, expected: NDArray[np.float64], command: list[str]
) -> None:
    texts = awkward_reviews()
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    with serving(command) as start:
        server = start(folder / "runs" / "reviews" / "bundle")
        status, answer = server.ask("/v2/models/reviews/infer", {"inputs": [tensor]})
        assert status == 200, answer
        (output,) = answer["outputs"]
        found = np.reshape(output["data"], output["shape"])
        status, answer = server.ask("/v1/models/reviews:predict", {"instances": texts})
        assert status == 200, answer
        rows = [{"review": text} for text in texts if text.strip()]
        status, classified = server.ask("/classify", {"rows": rows})
        assert status == 200, classified
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-3)
    by_label = [list(each["probabilities"].values()) for each in classified["texts"]]
    with_words = [bool(text.strip()) for text in texts]
    np.testing.assert_allclose(by_label, expected[with_words], rtol=1e-3)


def test_the_bundle_says_what_it_takes(folder: Path) -> None:
    bundle = folder / "runs" / "reviews" / "bundle"
    about = load_bundle(bundle).metadata
    assert (about.input.name, about.input.dtype, about.input.shape) == (
        "text",
        "string",
        ("batch",),
    )
    assert about.artefacts["onnx"].windows > 1000
    done = run_command([sys.executable], bundle / "smoke_test.py")
    assert done.returncode == 0, done.stderr
    assert "a full stop is part of the word" in (bundle / "README.md").read_text()
    assert json.loads((bundle.parent / "model.json").read_text())["input"]["name"] == "text"


def test_predict_labels_the_texts_of_a_table(folder: Path, command: list[str]) -> None:
    bundle = folder / "runs" / "reviews" / "bundle"
    (folder / "fresh.csv").write_text(
        'number,review\n1,"We came, the FOOD was\tnot bad"\n2,the food was bad on\n'
    )
    done = run_command(command, "predict", bundle, folder / "fresh.csv")
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(io.StringIO(done.stdout))
    assert list(found) == ["row", "label", "probability_panned", "probability_praised"]
    assert found["label"].tolist() == ["praised", "panned"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("said\ngood\n", "no column 'review', which has the texts"),
        ('review\ngood\n" "\n', "column 'review', row 1: the text has no words"),
    ],
)
def test_tables_without_texts_are_told_in_one_line(
    folder: Path, command: list[str], table: str, message: str
) -> None:
    (folder / "bad.csv").write_text(table)
    bundle = folder / "runs" / "reviews" / "bundle"
    done = run_command(command, "predict", bundle, folder / "bad.csv")
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_litert_is_refused_before_a_search() -> None:
    sections = {
        "data": {"task": "classification", "text": "review"},
        "output": {"formats": ["litert"]},
    }
    with pytest.raises(InputError, match="LiteRT has no operations on texts: leave litert out"):
        make_study(sections, "file")


def test_queued_points_and_checks_know_the_embedding(folder: Path, command: list[str]) -> None:
    out = ("--out", folder / "runs")
    queued = run_command(command, "enqueue", "reviews", '{"embedding_dim": 32}', *out)
    assert queued.returncode == 0, queued.stderr
    checked = run_command(command, "check", folder / "reviews.toml")
    assert "1300 of" in checked.stdout
    assert isinstance(load_study(folder / "reviews.toml"), TextStudy)


def test_the_audit_sees_whose_words_a_model_knows(
    folder: Path, report: dict[str, Any], tmp_path: Path, command: list[str]
) -> None:
    assert all(check["passed"] for check in report["audit"])
    shutil.copytree(folder / "runs", tmp_path / "runs")
    model = tmp_path / "runs" / "reviews" / "model_train_only.keras"
    with ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    (words,) = (
        layer["config"]
        for layer in config["config"]["layers"]
        if layer["config"]["name"] == "words"
    )
    words["vocabulary"].append("unseen")
    with ZipFile(model, "w") as archive:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            archive.writestr(name, content)
    done = run_command(command, "audit", "reviews", "--out", tmp_path / "runs", "--json")
    assert done.returncode == 1, done.stderr
    failed = [check["check"] for check in json.loads(done.stdout) if not check["passed"]]
    assert failed == ["model_train_only.keras: a vocabulary of training rows alone"]
