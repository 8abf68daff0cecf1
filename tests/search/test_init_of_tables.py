"""`lstm-search init`: what is seen in tables of many kinds."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.proposals import hourly, init, init_file, loaded, prose_of, text_of

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def test_missing_cells_and_timestamps_are_filled_and_told(tmp_path: Path) -> None:
    frame = hourly()
    frame.loc[[40, 41, 999], "wind"] = np.nan
    frame = frame.drop(index=[500, 501, 502])

    path = init(frame, tmp_path)
    study, preparation = loaded(path)

    assert study.data.fill == "forward"
    assert len(preparation.dataset.values) == 1000
    assert preparation.dataset.filled == {"wind": 6, "load": 3}
    prose = prose_of(path)
    assert "Missing timestamps: 3, the first 2024-01-21 20:00:00." in prose
    assert '"wind" 3 (first: row 40, 2024-01-02 16:00:00).' in prose
    assert "draws a line, whose points know the value after the gap" in prose


@pytest.mark.parametrize(("later", "fill"), [([], "none"), ([40], "forward")])
def test_first_rows_with_holes_are_left_out(tmp_path: Path, later: list[int], fill: str) -> None:
    frame = hourly()
    frame.loc[[0, 1, 2, 3, *later], "wind"] = np.nan

    path = init(frame, tmp_path)

    study, preparation = loaded(path)
    assert (study.data.first_row, study.data.fill) == (4, fill)
    assert preparation.dataset.filled == ({"wind": 1} if later else {})
    found = f'"wind" {4 + len(later)} (first: row 0, 2024-01-01 00:00:00).'
    assert found in prose_of(path)


def test_a_column_that_begins_late_is_filled_by_a_number_and_told(tmp_path: Path) -> None:
    frame = hourly()
    frame.loc[:100, "wind"] = np.nan

    path = init(frame, tmp_path)

    assert loaded(path)[0].data.fill == 0.0
    assert '"wind" 101 (first: row 0, 2024-01-01 00:00:00).' in prose_of(path)
    assert "a number stands in for every missing cell. Better: leave columns out" in prose_of(path)


def test_columns_that_would_harm_are_left_out_and_named(tmp_path: Path) -> None:
    frame = hourly().assign(nothing=np.nan, number=np.arange(1000), mixed="?")
    frame.loc[1:, "mixed"] = "1.5"
    frame["far"] = np.where(frame.index < 800, 1e9 + frame.index % 3, 0)

    path = init(frame, tmp_path, "load")

    assert loaded(path)[0].data.features == ("wind", "load")
    for reason in (
        '"nothing" (empty)', '"number" (only counts the rows)', '"mixed" (some of its cells are text)',
        '"far" (too far from zero for single precision)',
    ):  # fmt: skip
        assert reason in prose_of(path)


def test_default_target_is_the_last_that_varies(tmp_path: Path) -> None:
    frame = hourly().assign(constant=1.0, note="fine")

    assert loaded(init(frame, tmp_path))[0].data.targets == ("load",)


def test_given_targets_horizon_and_time_are_used(tmp_path: Path) -> None:
    frame = hourly().assign(until=lambda table: table["when"] + pd.Timedelta(hours=1))

    path = init(frame, tmp_path, "wind", "load", time="until", horizon=10)
    study, preparation = loaded(path)

    assert study.data.targets == ("wind", "load")
    assert study.data.horizon == 10
    assert study.data.time == "until"
    assert preparation.dataset.columns == ("wind", "load")
    assert "since it is the last" not in prose_of(path)


def test_time_is_the_first_column_in_order(tmp_path: Path) -> None:
    frame = hourly()
    frame.insert(0, "delivered", frame["when"].sample(frac=1, random_state=0).to_numpy())
    frame.insert(0, "hour", [f"{hour % 24:02d}:00" for hour in range(1000)])

    assert loaded(init(frame, tmp_path))[0].data.time == "when"


def test_timestamps_with_one_that_cannot_be_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = hourly().astype({"when": str})
    frame.loc[700, "when"] = "soon"

    path = init(frame, tmp_path)

    assert loaded(path)[0].data.time is None
    assert "column 'when', row 700: cannot read the timestamp 'soon'" in prose_of(path)
    assert "row 700: cannot read the timestamp 'soon'" in capsys.readouterr().out


def test_a_time_of_day_over_and_over_is_no_time(tmp_path: Path) -> None:
    frame = hourly().assign(when=[f"{hour % 24:02d}:00" for hour in range(1000)])

    assert loaded(init(frame, tmp_path))[0].data.time is None


def test_a_timestamp_missing_in_parquet_is_told(tmp_path: Path) -> None:
    frame = hourly()
    frame.loc[3, "when"] = pd.NaT
    frame.to_parquet(tmp_path / "power.parquet")

    path = init_file(tmp_path / "power.parquet", tmp_path / "power.toml")

    assert "column 'when', row 3: no timestamp (rows without one: 1)" in prose_of(path)


def test_control_characters_in_a_path_do_not_spoil_the_comments(tmp_path: Path) -> None:
    frame = hourly().astype({"when": str})
    frame.loc[700, "when"] = "soon"
    frame.to_csv(tmp_path / "po\x07wer.csv", index=False)

    path = init_file(tmp_path / "po\x07wer.csv", tmp_path / "power.toml")

    assert "row 700: cannot read the timestamp 'soon'" in prose_of(path)
    loaded(path)


def test_a_target_is_never_called_left_out(tmp_path: Path) -> None:
    path = init(hourly().assign(number=np.arange(1000)), tmp_path, "number")

    assert '"number" (only' not in prose_of(path)
    assert loaded(path)[0].data.features == ("wind", "load", "number")


def test_season_shown_is_that_of_the_training_rows(tmp_path: Path) -> None:
    rows = np.arange(1000)
    wave = np.sin(rows * 2 * np.pi / 30) + np.where(
        rows < 700, 0, 9 * np.sin(rows * 2 * np.pi / 11)
    )

    path = init(pd.DataFrame({"other": np.sin(rows * 2 * np.pi / 17), "wave": wave}), tmp_path)

    assert loaded(path)[1].season == 30
    assert "#season = 30  # rows; found in the training rows" in text_of(path)


def test_horizon_is_no_larger_than_a_twentieth_of_the_rows(tmp_path: Path) -> None:
    wave = np.sin(np.arange(400) * 2 * np.pi / 96)
    times = pd.date_range("2024-01-01", periods=400, freq="15min")

    study, preparation = loaded(init(pd.DataFrame({"time": times, "wave": wave}), tmp_path))

    assert preparation.season == 96
    assert study.data.horizon == 20  # and not 24, a quarter of the season


def test_monthly_rows(tmp_path: Path) -> None:
    months = np.arange(144)
    values = months + 30 * np.sin(months * 2 * np.pi / 12) + np.cos(months)
    times = pd.date_range("1949-01-01", periods=144, freq="MS")

    path = init(pd.DataFrame({"month": times, "passengers": values}), tmp_path)
    study, preparation = loaded(path)

    assert preparation.season == 12
    assert study.data.horizon == 3
    assert study.split.validation_from == "1957-06-01"
    assert "1 month from row to row" in prose_of(path)


@pytest.mark.parametrize(
    ("rows", "season", "low", "high", "step"),
    [
        (1000, 24, 12, 96, 12),  # half a season to four
        (300, 24, 12, 24, 12),  # at most a tenth of the rows
        (2000, 7, 7, 28, 7),  # half of it is no number of rows
        (200, 24, 4, 16, 4),  # no room for a season: quarters of what there is
        (5000, 500, 96, 384, 96),  # far too long for a window
    ],
)
def test_windows_suit_the_season_and_the_length(
    tmp_path: Path, rows: int, season: int, low: int, high: int, step: int
) -> None:
    random = np.random.default_rng(1)
    wave = np.sin(np.arange(rows) * 2 * np.pi / season) + 0.05 * random.normal(size=rows)

    study, preparation = loaded(init(pd.DataFrame({"wave": wave}), tmp_path))

    assert abs(preparation.season - season) <= season // 50
    window = study.space.timesteps
    assert (window.low, window.high, window.step) == (low, high, step)  # type: ignore[union-attr]


def test_rows_without_timestamps_or_season(tmp_path: Path) -> None:
    growth = np.sqrt(np.arange(400))

    path = init(pd.DataFrame({"growth": growth}), tmp_path)
    study, preparation = loaded(path)

    assert preparation.season == 1
    assert study.data.horizon == 1
    assert study.split.sizes == (0.7, 0.15, 0.15)
    assert "No column holds timestamps in order" in prose_of(path)
    assert "no period was found" in text_of(path)


@pytest.mark.parametrize("rows", [20, 21, 23, 30, 50, 101])
def test_short_data_fit(tmp_path: Path, rows: int) -> None:
    study, preparation = loaded(init(hourly(rows), tmp_path))

    assert study.space.largest_timesteps <= rows // 10
    assert len(preparation.split.test.origins) >= 1


def test_parquet_with_an_index_of_timestamps(tmp_path: Path) -> None:
    for name in ("when", None):
        data = tmp_path / f"{name}.parquet"
        hourly().set_index("when").rename_axis(name).to_parquet(data)

        path = init_file(data, tmp_path / f"{name}.toml")
        study, preparation = loaded(path)

        assert study.data.time == name
        assert study.split.validation_from == "2024-01-30"
        assert preparation.dataset.step == pd.Timedelta(hours=1)
        assert ("index, which has no name" in prose_of(path)) == (name is None)


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        (
            "ETTh1",
            "OT",
            {
                "time": "date",
                "rows": 17420,
                "columns": 7,
                "horizon": 6,
                "season": 24,
                "fill": "none",
            },
        ),
        (
            "nyc_jfk_2013",
            "temp",
            {
                "time": "time",
                "rows": 8730,
                "columns": 5,
                "horizon": 6,
                "season": 24,
                "fill": "none",
            },
        ),
        (
            "beijing_pm25",
            "TEMP",
            {
                "time": None,
                "rows": 43800,
                "columns": 11,
                "horizon": 6,
                "season": 24,
                "fill": "forward",
            },
        ),
    ],
)
def test_public_data(tmp_path: Path, name: str, target: str, expected: dict[str, object]) -> None:
    data = SHARED / f"{name}.csv"
    if not data.exists():
        pytest.skip(f"{data} is not there; see the README of the data")

    study, preparation = loaded(init_file(data, tmp_path / f"{name}.toml", target))

    rows, columns = preparation.dataset.values.shape
    seen = {"time": study.data.time, "rows": rows, "columns": columns, "fill": study.data.fill}
    seen |= {"horizon": study.data.horizon, "season": preparation.season}
    assert json.dumps(seen, sort_keys=True) == json.dumps(expected, sort_keys=True)
    split = preparation.split
    assert abs(split.validation.first / rows - 0.7) < 0.01
    assert abs(split.test.first / rows - 0.85) < 0.01
