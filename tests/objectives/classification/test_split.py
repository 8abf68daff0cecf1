"""Who trains, validates and tests."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from objectives.classification.sequences import Sequences
from objectives.classification.settings import SequenceSplitSettings
from objectives.classification.split import split_hash, split_sequences
from objectives.errors import InputError


def sequences(labels: list[int], length: int = 2, stride: int | None = None) -> Sequences:
    count = len(labels)
    ends = length + np.arange(count) * (stride or length)
    return Sequences(
        values=np.zeros((int(ends[-1]), 1)),
        ends=ends,
        lengths=np.full(count, length),
        labels=np.array(labels),
        classes=("a", "b"),
        features=("x",),
        groups=None,
        official_test=None,
        times=None,
        source="here",
        stream=stride is not None,
    )


def many(count: int = 100) -> Sequences:
    return sequences([0, 0, 0, 1] * (count // 4))


def rows(found: Sequences, numbers: NDArray[np.int64]) -> set[int]:
    starts = found.ends[numbers] - found.lengths[numbers]
    return {r for s, e in zip(starts, found.ends[numbers], strict=True) for r in range(s, e)}


def test_few_sequences_are_validated_in_five_stratified_folds() -> None:
    found = many()
    split = split_sequences(found, SequenceSplitSettings(), seed=1)
    assert len(split.folds) == 5
    validated = np.concatenate([fold.validation for fold in split.folds])
    assert sorted([*validated, *split.test]) == list(range(100))
    for numbers in (split.test, *(fold.validation for fold in split.folds)):
        assert abs(found.labels[numbers].mean() - 0.25) < 0.05
    for fold in split.folds:
        assert not set(fold.train) & {*fold.validation, *split.test}


def test_many_sequences_are_validated_once() -> None:
    split = split_sequences(many(3000), SequenceSplitSettings(), seed=1)
    assert [len(split.folds[0].train), len(split.folds[0].validation), len(split.test)] == [
        2100,
        450,
        450,
    ]


def test_the_seed_decides_and_the_hash_tells_who_validates() -> None:
    one, again, other = (
        split_sequences(many(), SequenceSplitSettings(), seed) for seed in (1, 1, 2)
    )
    assert split_hash(one) == split_hash(again) != split_hash(other)


def test_an_official_test_part_is_kept() -> None:
    official = np.arange(100) >= 80
    split = split_sequences(
        replace(many(), official_test=official), SequenceSplitSettings(), seed=1
    )
    assert split.test.tolist() == list(range(80, 100))
    assert split.train_and_validation().tolist() == list(range(80))


@pytest.mark.parametrize("folds", [1, 4])
def test_no_group_is_on_both_sides(folds: int) -> None:
    groups = np.arange(100) // 5
    found = replace(many(), groups=groups)
    split = split_sequences(found, SequenceSplitSettings(folds=folds), seed=1)
    for fold in split.folds:
        sides = [set(groups[part]) for part in (fold.train, fold.validation, split.test)]
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]


@pytest.mark.filterwarnings("error")
def test_a_class_of_groups_may_be_rarer_than_the_folds() -> None:
    found = replace(sequences([0, 1, 0] * 4), groups=np.arange(12))
    split = split_sequences(found, SequenceSplitSettings(), seed=1)
    assert len(split.folds) == 5


def test_a_stream_is_cut_in_time_and_no_two_parts_share_rows() -> None:
    found = sequences([0, 1] * 50, length=6, stride=2)
    split = split_sequences(found, SequenceSplitSettings(), seed=1)
    fold = split.folds[0]
    assert fold.train.max() < fold.validation.min() <= fold.validation.max() < split.test.min()
    seen = [rows(found, part) for part in (fold.train, fold.validation, split.test)]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]
    assert len(split.test) == 15
    assert len(fold.validation) == 15


@pytest.mark.parametrize(
    ("found", "given", "message"),
    [
        (
            replace(many(), classes=("a",), labels=np.zeros(100, int)),
            {},
            "every sequence is labelled 'a'",
        ),
        (sequences([0] * 9 + [1]), {}, "class 'b' than 2: give more of them. Received: 1"),
        (
            sequences([0] * 20 + [1] * 4),
            {"folds": 5},
            r"class 'b' than 5: .*set \[split\] folds to 3\. Received: 3",
        ),
        (
            replace(many(8), official_test=np.arange(8) % 4 == 3),
            {},
            "class 'b' has test sequences, but none in the training data",
        ),
        (replace(many(), groups=np.zeros(100, int)), {}, "1 group cannot be divided into 2 parts"),
        (
            replace(sequences([0] * 10 + [1] * 10), groups=np.arange(20) // 10),
            {"folds": 1},
            "1 group cannot be divided",
        ),
        (
            replace(sequences([0, 1] * 5), groups=np.arange(10)),
            {},
            r"class 'a' than 5: .*set \[split\] folds to 4\. Received: 4",
        ),
        (
            replace(many(), official_test=np.ones(100, bool)),
            {"folds": 1},
            "class 'a' has test sequences, but none in the training data",
        ),
        (replace(many(), official_test=np.zeros(100, bool)), {}, "the test part has no sequences"),
        (sequences([0, 1] * 9, 2, 2), {"folds": 3}, "a stream without groups is cut in time"),
        (sequences([0] * 90 + [1] * 10, 2, 2), {}, "class 'b' is missing from the training part"),
    ],
)
def test_splits_that_cannot_be_are_refused_in_one_line(
    found: Sequences, given: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        split_sequences(found, SequenceSplitSettings(**given), seed=1)
