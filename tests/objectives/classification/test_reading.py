"""Labelled sequences from files: what is read, and one clear line for what cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from objectives.classification.reading import read_sequences, sequences_from_frame
from objectives.classification.sequences import Sequences
from objectives.classification.settings import SequenceSettings
from objectives.errors import InputError

TS = """#a comment
%and one of another kind
@timeStamps false
@missing true
@univariate false
@equalLength false
@classLabel true up down
@data
1,2,3:4,?,6:up
7,8:9,10:down
"""


def settings(**given: Any) -> SequenceSettings:
    return SequenceSettings(task="classification", **given)


def parts(sequences: Sequences) -> list[list[list[float]]]:
    starts = sequences.ends - sequences.lengths
    bounds = zip(starts, sequences.ends, strict=True)
    return [sequences.values[first:end].tolist() for first, end in bounds]


def long_table() -> pd.DataFrame:
    """Rows of two sequences, mixed and out of order."""
    return pd.DataFrame(
        {
            "id": ["b", "a", "a", "b", "a"],
            "time": [1, 3, 1, 2, 2],
            "x": [10.0, 3.0, 1.0, 20.0, 2.0],
            "label": ["no", "yes", "yes", "no", "yes"],
        }
    )


def test_rows_of_a_long_table_are_put_in_order_by_sequence_and_time() -> None:
    found = sequences_from_frame(long_table(), settings())
    assert parts(found) == [[[10.0], [20.0]], [[1.0], [2.0], [3.0]]]
    assert [found.classes[label] for label in found.labels] == ["no", "yes"]
    assert found.features == ("x",)
    assert found.groups is None
    assert found.official_test is None
    assert found.reach == "2 to 3 steps"
    first = long_table().query("id == 'b'")
    assert sequences_from_frame(first, settings()).reach == "2 steps"


def test_group_and_split_columns_are_taken_by_their_names() -> None:
    frame = long_table().assign(group=["s", "t", "t", "s", "t"], split="train")
    frame.loc[frame["id"] == "a", "split"] = "test"
    found = sequences_from_frame(frame, settings())
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1]
    assert found.official_test is not None
    assert found.official_test.tolist() == [False, True]


def test_ts_files_may_have_several_dimensions_unequal_lengths_and_holes(tmp_path: Path) -> None:
    path = tmp_path / "toy.ts"
    path.write_text(TS)
    found = read_sequences(settings(path=str(path), fill="interpolate"))
    assert parts(found) == [[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], [[7.0, 9.0], [8.0, 10.0]]]
    assert found.classes == ("down", "up")
    assert found.labels.tolist() == [1, 0]
    assert found.filled == 1


def test_ts_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "toy.ts"
    path.write_text("@classLabel true up\n@data\n1,2:up\n", encoding="utf-8-sig")
    assert parts(read_sequences(settings(path=str(path)))) == [[[1.0], [2.0]]]


def test_numpy_files_hold_equal_or_padded_sequences(tmp_path: Path) -> None:
    x = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    np.savez(tmp_path / "a.npz", x=x, y=np.array([10.0, 9.0]), groups=np.array([5, 6]))
    found = read_sequences(settings(path=str(tmp_path / "a.npz")))
    assert parts(found) == [[[1.0], [2.0]], [[3.0]]]
    assert found.classes == ("9", "10"), "numbers are ordered by size"
    assert found.groups is not None
    np.savez(tmp_path / "b.npz", x=x[:1, :, 0], y=np.array(["u"]))
    assert parts(read_sequences(settings(path=str(tmp_path / "b.npz")))) == [[[1.0], [2.0]]]


def test_labels_of_numpy_files_may_be_bytes(tmp_path: Path) -> None:
    labels = np.array(["run", "größer"])
    x = np.zeros((2, 3))
    np.savez(tmp_path / "a.npz", x=x, y=np.char.encode(labels, "utf-8"), groups=labels)
    np.savez(tmp_path / "b.npz", x=x, y=labels, groups=np.char.encode(labels, "utf-8"))
    found, same = (read_sequences(settings(path=str(tmp_path / f"{n}.npz"))) for n in "ab")
    assert found.classes == ("größer", "run")
    assert found.fingerprint == same.fingerprint


def test_an_official_test_set_is_laid_behind_the_training_data(tmp_path: Path) -> None:
    long_table().to_csv(tmp_path / "train.csv", index=False)
    long_table().assign(x=0.0).to_parquet(tmp_path / "test.parquet")
    found = read_sequences(
        settings(path=str(tmp_path / "train.csv"), test_path=str(tmp_path / "test.parquet"))
    )
    assert found.official_test is not None
    assert found.official_test.tolist() == [False, False, True, True]
    assert parts(found)[2:] == [[[0.0]] * 2, [[0.0]] * 3]


def test_a_stream_is_cut_into_windows_with_the_label_of_the_last_row() -> None:
    frame = pd.DataFrame({"x": np.arange(7.0), "label": list("aabbaab")})
    found = sequences_from_frame(frame, settings(timesteps=3, stride=2))
    assert parts(found) == [[[0.0], [1.0], [2.0]], [[2.0], [3.0], [4.0]], [[4.0], [5.0], [6.0]]]
    assert [found.classes[label] for label in found.labels] == ["b", "a", "b"]
    assert found.stream


def test_no_window_of_a_stream_reaches_over_two_groups() -> None:
    frame = pd.DataFrame(
        {"x": np.arange(8.0), "label": list("abababab"), "group": [1] * 5 + [2] * 3}
    )
    found = sequences_from_frame(frame, settings(timesteps=3))
    assert found.ends.tolist() == [3, 8]
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1]


def test_ids_are_no_inputs_of_a_stream_unless_asked_for() -> None:
    frame = pd.DataFrame({"id": range(4), "x": np.arange(4.0), "label": list("abab")})
    assert sequences_from_frame(frame, settings(timesteps=2)).features == ("x",)
    asked = settings(timesteps=2, features=("id", "x"))
    assert sequences_from_frame(frame, asked).features == ("id", "x")


def test_each_sequence_may_be_a_group_and_so_may_each_id_of_a_stream() -> None:
    whole = sequences_from_frame(long_table(), settings(group="id"))
    assert whole.groups is not None
    assert whole.groups.tolist() == [0, 1]
    ordered = long_table().sort_values("id").drop(columns="time")
    stream = sequences_from_frame(ordered, settings(group="id", timesteps=2))
    assert stream.ends.tolist() == [2, 5]


@pytest.mark.parametrize(("fill", "wanted"), [("forward", 1.0), ("interpolate", 1.5), (0.0, 0.0)])
def test_holes_are_filled_within_their_sequence(fill: Any, wanted: float) -> None:
    frame = pd.DataFrame({"id": [1, 1, 1], "x": [1.0, None, 2.0], "label": ["a"] * 3})
    found = sequences_from_frame(frame, settings(fill=fill))
    assert found.values[1, 0] == wanted
    assert found.filled == 1


@pytest.mark.parametrize("fill", ["forward", "interpolate"])
def test_a_leading_hole_is_not_filled_from_the_sequence_before(fill: Any) -> None:
    frame = pd.DataFrame({"id": [1, 2, 2], "x": [1.0, None, 2.0], "label": ["a", "b", "b"]})
    with pytest.raises(InputError, match=r"id 2, step 0, column 'x': the first value"):
        sequences_from_frame(frame, settings(fill=fill))


def changed(**columns: Any) -> pd.DataFrame:
    return long_table().assign(**columns)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (changed(label=["no", "yes", "no", "no", "yes"]), {}, "id 'a' has two values of 'label'"),
        (changed(label=["no", "no", None, "no", "yes"]), {}, "has no 'label' in row 2: give every"),
        (changed(label=["no", None, None, "no", None]), {}, "row 2: the label is missing"),
        (changed(id=["b", "a", None, "b", "a"]), {}, "column 'id', row 2: no id"),
        (changed(time=[1, 1, 1, 2, 2]), {}, "column 'time', row 2: id 'a' has 1 twice"),
        (changed(time=[1, 1, None, 2, 2]), {}, "column 'time', row 2: no time"),
        (changed(x=["1", "2", "3", "4", "five"]), {"features": ("x",)}, "expected a number"),
        (changed(x=[1.0, np.inf, 2.0, 3.0, 4.0]), {}, "the first in id 'a', step 2, column 'x'"),
        (
            changed(split=["train", "test", "test", "train", "test"], group="Ann"),
            {},
            "the official split divides group 'Ann': 1 of its sequences train, 1 are test ones",
        ),
        (changed(split="valid"), {}, "expected train or test, received 'valid'"),
        (changed(), {"label": "class"}, "no column 'class': name the label column"),
        (changed(), {"id": "case"}, "no column 'case': name the id column in"),
        (changed(), {"features": ("y",)}, r"no column 'y' \(asked for in features\)"),
        (
            changed(label=[0, 1, 1, 0, 1]),
            {"features": ("x", "label")},
            r"column 'label' \(asked for in features\) is the label, not an input: leave it out",
        ),
        (changed(), {"features": ("x", "time")}, "is the time, not an input"),
        (changed(id=[2, 1, 1, 2, 1]), {"features": ("id",)}, "is the id, not an input"),
        (changed(), {"label": "id"}, "column 'id' is both the label and the id: name another one"),
        (changed(), {"label": "x", "time": "x"}, "column 'x' is both the label and the time"),
        (changed(group="s"), {"label": "group"}, "'group' is both the label and the group"),
        (changed(), {"text": "label"}, "column 'label' is both the text and the label"),
        (changed().drop(columns="x"), {}, "has no columns of numbers beside"),
        (changed().sort_values("time"), {"timesteps": 9}, "is not later than"),
        (
            changed().drop(columns="time"),
            {"timesteps": 9},
            "the longest recording has 5 rows, .* windows shorter$",
        ),
        (
            changed(group=["s", "t", "s", "t", "s"]).drop(columns="time"),
            {"timesteps": 2},
            "the longest recording has 1 rows, .* or sort the rows by 'group', then by time",
        ),
        (long_table().head(0), {}, "DataFrame: has no rows of data"),
        (long_table().head(0), {"timesteps": 2}, "DataFrame: has no rows of data"),
        (long_table().head(0), {"text": "id"}, "DataFrame: has no rows of data"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_in_one_line(
    frame: pd.DataFrame, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        sequences_from_frame(frame, settings(**given))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", "it has no line @data"),
        (TS.replace("down\n", "\n", 2), "line 10: no class label"),
        (TS.replace("@classLabel true up down", "@classLabel false"), "no class labels"),
        (TS.replace("@timeStamps false", "@timeStamps true"), "time stamps in .ts files"),
        (TS.replace("9,10", "9"), "line 10: the dimensions of a case must be equally long"),
        (TS.replace("7,8:9,10", "7,8"), "line 10 has 1 dimensions where the first case has 2"),
        (TS.replace("7,8:9,10", ":"), "line 10 has no steps"),
        (TS.replace("8", "eight"), "line 10: expected a number or \\?, received 'eight'"),
        (TS.split("1,2,3", maxsplit=1)[0], "has no cases after @data"),
        (TS, "line 9, step 1, column 'dimension_2': set fill"),
    ],
)
def test_ts_files_that_cannot_be_used_are_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "toy.ts"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_sequences(settings(path=str(path)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": [1]}, "has no array 'x'"),
        ({"x": np.zeros((2, 3)), "y": [1]}, r"y must hold one entry for each of 2 samples"),
        ({"x": np.zeros(3), "y": [1, 2, 3]}, r"Received: float64 \(3,\)"),
        ({"x": np.full((1, 3), np.nan), "y": [1]}, "sample 0 has no steps"),
        ({"x": np.zeros((1, 3)), "y": [np.nan]}, "y, sample 0: the label is missing"),
        ({"x": np.zeros((1, 3)), "y": [b"\xff"]}, "y holds bytes that are no UTF-8"),
        (
            {"x": np.zeros((2, 3)), "y": [1, 2], "groups": [1, np.nan]},
            "groups, sample 1: no value: give every sample one",
        ),
        (
            {"x": np.zeros((1, 3)), "y": np.array([None])},
            "cannot be read as an .npz file of numbers",
        ),
    ],
)
def test_numpy_files_that_cannot_be_used_are_refused_in_one_line(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **{name: np.asarray(value) for name, value in arrays.items()})
    with pytest.raises(InputError, match=message):
        read_sequences(settings(path=str(tmp_path / "a.npz")))


def test_files_of_unlike_inputs_are_refused(tmp_path: Path) -> None:
    long_table().to_csv(tmp_path / "train.csv", index=False)
    long_table().rename(columns={"x": "z"}).to_csv(tmp_path / "test.csv", index=False)
    given = settings(path=str(tmp_path / "train.csv"), test_path=str(tmp_path / "test.csv"))
    with pytest.raises(InputError, match=r"has the inputs 'z', but .* has 'x'"):
        read_sequences(given)


def test_the_fingerprint_tells_labels_apart_but_not_file_formats(tmp_path: Path) -> None:
    frame = long_table()
    frame.to_csv(tmp_path / "a.csv", index=False)
    from_file = read_sequences(settings(path=str(tmp_path / "a.csv")))
    assert from_file.fingerprint == sequences_from_frame(frame, settings()).fingerprint
    other = frame.assign(label=["yes", "no", "no", "yes", "no"])
    assert from_file.fingerprint != sequences_from_frame(other, settings()).fingerprint
