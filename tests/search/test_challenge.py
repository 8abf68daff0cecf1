"""A new model against the one in production: promoted where it is better, and only on fresh rows."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from numpy.typing import NDArray

from objectives.data.dataset import dataset_from_frame
from objectives.errors import InputError
from objectives.settings import DataSettings
from reports.bundle import Bundle, load_bundle
from reports.bundle.metadata import Tensor, TimeAxis
from search.bundles.challenge import challenge
from search.bundles.fresh_rows import FreshRows
from search.bundles.registry import enter_bundle
from storage.database import Database, open_storage
from storage.models import (
    find_model,
    list_models,
    production_model,
    promote_model,
    retire_model,
)
from tests.bundles import HORIZON, METADATA, linear_model, write_bundle

LAST, MEAN = 1.0, 0.25  # how much the last of four rows counts


def weighing(last: float, timesteps: int = 4, temp: float = 0.0) -> NDArray[np.float32]:
    """Forecast a mean of the window's loads, `last` for the last one and the others alike, and temp."""
    shares = np.full(timesteps, (1 - last) / (timesteps - 1))
    shares[-1] = last
    kernel = np.zeros((timesteps, 2, HORIZON), np.float32)
    kernel[:, 0], kernel[-1, 1] = shares[:, None], temp
    return kernel.reshape(-1, HORIZON)


def walk(rows: int = 400, start: str = "2025-01-01") -> pd.DataFrame:
    """A random walk, for which nothing is better than its last value."""
    load = 5 + 0.1 * np.random.default_rng(1).normal(size=rows).cumsum()
    times = pd.date_range(start, periods=rows, freq="h")
    return pd.DataFrame({"date": times, "load": load, "temp": 5.0})


def rows(frame: pd.DataFrame) -> FreshRows:
    return FreshRows(frame, "fresh.csv")


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Bundle]:
    """A bundle that forecasts such a mean; keywords replace parts of its metadata."""

    def make(last: float, timesteps: int = 4, temp: float = 0.0, **changes: Any) -> Bundle:
        folder = tmp_path / f"bundle_{len(list(tmp_path.iterdir()))}"
        shape = Tensor("window", "float32", ("batch", timesteps, 2), "those of the data")
        content = linear_model(weighing(last, timesteps, temp))
        return load_bundle(
            write_bundle(folder, model=content, timesteps=timesteps, input=shape, **changes)
        )

    return make


def test_both_are_scored_on_the_same_targets(model: Callable[..., Bundle]) -> None:
    frame = walk()
    found = challenge(model(LAST), model(1 / 6, timesteps=6), rows(frame))
    load = frame["load"].to_numpy()
    origins = np.arange(6, 400 - HORIZON + 1)
    truth = np.stack([load[origins + step] for step in range(HORIZON)], axis=1)
    last = load[origins - 1][:, None]
    mean = np.stack([load[origins - back] for back in range(1, 7)], axis=1).mean(axis=1)[:, None]
    assert found.windows == len(origins)
    assert found.challenger == pytest.approx(((last - truth) ** 2).mean() / 2**2, rel=1e-4)
    assert found.champion == pytest.approx(((mean - truth) ** 2).mean() / 2**2, rel=1e-4)
    assert found.low < found.difference < found.high < 0
    assert found.p < 0.01
    assert found.better


def test_what_is_worse_or_may_be_chance_is_not_better(model: Callable[..., Bundle]) -> None:
    frame = walk()
    assert challenge(model(MEAN), model(LAST), rows(frame)).doubt == "it is no better"
    assert not challenge(model(LAST), model(LAST), rows(frame)).better
    noise = rows(frame.assign(temp=np.random.default_rng(2).normal(size=len(frame))))
    lucky, unlucky = (
        challenge(model(LAST, temp=sign * 1e-4), model(LAST), noise) for sign in (1, -1)
    )
    assert {lucky.doubt, unlucky.doubt} == {"it is no better", "the difference may be chance"}


def test_rows_that_a_model_was_fitted_on_are_refused(model: Callable[..., Bundle]) -> None:
    def fitted(**data: str) -> Bundle:
        return model(LAST, provenance=replace(METADATA.provenance, data=data))

    frame = walk()
    fresh, old = (
        fitted(fitted_until="2025-01-01T03:00:00"),
        fitted(fitted_until="2025-01-01T04:00:00"),
    )
    assert challenge(fresh, model(MEAN), rows(frame)).better  # the first four rows are inputs only
    for pair in ((old, fresh), (fresh, old)):
        with pytest.raises(InputError, match="was fitted on rows up to 2025-01-01T04:00:00"):
            challenge(*pair, rows(frame))
    settings = DataSettings(time="date", targets=("load",), horizon=HORIZON)
    same = fitted(fingerprint=dataset_from_frame(frame, settings).fingerprint)
    with pytest.raises(InputError, match="was made from these very data"):
        challenge(model(MEAN), same, rows(frame))


