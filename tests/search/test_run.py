"""The main job as a user runs it: real processes, a real database, a real model."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from objectives.windows import input_windows, target_windows
from search import Study, run_study
from storage.database import open_storage
from storage.records import StudyRecord
from storage.studies import read_study

Finished = tuple[Path, subprocess.CompletedProcess[str]]


def stored(folder: Path, name: str = "wave") -> StudyRecord:
    return read_study(open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}"), name)


def run(command: list[str], path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = [*command, "run", str(path), "--out", str(path.parent / "runs"), *more]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)


def outcomes(record: StudyRecord) -> list[tuple[Any, ...]]:
    """What a seed decides, for every trial that was not replaced by a retry, in the order of slots."""
    gone = {t.attributes.get("retry_of") for t in record.trials}
    kept = [trial for trial in record.trials if trial.number not in gone]
    kept.sort(key=lambda trial: trial.attributes.get("slot", trial.number))
    return [(t.state, t.value, dict(t.params), t.attributes.get("seed")) for t in kept]


@pytest.mark.parametrize(
    "key",
    [
        "study",
        "task",
        "best.params",
        "best.value",
        "best.trial",
        *(f"validation.{metric}" for metric in ("mse", "mae", "rmse")),
        *(f"test.{metric}" for metric in ("mse", "mae", "rmse")),
        *(f"test_standardised.{metric}" for metric in ("mse", "mae", "rmse")),
        "train_only.test_standardised.mse",
        *(
            f"baselines.{name}.test_standardised.mse"
            for name in ("persistence", "seasonal_naive", "ridge")
        ),
        *(f"trials.{state}" for state in ("total", "complete", "pruned", "failed")),
        *(f"refit.{fact}" for fact in ("epochs", "updates", "seconds")),
        *(f"uncertainty.test.{metric}.high" for metric in ("mse", "mae", "rmse")),
        *(f"uncertainty.test_standardised.{metric}.low" for metric in ("mse", "mae", "rmse")),
        *(
            f"uncertainty.differences.{name}.{what}"
            for name in ("persistence", "seasonal_naive", "ridge")
            for what in (
                "test.mae.low",
                "test_standardised.mse.high",
                "diebold_mariano.p",
                "outcome",
            )
        ),
        *(f"seconds.{what}" for what in ("search", "refit", "total")),
        *(f"paths.{what}" for what in ("database", "model", "report")),
    ],
)
def test_report_has_the_keys_that_scripts_rely_on(finished: Finished, key: str) -> None:
    found = json.loads((finished[0] / "runs" / "wave" / "report.json").read_text())
    for part in key.split("."):
        found = found[part]
    assert found is not None


def test_terminal_names_winner_naive_forecasts_and_paths(finished: Finished) -> None:
    output = finished[1].stdout
    for text in ("Winner", "persistence", "seasonal naive", "ridge", "studies.db", "model.keras"):
        assert text in output
    assert "[6/6]" in finished[1].stderr


def test_intervals_hold_the_figures_and_the_terminal_says_how_certain_they_are(
    finished: Finished,
) -> None:
    report = json.loads((finished[0] / "runs" / "wave" / "report.json").read_text())
    for unit in ("test", "test_standardised"):
        for metric, ends in report["uncertainty"][unit].items():
            assert ends["low"] < report[unit][metric] < ends["high"]
            assert ends["figure"] == pytest.approx(report[unit][metric])
        naive = report["baselines"]["ridge"][unit]["rmse"]
        apart = report["uncertainty"]["differences"]["ridge"][unit]["rmse"]
        assert apart["figure"] == pytest.approx(report[unit]["rmse"] - naive)
        assert apart["low"] < apart["figure"] < apart["high"]
    assert report["uncertainty"]["block"] >= 3  # the horizon
    last = " ".join(finished[1].stdout.split())  # as the terminal wrapped it
    assert report["verdict"] in last
    assert "95 % interval" in last
    assert "p = " in last or "p < " in last


def test_saved_model_takes_raw_windows_and_gives_the_reported_forecasts(
    finished: Finished,
) -> None:
    import keras  # noqa: PLC0415  (only this test needs it, and it takes seconds)

    folder = finished[0] / "runs" / "wave"
    report = json.loads((folder / "report.json").read_text())
    about = json.loads((folder / "model.json").read_text())
    model = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    frame = pd.read_csv(finished[0] / "wave.csv")
    values = frame[about["input"]["columns"]].to_numpy()
    origins = np.arange(340, 398)  # the last 15 % of 400 rows, horizon 3
    timesteps = about["input"]["shape"][1]
    windows = input_windows(values, origins, timesteps).astype("float32")
    assert about["intervals"] is None
    assert "58 windows, and intervals need 500" in report["intervals_in_words"]
    error = model.predict_on_batch(windows) - target_windows(values, origins, 3, 1)
    assert np.mean(error**2) == pytest.approx(report["test"]["mse"], rel=1e-4)


def test_every_trial_is_judged_on_the_same_targets_and_stores_how_it_went(
    finished: Finished,
) -> None:
    record = stored(finished[0])
    assert len({trial.params["timesteps"] for trial in record.trials}) > 1
    assert len({trial.attributes["target_hash"] for trial in record.trials}) == 1
    for trial in record.trials:
        curves = trial.attributes["curves"]
        assert len(curves["loss"]) == len(curves["mse"]) == trial.attributes["epochs"]
        assert trial.attributes["updates"] == (
            trial.attributes["updates_per_epoch"] * trial.attributes["best_epoch"]
        )
        assert trial.attributes["parameters"] > 0
        if trial.state == "complete":
            assert trial.value == pytest.approx(min(curves["mse"]), rel=1e-5)


def test_same_seed_gives_the_same_trials_values_and_winner(
    finished: Finished, tmp_path: Path, write_study: Callable[..., Path], command: list[str]
) -> None:
    path = write_study(tmp_path, trials=6)
    assert run(command, path, "--workers", "1").returncode == 0
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))
    reports = [
        json.loads((folder / "runs" / "wave" / "report.json").read_text())
        for folder in (tmp_path, finished[0])
    ]
    assert reports[0]["best"] == reports[1]["best"]
    assert reports[0]["test"] == reports[1]["test"]


def test_interrupted_study_ends_with_the_trials_asked_for_and_an_undisturbed_winner(
    finished: Finished, tmp_path: Path, write_study: Callable[..., Path], command: list[str]
) -> None:
    path = write_study(tmp_path, trials=6)
    arguments = [*command, "run", str(path), "--out", str(tmp_path / "runs"), "--workers", "1"]
    with subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[2/6]"):
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
                break
        rest = process.stderr.read()
        assert process.wait(timeout=120) == 130
    assert "again" in rest
    interrupted = stored(tmp_path)
    assert interrupted.count("running") == 0
    assert 2 <= interrupted.count("complete") + interrupted.count("pruned") < 6
    again = run(command, path, "--workers", "1")
    assert again.returncode == 0, again.stderr
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))


def test_two_workers_reach_the_total_exactly(
    tmp_path: Path, write_study: Callable[..., Path], command: list[str]
) -> None:
    path = write_study(tmp_path, trials=7, epochs=1)
    done = run(command, path, "--workers", "2", "--enqueue", '{"units": 8, "timesteps": 12}')
    assert done.returncode == 0, done.stderr
    record = stored(tmp_path)
    assert [trial.number for trial in record.trials] == list(range(7))
    assert (record.trials[0].params["units"], record.trials[0].params["timesteps"]) == (8, 12)


def test_diverged_trials_fail_with_their_reason_and_the_search_goes_on(
    tmp_path: Path, write_study: Callable[..., Path], command: list[str]
) -> None:
    path = write_study(tmp_path, trials=2, epochs=2)
    text = path.read_text()
    text = text.replace("learning_rate = { low = 1e-3, high = 1e-1, log = true }", "")
    text = text.replace("[space]", "[space]\nlearning_rate = [1e-3, 1.0]\noptimizer = 'sgd'")
    text = text.replace("units = [4, 8]", "units = 4\nscaling = 'none'")
    path.write_text(text.replace("epochs = 2", "epochs = 2\n"))
    frame = pd.read_csv(tmp_path / "wave.csv")
    frame[["ahead", "level"]] *= 1e30  # squares overflow float32
    frame.to_csv(tmp_path / "wave.csv", index=False)
    done = run(command, path, "--workers", "1")
    assert done.returncode == 1
    assert "no complete trial" in done.stderr
    failures = [trial.attributes["failure"] for trial in stored(tmp_path).trials]
    assert len(failures) == 2
    assert all(reason.startswith("diverged") for reason in failures)


def test_finished_study_run_again_neither_trains_nor_refits(
    finished: Finished, command: list[str]
) -> None:
    folder = finished[0]
    model = folder / "runs" / "wave" / "model.keras"
    before = model.stat().st_mtime_ns
    trials = len(stored(folder).trials)
    again = run(command, folder / "wave.toml", "--workers", "1", "--json")
    assert again.returncode == 0, again.stderr
    assert len(stored(folder).trials) == trials
    assert model.stat().st_mtime_ns == before
    assert json.loads(again.stdout)["study"] == "wave"


def test_dataframe_in_result_out(tmp_path: Path, finished: Finished) -> None:
    study = Study(
        data={"targets": ["level"], "time": "time", "horizon": 2},
        space={"timesteps": 8, "units": 4, "depth": 1, "dropout": 0.0, "batch_size": 64},
        study={"name": "frame", "trials": 2, "workers": 1},
        training={"epochs": 1},
        output={"directory": str(tmp_path)},
    )
    result = run_study(study, pd.read_csv(finished[0] / "wave.csv"))
    assert {"refitted", "persistence", "ridge"} <= set(result.scores.index)
    assert len(result.trials) == 2
    assert result.histories.loc[(0, 1), "loss"] > 0
    assert result.hyperparameters["timesteps"] == 8
    assert result.load_model().output_shape == (None, 2, 1)
    assert Path(result.report.paths["bundle"], "model.onnx").exists()
