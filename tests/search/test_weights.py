"""Weights of trials in files: what was saved comes back, and nothing else is read."""

import numpy as np
import pytest

from search.weights import load_weights, save_weights


def some_weights(count: int) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(count)
    shapes = [(3, 4), (7,), (2, 3, 4)]
    return tuple(
        generator.normal(size=shapes[index % 3]).astype(np.float32) for index in range(count)
    )


@pytest.mark.parametrize("count", [1, 3, 23])
def test_weights_come_back_in_their_order(tmp_path, count):
    # with more than ten, "arr_10" comes before "arr_2" in the alphabet
    weights = some_weights(count)
    save_weights(tmp_path, 4, weights)
    loaded = load_weights(tmp_path, 4)
    assert loaded is not None
    assert len(loaded) == count
    for ours, theirs in zip(loaded, weights, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs)


def test_each_trial_has_its_own_and_there_are_none_of_others(tmp_path):
    save_weights(tmp_path, 1, some_weights(2))
    save_weights(tmp_path, 11, some_weights(3))
    assert len(load_weights(tmp_path, 1)) == 2
    assert len(load_weights(tmp_path, 11)) == 3
    assert load_weights(tmp_path, 2) is None
    assert load_weights(tmp_path / "elsewhere", 1) is None


def test_saving_again_replaces_and_leaves_one_file(tmp_path):
    save_weights(tmp_path, 1, some_weights(3))
    save_weights(tmp_path, 1, some_weights(2))
    assert len(load_weights(tmp_path, 1)) == 2
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["trial_1.npz"]


def test_a_half_written_file_is_not_taken_for_weights(tmp_path):
    # the third array cannot be written: what comes before it is in the file already
    with pytest.raises(ValueError, match=r"pickle|[oO]bject"):
        save_weights(tmp_path, 1, (*some_weights(2), np.array([{}], dtype=object)))
    assert load_weights(tmp_path, 1) is None


def test_pickled_contents_are_refused(tmp_path):
    (tmp_path / "weights").mkdir()
    np.savez(tmp_path / "weights" / "trial_1.npz", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_weights(tmp_path, 1)