@pytest.mark.parametrize(("first", "end"), [(0, 300), (100, 400)])
def test_rows_without_timestamps_are_known_among_others(
    model: Callable[..., Bundle], first: int, end: int
) -> None:
    """As in a table that has grown, and in one whose first rows a study leaves out."""
    untimed = {"time": TimeAxis(None, None, None, None)}
    frame = walk().drop(columns="date")
    settings = DataSettings(targets=("load",), horizon=HORIZON, first_row=first)
    fingerprint = dataset_from_frame(frame[:end], settings).fingerprint
    data = {"fingerprint": fingerprint, "rows": end - first}
    fitted = model(LAST, provenance=replace(METADATA.provenance, data=data), **untimed)
    with pytest.raises(InputError, match="was made from these very data"):
        challenge(fitted, model(MEAN, **untimed), rows(frame))
    rest = frame.drop(index=range(first, end)).reset_index(drop=True)
    assert challenge(fitted, model(MEAN, **untimed), rows(rest)).windows == 100 - 4 - HORIZON + 1


def test_what_cannot_be_compared_is_told(model: Callable[..., Bundle]) -> None:
    with pytest.raises(InputError, match="their horizon differ: 3 and 2"):
        challenge(model(LAST), model(LAST, horizon=2), rows(walk()))
    with pytest.raises(InputError, match=r"20 rows are too few .* need at least 21"):
        challenge(model(LAST), model(MEAN), rows(walk(20)))
    assert challenge(model(LAST), model(MEAN), rows(walk(21))).windows == 15
    holes = walk()
    holes.loc[399, "load"] = np.nan
    filled = {
        rule: model(LAST, preprocessing=replace(METADATA.preprocessing, fill=rule))
        for rule in ("forward", 5)
    }
    with pytest.raises(InputError, match="fill holes of the targets differently"):
        challenge(filled["forward"], filled[5], rows(holes))


@dataclass
class Registry:
    """The command line on a registry of the study "power", and what is in it."""

    command: list[str]
    folder: Path
    storage: Database

    def line(self, *arguments: object) -> list[str]:
        place = ("--storage", f"sqlite:///{self.folder}/studies.db")
        return [*self.command, "promote", "power", *map(str, (*arguments, *place))]

    def promote(self, *arguments: object, code: int = 0) -> str:
        done = subprocess.run(
            self.line(*arguments), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    @property
    def stages(self) -> list[str]:
        return [model.stage for model in list_models(self.storage, "power")]


@pytest.fixture
def registry(
    command: list[str], tmp_path: Path, model: Callable[..., Bundle]
) -> Iterator[Registry]:
    """Three models: a mean, the last value, another mean; the first one is in production."""
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db")
    optuna.create_study(study_name="power", storage=storage)
    walk().to_csv(tmp_path / "fresh.csv", index=False)
    for last in (MEAN, LAST, 0.3):
        enter_bundle(storage, model(last).path, tmp_path / "runs")
    promote_model(storage, find_model(storage, "power", 1), None)
    yield Registry(command, tmp_path, storage)
    storage.engine.dispose()


def test_only_what_is_better_is_promoted(registry: Registry) -> None:
    fresh = registry.folder / "fresh.csv"
    said = registry.promote(2, "--if-better", fresh)
    assert "model 2 of study power is in production; model 1 is retired" in said
    assert "95 % interval -" in said
    said = registry.promote("--if-better", fresh, code=1)
    assert "not promoted, since it is no better: model 2 of study power stays" in said
    assert registry.stages == ["retired", "production", "candidate"]


def test_the_file_is_read_also_where_there_is_nothing_to_compare_with(registry: Registry) -> None:
    absent, other = registry.folder / "absent.csv", registry.folder / "other.csv"
    other.write_text("load\nx\n")
    for file in (absent, other):  # model 1 is in production
        assert registry.promote(1, "--if-better", file, code=1) == ""
    fresh = registry.folder / "fresh.csv"
    said = registry.promote(1, "--if-better", fresh)
    assert said.startswith("model 1 of study power is in production already: ")
    assert said.count("\n") == 1
    retire_model(registry.storage, find_model(registry.storage, "power", 1))
    assert registry.promote(1, "--if-better", absent, code=1) == ""
    assert registry.stages == ["retired", "candidate", "candidate"]
    said = registry.promote(1, "--if-better", fresh)
    assert "no model of study power is in production to compare with" in said


def test_a_promotion_in_the_meantime_is_not_undone(registry: Registry) -> None:
    content = walk(3000).to_csv(index=False).encode()
    line = registry.line(2, "--if-better", "-")
    waiting = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert waiting.stdin is not None
    waiting.stdin.write(content[:100_000])  # more than a pipe holds: it is being read
    waiting.stdin.flush()
    promote_model(
        registry.storage,
        find_model(registry.storage, "power", 3),
        production_model(registry.storage, "power"),
    )
    said = waiting.communicate(content[100_000:], timeout=120)[1].decode()
    assert waiting.returncode == 1
    assert "model 3 of study 'power' has come into production meanwhile, instead of 1" in said
    assert registry.stages == ["retired", "candidate", "production"]
