"""TensorBoard's files read by TensorBoard, and MLflow's runs in a real database."""

from datetime import datetime

import pytest

from objectives.errors import InputError
from objectives.settings import DataSettings
from search.searching import Progress
from search.sections import OutputSettings, StudySettings, TrackingSettings
from search.study import Study
from search.tracking.following import check_trackers, follow, followers
from storage.records import StudyRecord, TrialRecord

NOW = datetime(2026, 1, 1)
CURVES = {"loss": [0.5, 0.4], "mse": [0.3, float("nan")], "learning_rate": [0.1, 0.1]}
CHOSEN = {"units": [8, 4], "output": "change", "dropout": 0.1}


def trial(number: int, state: str, value: float | None = None) -> TrialRecord:
    about = {"hyperparameters": CHOSEN, "curves": CURVES}
    return TrialRecord(number, state, value, {"units": 8}, {}, about, NOW, NOW)


RECORD = StudyRecord(
    "one", True, {}, (trial(0, "complete", 0.3), trial(1, "failed"), trial(2, "running"))
)
LATER = StudyRecord("one", True, {}, (*RECORD.trials[:2], trial(2, "pruned", 0.4)))


@pytest.fixture
def study(tmp_path):
    def make(**tracking) -> Study:
        return Study(
            data=DataSettings(targets=("level",)),
            study=StudySettings(name="one"),
            output=OutputSettings(directory=str(tmp_path)),
            tracking=TrackingSettings(**tracking),
        )

    return make


def track(study: Study, *records: StudyRecord) -> None:
    """As a run that sees these records one after the other."""
    study.directory.mkdir(exist_ok=True)
    trackers = followers(study)
    for record in records:
        follow(trackers, Progress(record, 3, 1.0, "mse"), "one")


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulator.EventAccumulator(str(folder)).Reload()
    return {
        name: [(event.step, pytest.approx(event.value)) for event in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }


def test_tensorboard_reads_curves_and_values(study):
    pytest.importorskip("tensorboardX")
    wanted = study(tensorboard=True)
    track(wanted, RECORD, LATER)
    folder = wanted.directory / "tensorboard"
    assert sorted(path.name for path in folder.iterdir()) == [
        "trial_0000",
        "trial_0001",
        "trial_0002",
    ]
    found = scalars(folder / "trial_0000")
    assert found["loss"] == [(1, 0.5), (2, 0.4)]
    assert found["validation_mse"] == [(1, 0.3)]  # what is not finite is left out
    assert found["best_validation_mse"] == [(0, 0.3)]


def test_a_run_that_goes_on_logs_each_trial_once(study):
    mlflow = pytest.importorskip("mlflow")
    wanted = study(mlflow=f"sqlite:///{study().directory.parent / 'mlflow.db'}")
    track(wanted, RECORD)
    track(wanted, RECORD, LATER)
    client = mlflow.MlflowClient(tracking_uri=wanted.tracking.mlflow)
    experiment = client.get_experiment_by_name("one")
    runs = client.search_runs([experiment.experiment_id])
    by_name = {run.info.run_name: run for run in runs}
    assert len(runs) == 3
    assert {name: run.info.status for name, run in by_name.items()} == {
        "trial 0": "FINISHED",
        "trial 1": "FAILED",
        "trial 2": "FINISHED",
    }
    first = by_name["trial 0"]
    assert first.data.params == {"units": "[8, 4]", "output": "change", "dropout": "0.1"}
    assert first.data.metrics["best_validation_mse"] == 0.3
    losses = client.get_metric_history(first.info.run_id, "loss")
    assert [(point.step, point.value) for point in losses] == [(1, 0.5), (2, 0.4)]


def test_a_tracker_that_cannot_be_reached_is_told_once(study, capsys):
    pytest.importorskip("mlflow")
    track(study(mlflow="http://someone:very-secret@127.0.0.1:9"), RECORD, LATER)
    said = capsys.readouterr().err
    assert said.count("MLflow is left alone for the rest of this run") == 1
    assert "127.0.0.1" in said
    assert "very-secret" not in said


def test_a_tracker_that_is_not_installed_is_told_before_anything_runs(study, monkeypatch):
    monkeypatch.setattr("search.tracking.following.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'lstm-search\[mlflow\]'"):
        check_trackers(study(mlflow="sqlite:///mlflow.db"))
    check_trackers(study())


def test_where_trials_are_tracked_is_neither_stored_nor_shown(study):
    wanted = study(mlflow="https://user:secret@host")
    assert "secret" not in f"{wanted!r}{wanted.identity()}"


def test_confirmation_runs_are_not_tracked(study):
    pytest.importorskip("tensorboardX")
    wanted = study(tensorboard=True)
    wanted.directory.mkdir(exist_ok=True)
    runs = StudyRecord("one/confirmation", True, {}, RECORD.trials)
    follow(followers(wanted), Progress(runs, 3, 1.0, "mse"), "one")
    assert not (wanted.directory / "tensorboard").exists()
