"""Studies followed, drawn and compared in the terminal."""

import io
import json
import subprocess

import optuna
import pytest
from rich.console import Console

from search.comparing import may_be_ranked, ranks, read_compared
from search.searching import Progress
from search.stored_identity import NAIVE, TARGET_VALUES
from search.watching.progress import show_progress
from search.watching.terminal_plots import curves_plot, history_plot, sparkline
from storage.database import open_storage
from storage.records import StudyRecord, TrialRecord
from storage.studies import read_study


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([2.0], "▁"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁"),
        ([1.0, 1.0], "▁▁"),
    ],
)
def test_a_sparkline_goes_from_the_lowest_to_the_highest_block(values, line):
    assert sparkline(values) == line


def test_a_sparkline_of_many_values_ends_with_the_last():
    line = sparkline([*range(100, 0, -1), 1000], width=10)
    assert len(line) == 10
    assert line[-1] == "█"


def test_a_study_without_trials_can_be_drawn():
    empty = StudyRecord("one", True, {}, ())
    assert "one" in history_plot(empty, "mse", 80)
    assert "one" in curves_plot(empty, "mse", 80)


@pytest.fixture
def run(command):
    def execute(*arguments) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return execute


def test_history_and_curves_are_drawn_without_colours_into_a_file(finished, run):
    folder, _ = finished
    done = run("show", "wave", "--plot", "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    assert "best so far" in done.stdout
    best = read_study(open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}"), "wave").best
    assert f"trial {best.number}" in done.stdout
    assert "\x1b" not in done.stdout


def test_watching_ends_with_the_study(finished, run):
    folder, _ = finished
    done = run("watch", "wave", "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    assert "6 of 6 trials are done already" in done.stdout
    assert "needs no more trials; best mse" in done.stdout


def trial(number: int, state: str = "complete", **attributes: object) -> TrialRecord:
    return TrialRecord(number, state, 0.1, {}, {}, attributes, None, None)


def test_a_point_queued_after_the_last_trial_raises_the_total():
    said = io.StringIO()
    known = [trial(0), trial(1, "failed"), trial(2, retry_of=1), trial(3)]
    with show_progress(1, quiet=False, console=Console(file=said, width=200)) as watch:
        for seen in (0, 1, 4):
            record = StudyRecord("one", True, {}, tuple(known[:seen]))
            watch(Progress(record, 2, 1.0, "mse"))
    assert [line.split()[0] for line in said.getvalue().splitlines()] == ["[1/2]", "[2/3]", "[3/3]"]


def test_epochs_are_told_with_the_folds_that_they_add_up_over():
    said = io.StringIO()
    ended = (trial(0, epochs=6, fold_values=[0.05, 0.15]),)
    with show_progress(6, quiet=False, console=Console(file=said, width=200)) as watch:
        for trials in ((), ended):
            watch(Progress(StudyRecord("one", True, {}, trials), 1, 1.0, "mse"))
    assert "complete at mse 0.1 after 6 epochs of 2 folds, best so far" in said.getvalue()


def make_study(storage, name: str, values: list[float], targets: str = "same") -> None:
    """A study as `run` leaves it in the database, as far as a comparison reads it."""
    study = optuna.create_study(study_name=name, storage=storage)
    identity = {
        "data": {"targets": ["level"], "horizon": 3},
        "training": {"metric": "mse", "epochs": 3},
        "target_hash": "rows",
    }
    study.set_user_attr("identity", identity)
    study.set_user_attr(TARGET_VALUES, targets)
    study.set_user_attr(NAIVE, {"persistence": 0.4, "ridge": 0.3})
    for value in values:
        study.add_trial(optuna.trial.create_trial(value=value))


@pytest.fixture
def url(tmp_path) -> str:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    storage = open_storage(url)
    make_study(storage, "worse", [0.5, 0.35])
    make_study(storage, "better", [0.25])
    make_study(storage, "empty", [])
    make_study(storage, "other", [0.01], targets="others")
    return url


def test_studies_of_the_same_targets_are_ranked(url, tmp_path):
    found = [
        read_compared(open_storage(url), name, tmp_path) for name in ("worse", "better", "empty")
    ]
    assert may_be_ranked(found)
    assert ranks(found) == [2, 1, None]
    assert [(each.trials, each.validation) for each in found] == [(2, 0.35), (1, 0.25), (0, None)]
    assert (found[0].naive, found[0].naive_validation) == ("ridge", 0.3)


def test_studies_of_different_targets_are_not_ranked(url, run):
    done = run("compare", "worse", "other", "--storage", url, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["study"], row["rank"]) for row in rows] == [("worse", None), ("other", None)]
    assert "not ranked" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_comparison_as_csv_has_the_best_first(url, run):
    done = run("compare", "worse", "better", "--storage", url, "--csv")
    assert done.returncode == 0, done.stderr
    head, first, second = done.stdout.splitlines()
    assert head.startswith("rank,study,data,metric,trials,seconds,parameters,validation")
    assert first.startswith("1,better")
    assert second.startswith("2,worse")


def test_a_tested_study_is_compared_by_its_test_too(finished, run):
    folder, _ = finished
    storage = open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}")
    found = read_compared(storage, "wave", folder / "runs")
    report = json.loads((folder / "runs" / "wave" / "report.json").read_text())
    assert found.test == pytest.approx(report["test"]["rmse"])
    assert found.naive_test == pytest.approx(report["baselines"][found.naive]["test"]["rmse"])
    assert found.data == "wave.csv"


def test_forecasts_and_classes_are_not_compared(url, run):
    study = optuna.create_study(study_name="classes", storage=open_storage(url))
    data = {"task": "classification", "label": "kind"}
    identity = {"data": data, "training": {"metric": "log_loss"}, "target_hash": "rows"}
    study.set_user_attr("identity", identity)
    done = run("compare", "worse", "classes", "--storage", url)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "worse forecast and classes classify" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_study_cannot_be_compared(url, run):
    done = run("compare", "worse", "worse", "--storage", url)
    assert done.returncode == 1
    assert "two studies or more" in done.stderr
