"""CSV as other languages write it: fields between semicolons, tabs or bars, decimals with commas."""

import numpy as np
import pandas as pd
import pytest

from objectives.data.reading import read_values
from objectives.data.table_file import read_table
from objectives.errors import InputError
from objectives.settings import DataSettings

TABLE = pd.DataFrame(
    {
        "t": pd.date_range("2024-01-01", periods=40, freq="h"),
        "load, MW": np.exp(np.linspace(-9, 9, 40)),
        "hour": np.arange(40) % 24,
        "wind": ["NW", "calm, mostly"] * 20,
    }
)


def written(tmp_path, **how):
    path = tmp_path / "data.csv"
    TABLE.to_csv(path, index=False, **how)
    return read_table(path, "data.csv")


@pytest.mark.parametrize(
    ("separator", "decimal"),
    [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", ",")],
)
def test_a_table_is_the_same_whatever_separates_its_fields(tmp_path, separator, decimal):
    frame = written(tmp_path, sep=separator, decimal=decimal)
    assert list(frame) == list(TABLE)
    for name in ("load, MW", "hour", "wind"):
        pd.testing.assert_series_equal(frame[name], TABLE[name], check_dtype=False)


def test_decimal_commas_are_seen_beside_whole_numbers_and_missing_cells(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x;y;z\n1;-,5;\n2;3;4,5e3\n3;+1,25;\n4;;7\n")
    frame = read_table(path, "data.csv")
    np.testing.assert_array_equal(frame["y"], [-0.5, 3, 1.25, np.nan])
    np.testing.assert_array_equal(frame["z"], [np.nan, 4500, np.nan, 7])


@pytest.mark.parametrize("cell", ["2.5", "1.000,5", "calm"])
def test_a_column_of_two_notations_is_told_and_not_guessed(tmp_path, cell):
    path = tmp_path / "data.csv"
    path.write_text(f"x;y\n1;0,5\n2;1,5\n3;{cell}\n")
    frame = read_table(path, "data.csv")
    with pytest.raises(InputError, match="column 'y', row 0: expected a number, received '0,5'"):
        read_values(frame, DataSettings(targets=("y",)), "data.csv")


def test_names_may_hold_what_separates_other_files(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text('t,"a;b;c|d",x;y\n1,2,3\n')
    assert list(read_table(path, "data.csv")) == ["t", "a;b;c|d", "x;y"]
    path.write_text("t;load, MW\n1;2,5\n")
    assert list(read_table(path, "data.csv")) == ["t", "load, MW"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t;x;x\n1;2;3\n", "column 'x' is listed twice in the header"),
        (
            "t;x\n1;2\n2;3;4\n",
            "row 1 (line 3) has 3 fields where 2 are expected: quote text that contains ';'",
        ),
        ("t;x\n", "has a header but no rows"),
    ],
)
def test_what_is_wrong_between_semicolons_is_told_as_between_commas(tmp_path, text, words):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_table(path, "data.csv")
    assert words in str(caught.value)
