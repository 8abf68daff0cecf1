"""A trial's note in words, and the files that go with it."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from PIL import Image

from objectives.classification.messages import SequenceTask
from objectives.classification.sequences import SequenceFold, SequenceSplit
from objectives.classification.settings import SequenceSettings, SequenceTraining
from objectives.objective import EndedTrial
from objectives.settings import DataSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import Epoch, FoldOutcome, ForecastTask, Glimpse, TrialOutcome
from search.doctor.trial_speed import TYPICAL
from search.study import ClassificationStudy, Study
from search.workers.trial_files import MOST_NOTES, Destination, describe_trial, validation_confusion
from search.workers.trial_notes import trial_note
from storage.artifacts import linked_artifacts, open_artifacts
from storage.database import open_storage

TRAINING = TrainingSettings(epochs=3, patience=2)
VALUES = replace(TYPICAL, units=(32, 32), learning_rate=0.0021)
STUDY = Study(data=DataSettings(targets=("level",)), training=TRAINING)
TASK = ForecastTask(Path("rows.npy"), 1, cut(900, STUDY.split, STUDY.data, 48, None), TRAINING)
EPOCHS = tuple(
    Epoch(number, 2 * value, {"mse": value, "mae": 1.0, "rmse": 1.0}, 0.1, 7)
    for number, value in enumerate((0.03, 0.01, 0.02), 1)
)
ROWS = np.arange(12).reshape(4, 3)
OUTCOME = TrialOutcome(
    folds=(FoldOutcome(EPOCHS, 2),),
    stopped="epochs",
    weights=(),
    parameters=99,
    target_hash="0",
    seconds={},
    peak_memory=1.0,
    resumed_from=0,
    glimpse=Glimpse(ROWS, np.sin(ROWS), np.cos(ROWS)),
)
ENDED = EndedTrial(VALUES, 5, EPOCHS, seconds=100.0, outcome=OUTCOME)
LOST = replace(ENDED, outcome=None, failure="its process was killed by SIGKILL", again=True)


def test_the_first_line_says_what_the_trial_is():
    line = trial_note(ENDED, TRAINING).splitlines()[0]
    assert line.strip() == (
        "LSTM of 2 × 32 units on 48 rows, dropout 0.1, batches of 64, adam at 0.0021, "
        "output change with a linear skip"
    )
    unusual = replace(VALUES, units=(32, 8), l2=1e-4, bidirectional=True, skip="none")
    line = trial_note(replace(ENDED, hyperparameters=unusual), TRAINING).splitlines()[0]
    assert "32 + 8 units" in line
    assert line.strip().endswith("output change, l2 0.0001, bidirectional True")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (ENDED, "Complete, ran all 3 epochs; best mse 0.01000 in epoch 2"),
        (
            replace(ENDED, outcome=replace(OUTCOME, stopped="patience")),
            "Complete, no better epoch in 2, ended by patience in epoch 3; best mse 0.01000 in epoch 2",
        ),
        (
            replace(ENDED, pruned=True),
            "Pruned in epoch 3 at mse 0.02000; best mse 0.01000 in epoch 2",
        ),
        (
            replace(ENDED, epochs=EPOCHS[:1], outcome=None, failure="diverged: loss is nan"),
            "Failed in epoch 1: diverged: loss is nan",
        ),
        (
            replace(LOST, epochs=()),
            "Failed: its process was killed by SIGKILL; it is tried again",
        ),
    ],
    ids=["epochs", "patience", "pruned", "diverged", "lost"],
)
def test_the_second_line_says_why_it_ended(ended, said):
    _, line = trial_note(ended, TRAINING).splitlines()
    assert line == said


def test_folds_are_told_apart():
    later = tuple(replace(epoch, fold=2) for epoch in EPOCHS)
    outcome = replace(OUTCOME, folds=(*OUTCOME.folds, FoldOutcome(later, 2)))
    line = trial_note(replace(ENDED, epochs=EPOCHS + later, outcome=outcome), TRAINING)
    assert line.endswith("mean mse of 2 folds 0.01000, best mse 0.01000 in epoch 2 of fold 2")


@pytest.fixture
def described(tmp_path):
    """Describe trials of a study: gives a trial's files by name, and the study's attributes then."""
    storage = open_storage(f"sqlite:///{tmp_path / 'studies.db'}")
    found = optuna.create_study(study_name="one", storage=storage)
    destination = Destination(storage, open_artifacts(str(tmp_path / "artifacts")))

    def describe(ended, study=STUDY, task=TASK):
        trial = found.ask()
        describe_trial(study, task, destination, trial, ended)
        links = linked_artifacts(storage.get_trial(trial._trial_id).system_attrs)
        files = {link.filename: tmp_path / "artifacts" / link.artifact_id for link in links}
        return files, storage.get_study_system_attrs(found._study_id)

    return describe


def test_a_long_trial_has_two_pictures_and_its_facts(described):
    files, attributes = described(ENDED)
    assert list(files) == ["loss_curves.png", "validation_forecast.png", "trial.json"]
    for name in ("loss_curves.png", "validation_forecast.png"):
        with Image.open(files[name]) as picture:
            assert picture.format == "PNG"
            assert len(set(picture.convert("L").tobytes())) > 50  # something is drawn
    facts = json.loads(files["trial.json"].read_text())
    assert (facts["state"], facts["value"], facts["seed"]) == ("complete", 0.01, 5)
    assert [epoch["metrics"]["mse"] for epoch in facts["epochs"]] == [0.03, 0.01, 0.02]
    assert any("Complete" in str(value) for value in attributes.values())


def test_a_long_trial_of_classes_has_a_confusion_matrix(described):
    folds = tuple(SequenceFold(some[2:], some[:2]) for some in (np.arange(5), np.arange(5)[::-1]))
    training = SequenceTraining(metric="error_rate")
    task = SequenceTask(
        rows=Path("rows.npy"),
        ends=np.arange(1, 6),
        lengths=np.ones(5, np.int64),
        labels=np.array([0, 1, 1, 0, 1]),
        names=("no", "yes"),
        split=SequenceSplit(folds, np.arange(0)),
        training=training,
    )
    epochs = tuple(replace(each, metrics={"error_rate": 0.25}) for each in EPOCHS)
    sure = np.array([[3, -1], [-2, 0]], np.float32)  # of "no", then of "yes"
    first, second = FoldOutcome(epochs, 2, sure), FoldOutcome(epochs, 2, sure)
    outcome = replace(OUTCOME, folds=(first, second), glimpse=None)
    assert validation_confusion(task, outcome).tolist() == [[1, 1], [1, 1]]
    resumed = replace(outcome, folds=(replace(first, outputs=None), second))
    assert validation_confusion(task, resumed).tolist() == [[0, 1], [1, 0]]
    assert validation_confusion(task, replace(outcome, folds=(first,))).tolist() == [[1, 0], [0, 1]]
    study = ClassificationStudy(data=SequenceSettings(task="classification"), training=training)
    ended = replace(ENDED, epochs=epochs, outcome=outcome)
    files, _ = described(ended, study, task)
    assert list(files) == ["loss_curves.png", "validation_confusion.png", "trial.json"]
    with Image.open(files["validation_confusion.png"]) as picture:
        assert len(set(picture.convert("L").tobytes())) > 50


@pytest.mark.parametrize(
    ("ended", "names"),
    [
        (replace(ENDED, seconds=0.5), []),
        (LOST, []),
        (replace(LOST, again=False), ["loss_curves.png", "trial.json"]),
        (replace(LOST, again=False, epochs=()), []),
    ],
    ids=["short", "lost", "failed for good", "failed before an epoch"],
)
def test_files_are_for_trials_that_have_something_to_show(described, ended, names):
    files, attributes = described(ended)
    assert list(files) == names
    assert attributes  # a note it has all the same


def test_a_picture_that_cannot_be_drawn_costs_nothing_else(described, caplog):
    unfit = replace(OUTCOME, glimpse=Glimpse(ROWS, np.sin(ROWS), np.zeros((2, 2))))
    with caplog.at_level(logging.CRITICAL):
        files, _ = described(replace(ENDED, outcome=unfit))
    assert list(files) == ["trial.json"]


def test_late_trials_of_a_large_study_have_no_note(described, monkeypatch):
    assert MOST_NOTES >= 1000
    monkeypatch.setattr("search.workers.trial_files.MOST_NOTES", 0)
    _, attributes = described(ENDED)
    assert not attributes
