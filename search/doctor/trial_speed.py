"""A real trial of a typical network on a made-up series: does it run, and how fast?"""

import os
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import DataSettings, SplitSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import Compute, ForecastTask, TrialOutcome, TrialRequest
from objectives.trials.trial_process import TrialFailedError, run_in_process
from search.workers.processes import submit, worker_pool

TYPICAL = Hyperparameters(
    timesteps=48,
    units=(64,),
    dropout=0.1,
    batch_size=64,
    learning_rate=1e-3,
    recurrent_dropout=0.0,
    l2=0.0,
    optimizer="adam",
    activation="tanh",
    bidirectional=False,
    output="change",
    skip="linear",
    scaling="standard",
)
_COLUMNS, _HORIZON, _ROWS = 7, 24, 4000
_TRAINING_SECONDS = 5  # with the first import and the start about ten in all
_PATIENCE = 60  # seconds
_ENDLESS = 100_000  # epochs; the time is up long before


@dataclass(frozen=True)
class TrialSpeed:
    """How fast one trial of `TYPICAL` was.

    Seconds: `first_start` of a worker's first trial process, which imports TensorFlow before, `start` of
    any other, `trace` to load, build and trace the network, `compile` to compile it, and `steps` for
    `windows` of training in `updates`, with their validations. `peak_memory` is in MiB.
    """

    first_start: float
    start: float
    trace: float
    compile: float
    steps: float
    windows: int
    updates: int
    peak_memory: float

    @property
    def windows_a_second(self) -> float:
        """Training windows a second."""
        return self.windows / self.steps

    @property
    def seconds_an_update(self) -> float:
        """Seconds of one update of a whole batch."""
        return self.steps / self.updates

    @property
    def operations_a_second(self) -> float:
        """Floating-point operations a second in the LSTM layers, gradients included."""
        return self.windows_a_second * _operations_a_window(TYPICAL)

    def seconds_of_trial(self, epochs: int, windows: int) -> float:
        """How long a trial of this size would take."""
        return self.start + self.trace + self.compile + epochs * windows / self.windows_a_second


def _operations_a_window(hyperparameters: Hyperparameters) -> int:
    """Multiplications and additions of one window's forward and backward pass (twice the forward)."""
    inputs = (_COLUMNS, *hyperparameters.units)
    a_step = sum(
        2 * 4 * units * (width + units)
        for width, units in zip(inputs, hyperparameters.units, strict=False)
    )
    return 3 * hyperparameters.timesteps * a_step


def measure_trial(hyperparameters: Hyperparameters, gpus: int) -> TrialSpeed:
    """Train a network for some seconds as a search would, in a process started by a worker.

    Args:
        hyperparameters: `TYPICAL`, whose figures `TrialSpeed` gives.
        gpus: how many TensorFlow sees; the trial uses the first.

    Raises:
        TrialFailedError: it came to no result; the message says why in one line.
    """
    try:
        with TemporaryDirectory(prefix="lstm_search_") as folder:
            task = _task(Path(folder))
            request = TrialRequest(task, hyperparameters, seed=0)
            pending = submit(_train, request, Compute(gpu=0 if gpus else None), workers=1)
            first, outcome = pending.result(timeout=_PATIENCE)
    except TimeoutError:
        raise TrialFailedError(f"no result within {_PATIENCE} seconds") from None
    except BrokenProcessPool as error:
        raise TrialFailedError(f"the worker died: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise TrialFailedError(f"its data cannot be written: {error}") from None
    finally:
        worker_pool().shutdown(wait=True, kill_workers=True)
    seconds = outcome.seconds
    return TrialSpeed(
        first_start=first.seconds["start"],
        start=seconds["start"],
        trace=seconds["load"] + seconds["build"] + seconds["trace"],
        compile=seconds["compile"],
        steps=seconds["steps"],
        windows=len(task.split.train.origins) * len(outcome.epochs),
        updates=sum(epoch.updates for epoch in outcome.epochs),
        peak_memory=outcome.peak_memory,
    )


def _task(folder: Path) -> ForecastTask:
    """A day's wave with noise in several columns, of which the first is forecast."""
    hours = np.arange(_ROWS)[:, None]
    noise = np.random.default_rng(0).normal(size=(_ROWS, _COLUMNS))
    rows = folder / "rows.npy"
    np.save(rows, np.sin(2 * np.pi * hours / 24) + 0.3 * noise, allow_pickle=False)
    # Few validation windows, so that the steps are all but updates.
    split = SplitSettings(train=0.9, validation=0.05, test=0.05)
    data = DataSettings(targets=("wave",), horizon=_HORIZON)
    return ForecastTask(
        rows=rows,
        targets=1,
        split=cut(_ROWS, split, data, TYPICAL.timesteps, None),
        training=TrainingSettings(epochs=_ENDLESS, patience=_ENDLESS, schedule="constant"),
    )


def _train(request: TrialRequest, compute: Compute) -> tuple[TrialOutcome, TrialOutcome]:
    """Runs in a worker: an epoch to have TensorFlow imported, then the trial that counts."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # TensorFlow's notes, which trial processes print
    os.dup2(nowhere, 2)
    first = run_in_process(request, lambda epoch: False, compute)
    end = time.monotonic() + _TRAINING_SECONDS
    return first, run_in_process(request, lambda epoch: time.monotonic() < end, compute)
