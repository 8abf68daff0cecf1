"""A study of classification from the command line to its report, on sequences of unequal length."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from PIL import Image
from plotly.io import from_json

from objectives.classification.calibration import fit_temperature, log_loss
from objectives.errors import InputError
from search.classification.validation import load_validation
from search.study import make_study
from storage.database import open_storage


@pytest.fixture
def report(run: tuple[Path, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run[0] / "runs" / "order" / "report.json").read_text())
    return found


def test_an_lstm_is_better_than_a_linear_model_on_summary_statistics(
    report: dict[str, Any],
) -> None:
    difference = report["uncertainty"]["differences"]["linear_summary"]
    assert difference["outcome"] == "better"
    assert difference["mcnemar"]["p"] < 0.01
    assert report["test"]["accuracy"] > 0.9
    assert set(report["baselines"]) == {
        "majority_class",
        "linear_summary",
        "dtw_nearest_neighbour",
    }, "lengths are unequal, so that nothing can be flattened"


def test_the_report_says_what_the_test_found(run: tuple[Path, str], report: dict[str, Any]) -> None:
    assert report["labels"] == ["one first", "zero first"]
    matrix = np.array(report["confusion_matrix"])
    assert matrix.sum() == 200
    assert np.trace(matrix) / 200 == pytest.approx(report["test"]["accuracy"])
    assert sum(each["support"] for each in report["per_class"]) == 200
    assert sum(each["count"] for each in report["reliability"]["bins"]) == 200
    assert len(report["ledger"]["openings"]) == 1
    assert report["facts"]["validation by fold"].count(",") == 1
    page = (run[0] / "runs" / "order" / "report.md").read_text()
    assert report["verdict"] in page
    assert "## Confusion matrix" in page
    for name in ("confusion", "reliability"):
        assert f"](figures/{name}.png)" in page
        with Image.open(run[0] / "runs" / "order" / "figures" / f"{name}.png") as picture:
            assert picture.width == 1600
    assert report["verdict"] in " ".join(run[1].split())


def test_validation_scores_are_the_mean_of_the_folds(
    run: tuple[Path, str], report: dict[str, Any]
) -> None:
    found = load_validation(run[0] / "runs" / "order")
    parts = [(found.logits[0][found.folds == k], found.labels[found.folds == k]) for k in (1, 2)]
    losses = [log_loss(*part) for part in parts]
    assert report["validation"]["log_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    folds = report["validation_folds"]
    assert folds["folds"] == 2
    assert folds["deviation"]["log_loss"] == pytest.approx(np.std(losses, ddof=1), rel=1e-3)
    best = [log_loss(*part, fit_temperature(part[0][None], part[1])) for part in parts]
    assert report["best"]["value"] == pytest.approx(np.mean(best), rel=1e-5)
    by_fold = report["facts"]["validation by fold"].split(";")[0].split(", ")
    assert [float(value) for value in by_fold] == pytest.approx(best, rel=1e-3)


def test_probabilities_are_calibrated_on_validation_alone(
    run: tuple[Path, str], report: dict[str, Any]
) -> None:
    found = report["calibration"]
    assert found["sequences"] == 500, "each sequence of the train part validates once"
    assert found["validation"]["after"]["log_loss"] < found["validation"]["before"]["log_loss"]
    assert found["validation"]["before"]["log_loss"] == pytest.approx(
        report["validation"]["log_loss"], rel=1e-3
    )
    assert found["test"]["after"]["log_loss"] == report["test"]["log_loss"]
    assert found["test"]["after"]["bins"] == report["reliability"]["bins"]
    with np.load(run[0] / "runs" / "order" / "probabilities.npz") as stored:
        logits = np.log(stored["uncalibrated"]) / found["temperature"]
        powers = np.exp(logits)
        expected = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(stored["test"], expected, atol=1e-4)
    about = json.loads((run[0] / "runs" / "order" / "model.json").read_text())
    assert about["output"]["temperature"] == found["temperature"]
    page = (run[0] / "runs" / "order" / "report.md").read_text()
    assert "(mean ± deviation of 2 folds)" in page
    assert "divided by a temperature of" in page


def test_the_dashboard_has_a_note_and_what_is_taken_for_what(
    run: tuple[Path, str], report: dict[str, Any]
) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{run[0] / 'runs' / 'studies.db'}")
    study = optuna.load_study(study_name="order", storage=storage)
    note = get_note(study)
    assert "order.parquet: 700 sequences of 7 to 30 steps" in note
    assert report["verdict"] in note
    assert study.user_attrs["naive_validation"]["majority_class"] == pytest.approx(0.693, abs=0.01)
    attributes = storage.get_study_system_attrs(study._study_id)
    figures = get_plotly_graph_objects(attributes)
    shown = from_json(figures["test-confusion"]).data[0]
    assert np.sum(np.array(shown.text, int)) == 200
    assert set(figures) == {"best-against-naive-forecasts", "test-confusion", "test-reliability"}


def test_the_report_comes_again_without_another_look(
    run: tuple[Path, str], report: dict[str, Any], command: list[str]
) -> None:
    folder = run[0]
    arguments = ["report", "order", "--out", str(folder / "runs"), "--json"]
    again = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(again.stdout) == report


def test_studies_of_the_same_labels_are_ranked_with_their_tests(
    run: tuple[Path, str], report: dict[str, Any], command: list[str]
) -> None:
    runs = run[0] / "runs"
    studies = open_storage(f"sqlite:///{runs / 'studies.db'}")
    optuna.copy_study(
        from_study_name="order", to_study_name="copy", from_storage=studies, to_storage=studies
    )
    arguments = ["compare", "copy", "order", "--out", str(runs)]
    done, shown = (
        subprocess.run([*command, *words], capture_output=True, text=True, check=True, timeout=120)
        for words in ([*arguments, "--json"], arguments)
    )
    optuna.delete_study(study_name="copy", storage=studies)
    copy, order = json.loads(done.stdout)
    assert (copy["rank"], order["rank"]) == (1, 1), "their validation is the same"
    assert done.stderr == ""
    assert copy["accuracy"] is None, "it has no test of its own"
    for metric in ("accuracy", "log_loss"):
        assert order[metric] == pytest.approx(report["test"][metric])
    best = max(report["baselines"].values(), key=lambda each: each["test"]["accuracy"])
    assert order["baseline_accuracy"] == pytest.approx(best["test"]["accuracy"])
    assert order["validation"] == report["best"]["value"]
    assert order["parameters"] > 1000
    assert "test accuracy" in shown.stdout


def test_check_counts_the_classes_of_every_part(run: tuple[Path, str], command: list[str]) -> None:
    arguments = ["check", str(run[0] / "order.toml")]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert "700 of 7 to 30 steps" in done.stdout
    assert "validation 2" in done.stdout


def test_a_missing_test_file_is_told_in_one_line(run: tuple[Path, str], command: list[str]) -> None:
    data = ["--data", str(run[0] / "order.parquet"), "--out", str(run[0] / "other")]
    done = subprocess.run(
        [*command, "run", "--task", "classification", *data, "--test-data", "there.ts"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "there.ts: no such file" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"target": ["x"]}}, r"\[data\] target: unknown key; did you mean 'targets'"),
        ({"data": {"task": "guessing"}}, r"\[data\] task: expected one of 'forecasting', 'class"),
        ({"data": {"task": "classification", "targets": ["x"]}}, r"\[data\] targets: unknown key"),
        ({"data": {"task": "classification", "stride": 2}}, "give timesteps too"),
        (
            {"data": {"task": "classification"}, "final": {"calibration": "none"}},
            r'judge trials so too, by \[training\] metric = "log_loss"',
        ),
        (
            {"data": {"task": "classification"}, "training": {"metric": "mse"}},
            r"\[training\] metric: expected 'calibrated_log_loss', 'log_loss', 'error_rate' or",
        ),
    ],
)
def test_study_files_that_cannot_be_are_told_in_one_line(
    sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_study(sections, "file")
