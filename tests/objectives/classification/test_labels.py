"""Labels and groups as texts, and the order of classes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from objectives.classification.labels import number_labels
from objectives.classification.reading import read_sequences
from objectives.classification.settings import SequenceSettings
from objectives.errors import InputError

LONG_TABLE = pd.DataFrame({"id": [1, 1, 2, 2], "x": 0.0, "label": ["a", "a", "b", "b"]})


def test_a_group_on_both_sides_is_found_where_only_one_file_has_decimal_points(
    tmp_path: Path,
) -> None:
    LONG_TABLE.assign(group=1).to_csv(tmp_path / "train.csv", index=False)
    LONG_TABLE.assign(group=1.0).to_csv(tmp_path / "test.csv", index=False)
    arrays = {"x": np.zeros((2, 3)), "y": [1, 2]}
    np.savez(tmp_path / "train.npz", groups=[1, 2], **arrays)
    np.savez(tmp_path / "test.npz", groups=[1.0, 3.0], **arrays)
    for kind in ("csv", "npz"):
        train, test = (str(tmp_path / f"{name}.{kind}") for name in ("train", "test"))
        with pytest.raises(InputError, match="the official split divides group '1': "):
            read_sequences(SequenceSettings(task="classification", path=train, test_path=test))


def test_days_are_the_same_groups_as_texts_and_as_timestamps(tmp_path: Path) -> None:
    frame = LONG_TABLE.assign(group=pd.Timestamp("2024-01-31"))
    frame.to_parquet(tmp_path / "train.parquet")
    frame.to_csv(tmp_path / "test.csv", index=False)
    train, test = str(tmp_path / "train.parquet"), str(tmp_path / "test.csv")
    with pytest.raises(InputError, match="the official split divides group '2024-01-31'"):
        read_sequences(SequenceSettings(task="classification", path=train, test_path=test))


# So many that a set of them is in order by chance in none of a thousand million runs.
@pytest.mark.parametrize(
    "wanted",
    [
        [f"{sign}{number}" for number in range(40) for sign in ("+", "")],
        [*sorted(str(number) for number in range(40)), "nan"],
        [*(str(number) for number in range(40)), "inf"],
    ],
)
def test_the_order_of_classes_does_not_depend_on_hashes(wanted: list[str]) -> None:
    classes, labels = number_labels(wanted[::-1])
    assert classes == tuple(wanted)
    assert labels.tolist() == list(range(len(wanted)))[::-1]
