"""A study of texts from the command line to its report: words in their order, which no bag has."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from search.study import TextStudy, load_study
from tests.reviews import reviews

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

[confirm]
seeds = 0

[output]
formats = []
"""
_KERAS_ALONE = """
import sys, keras, numpy, tensorflow
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
texts = tensorflow.constant(["we came by train the food was not bad again", "The food was BAD", ""])
print(model(texts)["probabilities"].numpy().tolist())
assert not {"search", "objectives", "reports"} & set(sys.modules)
"""


def run_command(command: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
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


def test_keras_alone_loads_the_model_with_its_words(folder: Path) -> None:
    model = folder / "runs" / "reviews" / "model.keras"
    done = run_command([sys.executable, "-c", _KERAS_ALONE], model)
    assert done.returncode == 0, done.stderr
    praised, panned, _ = json.loads(done.stdout)  # the classes are sorted: panned, praised
    assert praised[1] > 0.8
    assert panned[0] > 0.8
    about = json.loads((model.parent / "model.json").read_text())
    assert about["input"]["name"] == "text"
    assert about["input"]["shape"] == ["batch"]


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
