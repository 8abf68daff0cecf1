"""Columns of text become inputs, by the categories of the training rows; first rows can be left out."""

import numpy as np
import pandas as pd
import pytest

from objectives.data.dataset import dataset_from_frame
from objectives.errors import InputError
from objectives.settings import DataSettings
from search.preparation import prepare
from search.study import make_study

WINDS = ["NW", " SE ", "NW", "cv", "SE", "NW"]


def weather(winds=WINDS) -> pd.DataFrame:
    rows = len(winds)
    return pd.DataFrame(
        {"y": np.sin(np.arange(rows)), "wind": winds, "x": np.arange(rows, dtype=float)}
    )


def settings(**changes) -> DataSettings:
    return DataSettings(**({"targets": ("y",), "categorical": ("wind",)} | changes))


def test_each_category_is_a_column_of_zeros_and_ones_after_the_numbers():
    dataset = dataset_from_frame(weather(), settings())
    assert dataset.columns == ("y", "x", "wind=NW", "wind=SE", "wind=cv")
    assert dataset.categories == {"wind": ("NW", "SE", "cv")}
    expected = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    np.testing.assert_array_equal(dataset.values[:, 2:], expected)


def test_a_category_that_the_training_rows_lack_is_zero_in_all():
    known = dataset_from_frame(weather(), settings()).knowing(0, 3)
    assert known.columns == ("y", "x", "wind=NW", "wind=SE")
    assert known.categories == {"wind": ("NW", "SE")}
    np.testing.assert_array_equal(known.values[3, 2:], [0, 0])
    np.testing.assert_array_equal(known.values[:, :2], weather()[["y", "x"]])
    assert not known.values.flags.writeable


def test_a_study_knows_the_categories_of_its_training_rows_alone():
    winds = ["NW"] * 60 + ["SE"] * 40
    frame = weather(winds)
    study = make_study(
        {
            "data": {"targets": ["y"], "categorical": ["wind"]},
            "split": {"train": 60, "validation": 20, "test": 20},
            "space": {"timesteps": 4},
        },
        "study",
    )
    assert prepare(study, frame).dataset.columns == ("y", "x", "wind=NW")


def test_codes_can_be_categories():
    dataset = dataset_from_frame(weather([1, 2, 1, 3, 2, 1]), settings())
    assert dataset.columns == ("y", "x", "wind=1", "wind=2", "wind=3")


@pytest.mark.parametrize(("fill", "expected"), [(7.0, [0, 0]), ("forward", [1, 0])])
def test_a_missing_category_is_none_or_the_last(fill, expected):
    frame = weather(["NW", None, "SE", "NW", " ", "SE"])
    dataset = dataset_from_frame(frame, settings(fill=fill))
    assert dataset.columns == ("y", "x", "wind=NW", "wind=SE")
    np.testing.assert_array_equal(dataset.values[[1, 4], 2:], [expected, expected])
    with pytest.raises(InputError, match=r"'wind=NW' \(2\).*set fill"):
        dataset_from_frame(frame, settings())


def test_first_rows_are_left_out():
    frame = weather()
    frame.loc[:1, "x"] = np.nan
    dataset = dataset_from_frame(frame, settings(first_row=2))
    whole = dataset_from_frame(frame.iloc[2:], settings())
    np.testing.assert_array_equal(dataset.values, whole.values)
    assert dataset.filled == {}


BAD = {
    "missing": (
        {"categorical": ("wnd",)},
        "'wnd' (asked for in categorical): did you mean 'wind'",
    ),
    "a feature too": ({"features": ("wind",)}, "'wind' is categorical and a target or feature too"),
    "a target too": ({"targets": ("wind",)}, "'wind' is categorical and a target or feature too"),
    "names": ({"categorical": ("name",)}, "'name' has 120 categories, where 1 to 100 are possible"),
    "clash": ({"features": ("wind=NW",)}, "'wind=NW' is listed twice in the inputs"),
    "no row": ({"first_row": 120}, "has no rows of data from row 120 on"),
    "rows": ({"first_row": 2, "features": ("gap",)}, "from row 2 on: 1 cells are missing"),
}


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_mistakes_get_one_line(changes, words):
    frame = weather(WINDS * 20)
    frame["name"] = [f"n{row}" for row in frame.index]
    frame["wind=NW"] = 1.0
    frame["gap"] = np.where(frame.index == 5, np.nan, 1.0)
    given = {"features": ("x",)} | changes
    with pytest.raises(InputError) as caught:
        dataset_from_frame(frame, settings(**given))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
