"""Whole searches for `speed.py`: against a hand-written script, over workers, trials and rows."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from step import hyperparameters

from objectives.settings import DataSettings, SplitSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import ForecastTask, TrialRequest
from objectives.trials.trial_process import run_in_process
from storage.database import open_storage
from storage.records import StudyRecord
from storage.studies import read_study

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("lstm-search")
TRIALS = 16
EPOCHS = 20

ETTH1 = """
[data]
path = {path}
time = "date"
targets = ["OT"]
features = ["OT"]
horizon = 24
[split]
train = 8640
validation = 2880
test = 2880
[space]
timesteps = {{ low = 24, high = 168, step = 24 }}
units = {{ low = 16, high = 128, step = 16 }}
depth = {{ low = 1, high = 2 }}
dropout = {{ low = 0.0, high = 0.4, step = 0.1 }}
batch_size = [32, 64, 128]
learning_rate = {{ low = 3e-4, high = 5e-3, log = true }}
[study]
name = "bench"
trials = {trials}
enqueue = {points}
[training]
epochs = {epochs}
[confirm]
candidates = 0
[output]
formats = []
"""

SMALL = """
[data]
path = "wave.csv"
targets = ["level"]
horizon = 6
[space]
timesteps = {timesteps}
units = {units}
depth = 1
dropout = 0.1
batch_size = 64
learning_rate = {{ low = 5e-4, high = 5e-3, log = true }}
[study]
name = "bench"
trials = {trials}
pruner = "none"
[training]
epochs = {epochs}
patience = {epochs}
[confirm]
candidates = 0
[output]
formats = []
"""


@dataclass(frozen=True)
class Search:
    """A search that has run: its trials, seconds to the end of its last one, and peak memory in MiB."""

    record: StudyRecord
    seconds: float
    peak_memory: float


def run_search(study: str, folder: Path, workers: int) -> Search:
    """Run a study file from the command line, watching the memory of all its processes."""
    path, out = folder / "bench.toml", folder / f"runs_{time.monotonic_ns()}"
    path.write_text(study)
    began, started = time.time(), [str(COMMAND), "run", str(path), "--quiet"]
    process = psutil.Popen(
        [*started, "--out", str(out), "--workers", str(workers)], stdout=subprocess.DEVNULL
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of(process))
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"lstm-search run ended with exit code {process.returncode}")
    record = read_study(open_storage(f"sqlite:///{out / 'studies.db'}"), "bench")
    ends = [trial.ended.timestamp() for trial in record.trials if trial.ended]
    return Search(record, max(ends) - began, peak)


def memory_of(process: psutil.Process) -> float:
    """What a process and its descendants hold together, in MiB; shared pages count once a process."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total / 2**20


def against_hand_written(data: Path) -> dict[str, object]:
    """The same points of ETTh1, first by the hand-written script, then by ours with default settings."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        out = folder / "hand_written.json"
        script = [sys.executable, str(HERE / "hand_written.py")]
        subprocess.run(
            [*script, str(data.resolve()), str(TRIALS), str(out)],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        theirs = json.loads(out.read_text())
        points = [
            "{ " + ", ".join(f"{name} = {value}" for name, value in point.items()) + " }"
            for point in theirs["points"]
        ]
        study = ETTH1.format(
            path=json.dumps(str(data.resolve())),
            trials=TRIALS,
            points="[" + ", ".join(points) + "]",
            epochs=EPOCHS,
        )
        ours = run_search(study, folder, os.cpu_count() or 1)
    overheads = [overhead(trial) for trial in ours.record.trials]
    starts = [trial.attributes["seconds"]["start"] for trial in ours.record.trials]
    states = [trial.state for trial in ours.record.trials]
    return {
        "search_vs_hand_written": theirs["seconds"] / ours.seconds,
        "trial_overhead_seconds": median(overheads),
        "trial_start_seconds": median(starts),
        "search": {
            "hand_written_seconds": theirs["seconds"],
            "our_seconds": ours.seconds,
            "hand_written_best": theirs["best"],
            "our_best": ours.record.best.value,
            "hand_written_complete": theirs["states"].count("COMPLETE"),
            "our_complete": states.count("complete"),
            "hand_written_epochs": sum(theirs["epochs"]),
            "our_epochs": sum(trial.attributes["epochs"] for trial in ours.record.trials),
            "overheads": overheads,
        },
    }


def overhead(trial: object) -> float:
    """Seconds of a trial beyond its updates and validations."""
    return trial.seconds - trial.attributes["seconds"]["steps"]


def over_workers() -> dict[str, object]:
    """Trials a minute with 1, 2 and 4 workers, from the first trial's start to the last one's end."""
    rates = {}
    with tempfile.TemporaryDirectory() as place:
        write_wave(Path(place), 12_000)
        study = SMALL.format(timesteps=48, units=32, trials=12, epochs=8)
        for workers in (1, 2, 4):
            trials = run_search(study, Path(place), workers).record.trials
            # The first trial of each worker waits for TensorFlow's import.
            later = [trial for trial in trials if trial.attributes["seconds"]["start"] < 1.0]
            begins = min(trial.started for trial in later)
            span = max(trial.ended for trial in later) - begins
            rates[workers] = 60 * len(later) / span.total_seconds()
    return {
        "workers_2_vs_1": rates[2] / rates[1],
        "trials_per_minute": {str(workers): rate for workers, rate in rates.items()},
    }


def over_trials() -> dict[str, object]:
    """Peak memory of 200 trials against 10."""
    with tempfile.TemporaryDirectory() as place:
        write_wave(Path(place), 1_000)
        few, many = (
            run_search(
                SMALL.format(timesteps=12, units=8, trials=trials, epochs=1),
                Path(place),
                os.cpu_count() or 1,
            )
            for trials in (10, 200)
        )
    return {
        "peak_memory_200_vs_10": many.peak_memory / few.peak_memory,
        "peak_memory_mib": {"10": few.peak_memory, "200": many.peak_memory},
    }


def over_rows() -> dict[str, object]:
    """Seconds an epoch (24 steps, 16 units) and peak memory (336 steps) of 10,000 to 1,000,000 rows."""
    found = {}
    for rows in (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "rows.npy"
            np.save(path, np.random.default_rng(0).normal(size=(rows, 8)))
            short, long = (
                run_in_process(_trial_on(path, rows, timesteps, stride), lambda _: True)
                for timesteps, stride in ((24, 1), (336, max(1, rows // 5_000)))
            )
        seconds = short.seconds["steps"] / len(short.epochs)
        found[str(rows)] = {"epoch_seconds": seconds, "peak_memory_mib": long.peak_memory}
    return {"rows": found}


def _trial_on(path: Path, rows: int, timesteps: int, stride: int) -> TrialRequest:
    data = DataSettings(targets=("level",), horizon=6, stride=stride)
    split = cut(rows, SplitSettings(), data, 336, None)
    wanted = hyperparameters(16, timesteps, 128, 1)
    return TrialRequest(ForecastTask(path, 1, split, TrainingSettings(epochs=2)), wanted, 0)


def write_wave(folder: Path, rows: int) -> None:
    """A noisy wave as wave.csv."""
    generator = np.random.default_rng(0)
    level = np.sin(np.arange(rows) / 4) + 0.1 * generator.normal(size=rows)
    np.savetxt(folder / "wave.csv", level, header="level", comments="")
