"""Small real studies: a short noisy wave, tiny networks, real processes and databases."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

from search.running import run_study
from search.study import Study
from tests.once import run_once
from tests.runs import Finished

RUN = ("run", "wave.toml", "--out", "runs", "--workers", "1")
STUDY = """
[data]
path = "wave.csv"
time = "time"
targets = ["level"]
horizon = 3

[space]
timesteps = {{ low = 4, high = 12, step = 4 }}
units = [4, 8]
depth = 1
dropout = {{ low = 0.0, high = 0.2 }}
batch_size = 32
learning_rate = {{ low = 1e-3, high = 1e-1, log = true }}

[study]
trials = {trials}
seed = 7
pruner = "{pruner}"
grace_period = {grace_period}
checkpoint_seconds = {checkpoint_seconds}

[confirm]
seeds = {seeds}

[training]
epochs = {epochs}

[output]
formats = []
"""


def wave(rows: int = 400) -> pd.DataFrame:
    """An hourly wave of a day with noise, and a second column that leads it."""
    generator = np.random.default_rng(3)
    hours = np.arange(rows)
    level = np.sin(2 * np.pi * hours / 24) + 0.1 * generator.normal(size=rows).cumsum()
    ahead = np.roll(level, -1) + 0.1 * generator.normal(size=rows)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame({"time": times, "ahead": ahead, "level": level})


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The installed console command."""
    return [str(Path(sys.executable).with_name("lstm-search"))]


@pytest.fixture(scope="session")
def write_study() -> Callable[..., Path]:
    """Write data and a study file into a folder; gives the study file."""

    def write(
        folder: Path,
        trials: int = 4,
        epochs: int = 3,
        pruner: str = "median",
        grace_period: int = 300,
        checkpoint_seconds: float = 60.0,
        *,
        seeds: int = 0,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        wave().to_csv(folder / "wave.csv", index=False)
        path = folder / "wave.toml"
        path.write_text(
            STUDY.format(
                trials=trials,
                epochs=epochs,
                seeds=seeds,
                pruner=pruner,
                grace_period=grace_period,
                checkpoint_seconds=checkpoint_seconds,
            )
        )
        return path

    return write


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, write_study: Callable[..., Path]
) -> Finished:
    """A study of six trials run from the command line with one worker: its folder and its output."""
    prepare = partial(write_study, trials=6)
    return run_once(tmp_path_factory, "finished", prepare, *RUN)


@pytest.fixture(scope="session")
def confirmed(
    tmp_path_factory: pytest.TempPathFactory, write_study: Callable[..., Path]
) -> Finished:
    """A study of four trials, three of which are confirmed over two seeds: its folder and its output."""
    prepare = partial(write_study, trials=4, epochs=2, pruner="none", seeds=2)
    return run_once(tmp_path_factory, "confirmed", prepare, *RUN)


@pytest.fixture(scope="module")
def processes() -> Iterator[None]:
    """The processes that train and forecast for this one; the tests of a module share them."""
    yield
    get_reusable_executor(timeout=None, reuse=True).shutdown(wait=True)


@pytest.fixture(scope="session")
def rich_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with folds, members and quantiles, run on a noisy wave and exported in every format."""
    study = Study(
        data={"targets": ["level"], "time": "time", "horizon": 2},
        split={"folds": 2, "window": "sliding"},
        space={
            "timesteps": [6, 8],
            "units": 4,
            "depth": 1,
            "dropout": 0.0,
            "batch_size": 64,
            "learning_rate": 0.001,  # the two trials are then alike enough to be members of one model
            "window_normalization": "standard",
        },
        study={
            "name": "wave",
            "trials": 2,
            "workers": 1,
            "enqueue": [{"timesteps": 6}, {"timesteps": 8}],
        },
        training={"epochs": 2, "loss": "quantile", "quantiles": [0.2, 0.5, 0.8]},
        final={"members": 2, "updates": "same-epochs"},
        output={
            "directory": str(tmp_path_factory.mktemp("final")),
            "formats": ["onnx", "keras", "saved_model", "litert"],
        },
    )
    run_study(study, wave())
    return study


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(command: list[str]) -> Iterator[Start]:
    """Start the console command in a session of its own; what it leaves is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                [*command, *map(str, arguments)],
                env={**os.environ, **(env or {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children too, where it is gone itself
        if process.stderr is not None and not process.stderr.closed:
            process.communicate()
