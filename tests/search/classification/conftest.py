"""A study of classification on sequences of unequal length."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.once import run_once

STUDY = """
[data]
task = "classification"
path = "order.parquet"

[space]
units = 16
depth = 1
dropout = 0.0
batch_size = 32
learning_rate = [0.01, 0.02]
bidirectional = false
skip = "none"
noise = 0.0
mixup = 0.0

[study]
trials = 2
seed = 3

[split]
folds = 2

[confirm]
seeds = 0

[final]
members = 1
calibration = "temperature"

[training]
epochs = 25
patience = 8
least_updates = 1
"""

STREAM_STUDY = """
[data]
task = "classification"
path = "stream.csv"
timesteps = 6
stride = 2

[space]
timesteps = 6
units = 4
depth = 1
bidirectional = false

[study]
trials = 1
workers = 1

[confirm]
seeds = 0

[training]
epochs = 2
class_weights = "balanced"
"""


def order_of_pulses(sequences: int = 700) -> pd.DataFrame:
    """Sequences of 7 to 30 steps in 12 channels of standard normal noise.

    Channel 0 and channel 1 have a pulse of height 6 each, at different steps; the class tells which
    comes first. No statistic of a whole channel tells that, so that a linear model on them has to guess.
    The last 200 sequences are the official test part.
    """
    generator = np.random.default_rng(11)
    frames = []
    for number in range(sequences):
        length = int(generator.integers(7, 31))
        values: NDArray[np.float64] = generator.normal(size=(length, 12))
        first, second = generator.choice(length, size=2, replace=False)
        values[first, 0] += 6
        values[second, 1] += 6
        frame = pd.DataFrame(values, columns=[f"channel_{channel}" for channel in range(12)])
        label = "zero first" if first < second else "one first"
        split = "test" if number >= sequences - 200 else "train"
        frames.append(frame.assign(id=number, time=range(length), label=label, split=split))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished study: its folder, and what was printed."""

    def prepare(folder: Path) -> None:
        order_of_pulses().to_parquet(folder / "order.parquet")
        (folder / "order.toml").write_text(STUDY)

    arguments = ("run", "order.toml", "--out", "runs")
    folder, done = run_once(tmp_path_factory, "classified", prepare, *arguments)
    return folder, done.stdout


def hot_and_cold(rows: int, seed: int) -> pd.DataFrame:
    """A stream that is labelled hot and cold in turn, every 20 rows; a noisy level tells them apart."""
    hot = np.arange(rows) // 20 % 2
    level = hot + np.random.default_rng(seed).normal(size=rows)
    return pd.DataFrame({"level": level, "label": np.array(["cold", "hot"])[hot]})


@pytest.fixture(scope="session")
def stream_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a finished study of overlapping windows of one stream."""

    def prepare(folder: Path) -> None:
        hot_and_cold(600, seed=4).to_csv(folder / "stream.csv", index=False)
        (folder / "stream.toml").write_text(STREAM_STUDY)

    arguments = ("run", "stream.toml", "--out", "runs")
    folder, _ = run_once(tmp_path_factory, "stream", prepare, *arguments)
    return folder / "runs"
