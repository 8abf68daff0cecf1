"""How many epochs are trained twice where a worker and its trial are killed; for `database.py`."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from storage.database import open_storage
from storage.errors import StorageError
from storage.records import StudyRecord, TrialRecord
from storage.studies import read_study
from tests.runs import tree, trial_process_of

SINCE = 3  # epochs that shall have passed since the last checkpoint
PATIENCE = 300  # seconds
_STUDY = """
[data]
path = "{data}"
time = "time"
targets = ["temp"]
horizon = 6

[space]
timesteps = 48
units = 32
depth = 1
dropout = 0.1
batch_size = 64
learning_rate = 1e-4

[study]
name = "lost"
trials = 1
checkpoint_seconds = 3

[confirm]
candidates = 0

[training]
epochs = 60
patience = 60
"""
_DATA = Path(__file__).parents[2] / "search" / "examples" / "nyc_jfk_2013.csv"

Found = TypeVar("Found")


def lost_epochs(folder: Path) -> tuple[int, int]:
    """Kill a worker in the middle of a trial; gives epochs trained twice, and since the checkpoint."""
    path = folder / "lost.toml"
    path.write_text(_STUDY.format(data=_DATA))
    program = Path(sys.executable).with_name("lstm-search")
    command = [program, "run", path, "--out", folder / "runs", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        trial = _look(lambda: _far_from_its_checkpoint(folder), run)
        worker = trial.attributes["worker"][1]
        reached, saved = _epochs(folder), _saved_epochs(folder)
        for member in tree(worker):
            member.kill()
        if run.wait(PATIENCE):
            raise RuntimeError(f"lstm-search run ended with code {run.returncode}")
    resumed = _study(folder).trials[-1].attributes["resumed_from"]
    return reached - resumed, reached - saved


def _far_from_its_checkpoint(folder: Path) -> TrialRecord | None:
    """The trial, stopped, once it is so many epochs past a checkpoint."""
    try:
        if _epochs(folder) < _saved_epochs(folder) + SINCE:
            return None
        trial = _study(folder).trials[0]
    except (StorageError, OSError, IndexError):
        return None  # not begun yet, or no checkpoint yet
    process = trial_process_of(trial.attributes["worker"][1])
    if process is None:
        return None
    process.suspend()
    if _epochs(folder) >= _saved_epochs(folder) + SINCE:
        return trial
    process.resume()  # it wrote a checkpoint meanwhile
    return None


def _study(folder: Path) -> StudyRecord:
    storage = open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}")
    try:
        return read_study(storage, "lost")
    finally:
        storage.engine.dispose()


def _epochs(folder: Path) -> int:
    return max(_study(folder).trials[0].intermediate_values, default=0)


def _saved_epochs(folder: Path) -> int:
    path = folder / "runs" / "artifacts" / "lost" / "checkpoints" / "slot_0.npz"
    with np.load(path, allow_pickle=False) as saved:
        return len(json.loads(str(saved["about"]))["epochs"])


def _look(what: Callable[[], Found | None], run: "subprocess.Popen[bytes]") -> Found:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and run.poll() is None:
        if (found := what()) is not None:
            return found
        time.sleep(0.02)
    run.kill()
    raise RuntimeError("no trial was seen some epochs past a checkpoint")
