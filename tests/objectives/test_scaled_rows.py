"""Scaled rows: the scaling of the rows it is fitted on, in one file that every trial maps."""

import numpy as np

from objectives.scaling import fit_scaling
from objectives.split import Part
from objectives.trials.scaled_rows import scaled_rows


def rows_up_to(end: int, first: int = 0) -> Part:
    return Part("train", first, end, np.arange(first, end))


def test_they_are_the_rows_scaled_by_the_first_ones_alone(make_task):
    task = make_task()
    values = task.load_rows()
    scaling, rows = scaled_rows(task, "min-max", rows_up_to(100))
    expected = fit_scaling("min-max", values[:100])
    np.testing.assert_array_equal(scaling.center, expected.center)
    np.testing.assert_array_equal(rows, expected.apply(values))


def test_they_are_written_once_and_mapped_by_whoever_comes_later(make_task):
    task = make_task()
    scaled_rows(task, "standard", rows_up_to(90))
    path = task.rows.with_name(f"{task.rows.stem}_standard_0_90.npy")
    written = path.stat().st_mtime_ns
    _, rows = scaled_rows(task, "standard", rows_up_to(90))
    assert path.stat().st_mtime_ns == written
    assert isinstance(rows, np.memmap)
    rows[:] = 0  # a trial cannot change what others see
    assert np.load(path, mmap_mode="r").any()
    assert not list(path.parent.glob("unfinished*"))


def test_another_share_of_rows_is_another_file(make_task):
    task = make_task()
    first, second = (scaled_rows(task, "standard", rows_up_to(fitted))[1] for fitted in (60, 120))
    assert not np.array_equal(first, second)


def test_rows_before_the_part_play_no_role(make_task):
    task = make_task()
    scaling, _ = scaled_rows(task, "standard", rows_up_to(120, first=60))
    expected = fit_scaling("standard", task.load_rows()[60:120])
    np.testing.assert_array_equal(scaling.center, expected.center)
