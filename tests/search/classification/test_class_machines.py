"""A study of classification that is killed, joined by a second machine, and ended by the first one."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storage.database import open_storage
from storage.records import StudyRecord
from storage.studies import read_study
from tests.runs import PATIENCE, training_in, tree, wait_for

Start = Callable[..., "subprocess.Popen[str]"]

STUDY = """
[data]
task = "classification"
path = "train.csv"
test_path = "test.csv"

[space]
units = [4, 8]
depth = 1
learning_rate = [0.01, 0.02]

[split]
folds = 2

[study]
name = "wave"
trials = 4
pruner = "none"
seed = 3

[confirm]
seeds = 0

[training]
epochs = 12
patience = 12

[output]
formats = []
"""


def slopes(sequences: int, seed: int) -> pd.DataFrame:
    """Sequences of 4 to 9 steps that rise or fall."""
    generator = np.random.default_rng(seed)
    frames = []
    for number in range(sequences):
        steps = np.arange(generator.integers(4, 10))
        level = (1 - 2 * (number % 2)) * steps + generator.normal(size=len(steps))
        label = ("up", "down")[number % 2]
        frames.append(pd.DataFrame({"id": number, "time": steps, "level": level, "label": label}))
    return pd.concat(frames)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The study file of the first machine, beside its data; the second one has copies of these."""
    for machine in ("first", "second"):
        (tmp_path / machine).mkdir()
        slopes(300, 1).to_csv(tmp_path / machine / "train.csv", index=False)
        slopes(80, 2).to_csv(tmp_path / machine / "test.csv", index=False)
    path = tmp_path / "first" / "wave.toml"
    path.write_text(STUDY)
    return path


def outcomes(record: StudyRecord) -> list[tuple[float | None, int]]:
    """Values and seeds of the complete trials."""
    done = [trial for trial in record.trials if trial.state == "complete"]
    return sorted((trial.value, trial.attributes["seed"]) for trial in done)


def test_killed_interrupted_joined_and_ended(path: Path, start: Start) -> None:
    here, there = path.parent, path.parents[1] / "second"
    url = f"sqlite:///{here / 'runs' / 'studies.db'}"
    run = ("run", path, "--out", here / "runs", "--workers", 1)
    killed = start(*run)
    lost = wait_for(lambda: training_in(url), killed)
    for member in tree(killed.pid):
        member.kill()
    killed.communicate()
    stopped = start(*run)
    wait_for(lambda: training_in(url), stopped)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 130, errors
    at = ("--storage", url, "--out")
    queued = start("enqueue", "wave", '{"units": 8, "learning_rate": 0.02}', *at, here / "runs")
    assert (queued.communicate(timeout=PATIENCE)[1], queued.returncode) == ("", 0)
    shutil.move(here / "train.csv", here / "gone.csv")
    data = ("--data", there / "train.csv", "--test-data", there / "test.csv")
    worker = start("worker", "wave", *data, *at, there / "runs", "--workers", 1)
    watch = start("watch", "wave", *at, here / "runs")
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, errors
    printed, errors = watch.communicate(timeout=PATIENCE)
    assert "study wave needs no more trials; best calibrated_log_loss" in printed, errors
    record = read_study(open_storage(url), "wave")
    assert record.count("running") == record.count("waiting") == 0
    assert record.count("complete") == 4
    assert record.trials[lost.number].state == "failed"
    points = [
        (trial.params.get("units"), trial.params.get("learning_rate")) for trial in record.trials
    ]
    assert (8, 0.02) in points
    last = str(record.trials[-1].number)
    again = start("reproduce", "wave", "--trial", last, *data, *at, there / "runs", "--json")
    printed, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    assert json.loads(printed)["same"] is True
    assert json.loads(printed)["epochs"] == 24, "twelve in each fold"
    shutil.move(here / "gone.csv", here / "train.csv")
    ended = start(*run, "--json")
    printed, errors = ended.communicate(timeout=PATIENCE)
    assert ended.returncode == 0, errors
    report = json.loads(printed)
    assert report["test"]["accuracy"] > 0.8
    assert all(check["passed"] for check in report["audit"])
    assert outcomes(read_study(open_storage(url), "wave")) == outcomes(record)
