"""A small series, the hyperparameters of a small network, and tasks made of them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import DataSettings, SplitSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import Compute, ForecastTask
from search.doctor.trial_speed import TYPICAL

LARGEST_TIMESTEPS = 12
HORIZON = 3

SMALL = replace(TYPICAL, timesteps=8, units=(4,), dropout=0.0, batch_size=32, learning_rate=0.01)


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Compute as a trial process does: one thread, so that sums are added in one order."""
    from objectives.trials.trial import prepare_device  # noqa: PLC0415  (imports TensorFlow)

    with suppress(RuntimeError):  # an earlier test has computed something already
        prepare_device(Compute())


@pytest.fixture(scope="session")
def hyperparameters() -> Callable[..., Hyperparameters]:
    """Hyperparameters of a small network, with the changes given."""

    def make(**changes: object) -> Hyperparameters:
        return replace(SMALL, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def series() -> np.ndarray:
    """Two columns (240 rows) at levels and scales far from 0 and 1, the first the target."""
    generator = np.random.default_rng(3)
    time = np.arange(240)
    wave = np.sin(2 * np.pi * time / 12) + 0.2 * generator.normal(size=240)
    other = np.cos(2 * np.pi * time / 12) + 0.2 * generator.normal(size=240)
    return np.stack([50 + 10 * wave, -3 + 0.1 * other], axis=1)


@pytest.fixture(scope="session")
def make_task(
    tmp_path_factory: pytest.TempPathFactory, series: np.ndarray
) -> Callable[..., ForecastTask]:
    """A forecast task on rows in a file; the keywords are those of TrainingSettings."""

    def make(rows: np.ndarray = series, **training: object) -> ForecastTask:
        path: Path = tmp_path_factory.mktemp("rows") / "rows.npy"
        np.save(path, rows)
        data = DataSettings(targets=("first",), horizon=HORIZON)
        return ForecastTask(
            rows=path,
            targets=1,
            split=cut(len(rows), SplitSettings(), data, LARGEST_TIMESTEPS, None),
            training=TrainingSettings(**{"epochs": 2, "schedule": "constant", **training}),
        )

    return make
