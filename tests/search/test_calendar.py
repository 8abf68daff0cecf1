"""The time of day, week and year as inputs: the same when a model is trained and when it forecasts."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from objectives.data.dataset import dataset_from_frame
from objectives.errors import InputError
from objectives.settings import DataSettings
from reports.bundle import BundleError, Metadata, load_bundle
from reports.bundle.frames import series_from_frame
from reports.bundle.metadata import TimeAxis
from reports.bundle.writing import model_card
from search import Study, run_study
from search.preparation import prepare, share_rows
from tests.bundles import METADATA

PERIODS = ("week", "day", "year")


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three days by the hour, of which one is missing, at an offset of two hours."""
    times = pd.date_range("2023-12-31", periods=72, freq="h", tz="UTC").tz_convert("+02:00")
    table = pd.DataFrame({"when": times.map(pd.Timestamp.isoformat), "load": np.arange(72.0) % 7})
    return table.drop(index=30).reset_index(drop=True)


def settings(**changes: object) -> DataSettings:
    given = {"targets": ("load",), "time": "when", "fill": "forward", "calendar": PERIODS}
    return DataSettings.model_validate({**given, **changes})


def metadata(frame: pd.DataFrame) -> Metadata:
    dataset = dataset_from_frame(frame, settings())
    return replace(
        METADATA,
        columns=tuple(replace(METADATA.columns[0], name=name) for name in dataset.columns),
        time=TimeAxis("when", "P0DT1H0M0S", None, "UTC"),
        preprocessing=replace(METADATA.preprocessing, fill="forward"),
        calendar=PERIODS,
    )


def test_waves_go_around_once_twice_and_three_times_in_a_period(frame):
    dataset = dataset_from_frame(frame, settings(calendar=("day",)))
    assert dataset.columns[:3] == ("load", "day_sin1", "day_cos1")
    turn = 2 * np.pi * np.arange(72) / 24  # in UTC, and where a row is missing too
    expected = [wave(number * turn) for number in (1, 2, 3) for wave in (np.sin, np.cos)]
    np.testing.assert_allclose(dataset.values[:, 1:], np.column_stack(expected), atol=1e-9)
    assert dataset.filled == {"load": 1}


def test_a_calendar_needs_timestamps_and_columns_of_its_own(frame):
    with pytest.raises(InputError, match="calendar needs timestamps"):
        dataset_from_frame(frame[["load"]], settings(time=None))
    with pytest.raises(InputError, match="'day_sin1' is listed twice"):
        dataset_from_frame(frame.assign(day_sin1=0.0), settings())


def test_a_bundle_tells_fresh_rows_what_training_was_told(frame):
    about = metadata(frame)
    assert about.numeric_columns == ("load",)
    series = series_from_frame(frame, about)
    trained = dataset_from_frame(frame, settings())
    np.testing.assert_array_equal(series.values, trained.values)
    with pytest.raises(BundleError, match="time of week and day and year, and the rows have no"):
        series_from_frame(
            frame.drop(columns="when"), replace(about, time=TimeAxis(None, None, None, None))
        )


def test_a_model_of_an_index_of_timestamps_takes_them_from_a_column_too(tmp_path):
    times = pd.date_range("2024-01-01", periods=300, freq="h")
    indexed = pd.DataFrame({"load": np.arange(300.0) % 7}, index=times)
    study = Study(
        data={"targets": ["load"], "horizon": 2, "calendar": ["day"]},
        space={"timesteps": 4, "units": 4, "depth": 1},
        study={"name": "indexed", "trials": 1, "workers": 1},
        training={"epochs": 1},
        confirm={"candidates": 0},
        output={"directory": str(tmp_path), "formats": ["onnx"]},
    )
    run_study(study, indexed)
    bundle = load_bundle(tmp_path / "indexed" / "bundle")
    path = tmp_path / "latest.csv"
    indexed.tail(8).rename_axis("time").to_csv(path)
    pd.testing.assert_frame_equal(
        bundle.predict(pd.read_csv(path)), bundle.predict(indexed.tail(8))
    )


def test_the_model_card_tells_who_has_none_of_our_code_how_such_columns_are_made(frame):
    data = {"source": "load.csv", "trained_on": "all", "fingerprint": "0"}
    card = model_card(
        replace(
            metadata(frame),
            categories={"wind": ("N", "S")},
            provenance=replace(METADATA.provenance, data=data),
        )
    )
    assert "A column `NAME=CATEGORY` is 1 in rows of that category" in card
    assert "sin(2πNt / P) and cos(2πNt / P) for N = 1, 2 and 3" in card
    assert "seconds since\n1970-01-01T00:00:00 UTC" in card
    periods = {name: int(P) for P, name in re.findall(r"(\d+) for the (\w+)", card)}
    t = pd.to_datetime(frame["when"]).map(pd.Timestamp.timestamp).to_numpy()
    turns = [2 * np.pi * N * t / P for P in periods.values() for N in (1, 2, 3)]
    expected = np.column_stack([wave(turn) for turn in turns for wave in (np.sin, np.cos)])
    fed = np.delete(
        series_from_frame(frame, metadata(frame)).values, 30, axis=0
    )  # not in the frame
    np.testing.assert_allclose(fed[:, 1:], expected, atol=1e-6)


def test_trials_know_how_many_columns_tell_the_time(frame, tmp_path):
    study = Study(
        data={**settings().model_dump(exclude_unset=True), "horizon": 2},
        space={"timesteps": 4},
        output={"directory": str(tmp_path)},
    )
    study.directory.mkdir(parents=True)
    assert share_rows(prepare(study, frame), study).calendar == 18
