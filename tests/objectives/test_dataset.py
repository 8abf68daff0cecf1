"""Good tables become complete series; bad ones get one line that says what, where and what to do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from objectives.data.dataset import dataset_from_frame, read_dataset
from objectives.errors import InputError
from objectives.settings import DataSettings

HOUR = pd.Timedelta(hours=1)


def settings(**changes) -> DataSettings:
    return DataSettings(**({"targets": ("y",), "time": "t"} | changes))


def hourly(rows: int = 48) -> pd.DataFrame:
    time = np.arange(rows, dtype=float)
    return pd.DataFrame(
        {
            "t": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "x": time**2,
            "y": np.sin(time),
        }
    )


def write(tmp_path: Path, text: str | bytes, name: str = "data.csv") -> DataSettings:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return settings(path=name)


def failure(make) -> str:
    with pytest.raises(InputError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# what a good table becomes


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_file_is_read_to_the_last_bit(tmp_path, suffix):
    frame = hourly()
    path = tmp_path / f"data.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    dataset = read_dataset(settings(path=path.name), tmp_path)
    assert dataset.columns == ("y", "x")
    assert dataset.targets == ("y",)
    np.testing.assert_array_equal(dataset.values, frame[["y", "x"]].to_numpy())
    assert dataset.values.dtype == np.float64
    assert not dataset.values.flags.writeable
    assert list(dataset.times) == list(frame["t"])
    assert (dataset.step, dataset.frequency) == (HOUR, None)
    assert (dataset.source, dataset.filled) == (path.name, {})
    assert dataset.fingerprint == dataset_from_frame(frame, settings()).fingerprint


def test_columns_keep_the_order_they_were_asked_for():
    frame = hourly().assign(z=1.5, w=lambda table: -table["x"])
    dataset = dataset_from_frame(frame, settings(targets=("w", "y"), features=("x", "y")))
    assert dataset.columns == ("w", "y", "x")
    np.testing.assert_array_equal(dataset.values[:, 0], -frame["x"])


def test_columns_of_text_time_or_no_name_are_no_features_unless_asked_for(tmp_path):
    frame = hourly().assign(wind="NW", flag=True, later=lambda table: table["t"])
    frame.to_csv(tmp_path / "data.csv")  # with the index, whose column has no name
    dataset = read_dataset(settings(path="data.csv"), tmp_path)
    assert dataset.columns == ("y", "x", "flag")
    message = failure(lambda: dataset_from_frame(frame, settings(features=("wind",))))
    assert message.startswith("DataFrame: column 'wind', row 0: expected a number, received 'NW'")
    assert message.endswith("mend it, or list the columns to use in features")


def test_the_table_passed_in_is_left_alone():
    frame = hourly()
    frame.loc[3, "y"] = np.nan
    copy = frame.copy()
    dataset_from_frame(frame, settings(fill=0))
    pd.testing.assert_frame_equal(frame, copy)


def test_an_index_of_timestamps_is_the_time():
    frame = hourly()
    expected = dataset_from_frame(frame, settings()).fingerprint
    indexed = frame.set_index("t")
    assert dataset_from_frame(indexed, settings()).fingerprint == expected
    assert dataset_from_frame(indexed, settings(time=None)).fingerprint == expected


def test_rows_without_time_need_no_timestamps():
    dataset = dataset_from_frame(hourly().drop(columns="t"), settings(time=None))
    assert (dataset.times, dataset.step, dataset.frequency) == (None, None, None)


def test_the_fingerprint_changes_with_values_names_and_times():
    frame = hourly()
    moved = frame.assign(t=frame["t"] + HOUR)
    other = frame.assign(x=frame["x"] + 1e-9)
    renamed = frame.rename(columns={"x": "z"})
    prints = {dataset_from_frame(f, settings()).fingerprint for f in (frame, moved, other, renamed)}
    prints.add(dataset_from_frame(frame, settings(targets=("y", "x"))).fingerprint)
    assert len(prints) == 5


# time


def test_offsets_become_utc_even_when_the_clocks_change(tmp_path):
    times = pd.date_range("2024-03-30 12:00", periods=48, freq="h", tz="Europe/Berlin")
    hourly().assign(t=times).to_csv(tmp_path / "data.csv", index=False)
    dataset = read_dataset(settings(path="data.csv"), tmp_path)
    assert str(dataset.times.tz) == "UTC"
    assert list(dataset.times) == list(times.tz_convert("UTC"))
    assert dataset.step == HOUR


@pytest.mark.parametrize("as_text", [False, True])
def test_local_days_of_23_and_25_hours_are_a_calendar(as_text):
    times = pd.date_range("2024-03-01", periods=48, freq="D", tz="Europe/Berlin")
    dataset = dataset_from_frame(
        hourly().assign(t=times.astype(str) if as_text else times), settings()
    )
    assert (dataset.step, dataset.frequency) == (None, "D")
    assert list(dataset.times) == list(times.tz_convert("UTC"))


@pytest.mark.parametrize("frequency", ["MS", "ME", "B", "QS-JAN", "YS-JAN"])
def test_calendars_are_regular(frequency):
    times = pd.date_range("2000-01-01", periods=48, freq=frequency)
    dataset = dataset_from_frame(hourly().assign(t=times), settings())
    assert (dataset.step, dataset.frequency) == (None, frequency)


def test_offsets_in_hours_alone_are_read_when_the_clocks_change():
    times = pd.date_range("2024-03-30 12:00", periods=48, freq="h", tz="Europe/Berlin")
    texts = times.strftime("%Y-%m-%d %H:%M:%S%z").str.removesuffix(
        "00"
    )  # as PostgreSQL writes them
    dataset = dataset_from_frame(hourly().assign(t=texts), settings())
    assert list(dataset.times) == list(times.tz_convert("UTC"))


def test_weeks_have_a_step():
    times = pd.date_range("2000-01-01", periods=48, freq="W")
    assert dataset_from_frame(hourly().assign(t=times), settings()).step == pd.Timedelta(days=7)


def test_days_first_are_read_when_nothing_else_fits():
    times = pd.date_range("2024-01-01", periods=48, freq="D")
    dataset = dataset_from_frame(hourly().assign(t=times.strftime("%d/%m/%Y")), settings())
    assert list(dataset.times) == list(times)


# filling


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("forward", (4.0, 4.0, 4.0)),
        ("interpolate", (12.0, 20.0, 28.0)),
        (-1.0, (-1.0, -1.0, -1.0)),
    ],
)
def test_missing_timestamps_and_cells_are_filled(fill, expected):
    frame = hourly()
    frame.loc[4, "x"] = np.inf
    frame = frame.drop(index=[3, 5])  # x is 4 in row 2 and 36 in row 6, with nothing between
    dataset = dataset_from_frame(frame, settings(fill=fill))
    assert list(dataset.times) == list(hourly()["t"])
    assert dataset.filled == {"x": 3, "y": 2}
    np.testing.assert_allclose(dataset.values[2:7, 1], (4.0, *expected, 36.0))
    assert (dataset.step, dataset.frequency) == (HOUR, None)


def test_a_missing_month_is_filled_by_the_calendar():
    times = pd.date_range("2000-01-01", periods=48, freq="MS")
    frame = hourly().assign(t=times).drop(index=7)
    dataset = dataset_from_frame(frame, settings(fill="forward"))
    assert list(dataset.times) == list(times)
    assert (dataset.step, dataset.frequency) == (None, "MS")
    assert dataset.filled == {"y": 1, "x": 1}


@pytest.mark.parametrize("frequency", ["D", "B", "MS"])
@pytest.mark.parametrize("as_text", [False, True])
def test_holes_in_local_calendars_are_told_by_wall_clocks(frequency, as_text):
    times = pd.date_range("2024-03-01", periods=48, freq=frequency, tz="Europe/Berlin")
    frame = hourly().assign(t=times.map(str) if as_text else times).drop(index=7)
    dataset = dataset_from_frame(frame, settings(fill="forward"))
    assert list(dataset.times) == list(times.tz_convert("UTC"))
    assert (dataset.step, dataset.frequency) == (None, frequency)
    assert dataset.filled == {"y": 1, "x": 1}


def test_holidays_are_missing_business_days_and_weekends_are_not():
    times = pd.date_range("2024-01-01", periods=48, freq="B")
    message = failure(
        lambda: dataset_from_frame(hourly().assign(t=times).drop(index=7), settings())
    )
    assert "1 timestamps at distances of B are missing" in message


def test_none_is_a_word_among_words_and_a_missing_cell_among_numbers(tmp_path):
    write(tmp_path, b"y,x,h\n1,None,None\n2,5,Easter\n3,None,\n4,7,None\n")
    choice = settings(path="data.csv", time=None, categorical=("h",), first_row=1, fill="forward")
    dataset = read_dataset(choice, tmp_path)
    assert dataset.columns == ("y", "x", "h=Easter", "h=None")
    assert dataset.values.tolist() == [[2, 5, 1, 0], [3, 5, 1, 0], [4, 7, 0, 1]]


def test_none_is_a_word_where_all_cells_have_it(tmp_path):
    write(tmp_path, b"y,h\n1,None\n2,None\n")
    choice = settings(path="data.csv", time=None, categorical=("h",))
    assert read_dataset(choice, tmp_path).columns == ("y", "h=None")


# bad files


BAD_FILES = {
    "empty": (b"", "data.csv: is empty"),
    "blank": (b"\n\n", "data.csv: is empty"),
    "header only": (b"t,x,y\n", "data.csv: has a header but no rows"),
    "binary": (bytes(range(256)) * 9, "data.csv: is not a CSV text file"),
    "latin-1": ("t,x°,y\n1,2,3\n".encode("latin-1"), "is not a CSV text file in UTF-8 (byte 0xb0)"),
    "ragged": (
        b"t,x,y\n2024-01-01,1,2\n2024-01-02,1,2,3\n",
        "data.csv: row 1 (line 3) has 4 fields where 3 are expected",
    ),
    "nameless": (b"x,y\n2024-01-01,1,2\n2024-01-02,1,3\n", "row 0 has more fields than the header"),
    "repeated": (b"t,x,y,x\n2024-01-01,1,2,3\n", "column 'x' is listed twice in the header"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_get_one_line(tmp_path, content, words):
    choice = write(tmp_path, content)
    message = failure(lambda: read_dataset(choice, tmp_path))
    assert message.startswith("data.csv: ")
    assert words in message


@pytest.mark.parametrize("content", [b"", b"PAR1", b"t,y\n2024-01-01,1\n"])
def test_bad_parquet_gets_one_line(tmp_path, content):
    write(tmp_path, content, "data.parquet")
    message = failure(lambda: read_dataset(settings(path="data.parquet"), tmp_path))
    assert message.startswith("data.parquet: is ")


@pytest.mark.parametrize("kind", ["gz", "zip", "xz", "bz2"])
@pytest.mark.parametrize(
    "content", [b"no archive", b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff" * 40], ids=["none", "damaged"]
)
def test_a_broken_archive_gets_one_line(tmp_path, kind, content):
    write(tmp_path, content, f"data.csv.{kind}")
    message = failure(lambda: read_dataset(settings(path=f"data.csv.{kind}"), tmp_path))
    assert message.startswith(f"data.csv.{kind}: cannot be read")


def test_files_that_are_not_there_get_one_line(tmp_path):
    missing = failure(lambda: read_dataset(settings(path="none.csv"), tmp_path))
    assert missing.startswith("none.csv: no such file")
    assert str(tmp_path / "none.csv") in missing
    (tmp_path / "folder").mkdir()
    folder = failure(lambda: read_dataset(settings(path="folder"), tmp_path))
    assert folder.startswith("folder: is a directory")
    assert "path" in failure(lambda: read_dataset(settings(), tmp_path))


# bad columns and cells


def with_cells(column: str, cells: dict[int, object]) -> pd.DataFrame:
    frame = hourly()
    frame[column] = frame[column].astype(object)
    for row, cell in cells.items():
        frame.loc[row, column] = cell
    return frame


def shifted(row: int, by: str) -> pd.DataFrame:
    frame = hourly()
    frame.loc[row, "t"] += pd.Timedelta(by)
    return frame


BAD_TABLES = {
    "missing target": (
        hourly(),
        {"targets": ("z",)},
        ["no column 'z'", "in targets", "'t', 'x', 'y'"],
    ),
    "misspelt": (
        hourly().rename(columns={"x": "temperature"}),
        {"features": ("temprature",)},
        ["no column 'temprature'", "in features", "did you mean 'temperature'?"],
    ),
    "missing time": (hourly(), {"time": "when"}, ["no column 'when'", "in time"]),
    "no rows": (hourly(0), {}, ["no rows"]),
    "target twice": (hourly(), {"targets": ("y", "y")}, ["'y' is listed twice in targets"]),
    "time as feature": (hourly(), {"features": ("t",)}, ["'t' is the time column", "features"]),
    "time as target": (hourly(), {"targets": ("t",)}, ["'t' is the time column", "targets"]),
    "text": (with_cells("x", {7: "?", 9: "?"}), {}, ["'x', row 7", "received '?'", "2 such cells"]),
    "long text": (with_cells("y", {7: "a\n" * 500}), {}, ["'y', row 7", "received 'a\\na"]),
    "missing cells": (
        with_cells("x", {7: None, 9: np.nan}),
        {},
        ["2 cells", "'x' (2)", "column 'x', row 7", "fill =", "[data]"],
    ),
    "infinite cells": (
        with_cells("y", {5: -np.inf, 3: np.inf}),
        {},
        ["2 cells", "infinite", "column 'y', row 3", "fill ="],
    ),
    "constant": (hourly().assign(y=2.5), {}, ["column 'y'", "constant (2.5)"]),
    "first cell": (
        with_cells("x", {0: None}),
        {"fill": "forward"},
        ["'x', row 0", "first", "forward"],
    ),
    "last cell": (
        with_cells("x", {47: None}),
        {"fill": "interpolate"},
        ["'x', row 47", "last", "interpolate"],
    ),
    "no timestamp": (with_cells("t", {4: None}), {}, ["'t', row 4", "no timestamp"]),
    "no date": (
        hourly().assign(t=lambda f: f["t"].astype(str).where(f.index != 4, "2024-13-01")),
        {},
        ["'t', row 4", "'2024-13-01'"],
    ),
    "words": (hourly().assign(t="soon"), {}, ["'t', row 0", "'soon'"]),
    "beyond any float": (with_cells("y", {7: 10**400}), {}, ["'y', row 7", "expected a number"]),
    "numbers": (hourly().assign(t=range(48)), {}, ["'t', row 0", "number 0"]),
    "offset missing": (
        hourly().assign(
            t=lambda f: (f["t"].astype(str) + "+01:00").where(f.index != 4, f["t"].astype(str))
        ),
        {},
        ["'t', row 4", "'2024-01-01 04:00:00' has no UTC offset"],
    ),
    "duplicate": (
        shifted(7, "-1h"),
        {},
        ["'t', row 7", "2024-01-01 06:00:00", "of row 6", "keep one"],
    ),
    "several series": (pd.concat([hourly()] * 3), {}, ["(repeated: 96)", "keep the rows of one"]),
    "unsorted": (hourly().iloc[[0, 1, 3, 2, *range(4, 48)]], {}, ["'t', row 3", "02:00", "sort"]),
    "irregular": (
        shifted(7, "17min"),
        {},
        ["'t', row 7", "0 days 01:17:00", "0 days 01:00:00", "resample"],
    ),
    "holes": (
        hourly().drop(index=[5, 6, 20]),
        {},
        ["'t', row 4", "3 timestamps", "2024-01-01 05:00:00", "fill ="],
    ),
    "wrong year": (
        shifted(47, "36500D"),
        {"fill": "forward"},
        ["'t', row 47", "876000 of 876048 timestamps", "mend"],
    ),
}


@pytest.mark.parametrize(("frame", "changes", "words"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_get_one_line(frame, changes, words):
    message = failure(lambda: dataset_from_frame(frame, settings(**changes), "my.csv"))
    assert message.startswith("my.csv: ")
    assert len(message) < 400
    for word in words:
        assert word in message


def test_a_filled_target_may_become_constant_and_is_refused():
    frame = with_cells("y", dict.fromkeys(range(1, 48)))
    assert "constant" in failure(lambda: dataset_from_frame(frame, settings(fill="forward")))
