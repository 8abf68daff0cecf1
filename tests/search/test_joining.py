"""Studies that several machines work for: separate trees of processes and folders, one database."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import make_url

from search.study import STORAGE_VARIABLE
from storage.database import open_storage
from storage.studies import read_study
from tests.runs import PATIENCE, Finished, outcomes, stored, training_in, wait_for

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]


@pytest.fixture
def begun(
    postgresql_url: str, tmp_path: Path, write_study: Write, start: Start
) -> tuple[Path, dict[str, str]]:
    """A study of six trials that was ended in its second; its file, and the database's environment."""
    path = write_study(tmp_path / "first", trials=6)
    environment = {STORAGE_VARIABLE: postgresql_url}
    out = ("--out", path.parent / "runs", "--workers", 1)
    process = start("run", path, *out, env=environment)
    wait_for(lambda: training_in(postgresql_url), process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    shutil.move(path.with_name("wave.csv"), tmp_path / "copy.csv")
    return path, environment


def test_another_machine_ends_the_search_and_the_first_one_the_job(
    begun: tuple[Path, dict[str, str]],
    finished: Finished,
    tmp_path: Path,
    start: Start,
) -> None:
    path, environment = begun
    second = ("--out", tmp_path / "second", "--workers", 1)
    worker = start("worker", "wave", "--data", tmp_path / "copy.csv", *second, env=environment)
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, errors
    url = environment[STORAGE_VARIABLE]
    record = read_study(open_storage(url), "wave")
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert {
        trial.attributes["worker"][1] for trial in record.trials if "worker" in trial.attributes
    }
    # Weights that the second machine kept are out of reach: they are made again from the trial's seed.
    shutil.rmtree(tmp_path / "first" / "runs" / "artifacts")
    shutil.copy(tmp_path / "copy.csv", path.with_name("wave.csv"))
    again = start("run", path, "--out", path.parent / "runs", "--json", env=environment)
    printed, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    undisturbed = json.loads((finished[0] / "runs" / "wave" / "report.json").read_text())
    assert json.loads(printed)["test"]["mse"] == undisturbed["test"]["mse"]
    assert json.loads(printed)["validation"]["mse"] == undisturbed["validation"]["mse"]
    password = make_url(url).password
    assert password is not None
    assert password not in printed + errors


def test_a_machine_whose_data_differ_is_refused(
    finished: Finished, tmp_path: Path, start: Start
) -> None:
    data = pd.read_csv(finished[0] / "wave.csv")
    data.loc[17, "level"] += 1e-9
    data.to_csv(tmp_path / "other.csv", index=False)
    other = ("--data", tmp_path / "other.csv", "--out", tmp_path / "second")
    url = f"sqlite:///{finished[0] / 'runs' / 'studies.db'}"
    worker = start("worker", "wave", *other, env={STORAGE_VARIABLE: url})
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 1
    assert "the data have changed" in errors


def test_a_study_that_was_not_begun_is_named(
    postgresql_url: str, tmp_path: Path, start: Start
) -> None:
    worker = start(
        "worker", "nothing", "--out", tmp_path / "second", env={STORAGE_VARIABLE: postgresql_url}
    )
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 1
    assert "there is no study 'nothing'" in errors
