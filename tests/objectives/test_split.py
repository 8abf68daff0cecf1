"""Targets are fixed by the split and the largest timesteps, and every part has enough rows."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from objectives.data.dataset import read_dataset
from objectives.errors import InputError
from objectives.settings import DataSettings, SplitSettings
from objectives.split import Part, cut, target_hash

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HOURS = pd.date_range("2024-01-01", periods=1000, freq="h")


def data(horizon: int = 1, stride: int = 1) -> DataSettings:
    return DataSettings(targets=("y",), horizon=horizon, stride=stride)


def borders(split):
    return [(part.first, part.end) for part in (split.train, split.validation, split.test)]


@pytest.mark.parametrize(
    ("file", "time", "target", "sizes", "horizon", "windows"),
    [
        ("ETTh1.csv", "date", "OT", (8640, 2880, 2880), 24, 2857),
        ("nyc_jfk_2013.csv", "time", "temp", (6112, 1310, 1308), 6, 1303),
    ],
)
def test_published_splits(file, time, target, sizes, horizon, windows):
    if not (DATA / file).exists():
        pytest.skip(f"{DATA / file} is not part of the repository")
    settings = DataSettings(path=file, time=time, targets=(target,), horizon=horizon)
    dataset = read_dataset(settings, DATA)
    train, validation, test = sizes
    sizes = SplitSettings(train=train, validation=validation, test=test)
    split = cut(len(dataset.values), sizes, settings, 96, dataset.times)
    assert len(split.test.origins) == windows
    assert split.test.origins[0] == train + validation
    assert split.test.origins[-1] + horizon == train + validation + test


def test_targets_of_a_part_lie_inside_it_and_inputs_reach_back():
    split = cut(1000, SplitSettings(), data(horizon=5), 48, None)
    assert [part.origins[0] for part in (split.train, split.validation, split.test)] == [
        48,
        700,
        850,
    ]
    for part in (split.train, split.validation, split.test):
        assert part.origins[-1] + 5 == part.end
        assert (np.diff(part.origins) == 1).all()
        assert part.origins.dtype == np.int64


def test_stride_spaces_the_origins():
    split = cut(1000, SplitSettings(), data(horizon=5, stride=24), 48, None)
    assert split.validation.origins.tolist() == [700, 724, 748, 772, 796, 820, 844]
    assert split.train_and_validation().origins[:3].tolist() == [48, 72, 96]


@pytest.mark.parametrize("rows", [101, 103, 997, 1000, 8730])
@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.15), (0.6, 0.3, 0.1), (0.35, 0.35, 0.3)])
def test_shares_that_add_up_to_one_tile_all_rows(rows, shares):
    settings = SplitSettings(train=shares[0], validation=shares[1], test=shares[2])
    cuts = borders(cut(rows, settings, data(), 10, None))
    assert cuts[0] == (0, round(shares[0] * rows))
    assert cuts[-1][1] == rows
    assert all(before[1] == after[0] for before, after in pairwise(cuts))


def test_shares_below_one_leave_the_last_rows_unused():
    settings = SplitSettings(train=0.5, validation=0.2, test=0.1)
    assert borders(cut(1000, settings, data(), 10, None)) == [(0, 500), (500, 700), (700, 800)]


def test_numbers_of_rows_keep_their_lengths_around_the_gap():
    settings = SplitSettings(train=500, validation=200, test=100, gap=24)
    assert borders(cut(1000, settings, data(), 10, None)) == [(0, 500), (524, 724), (748, 848)]


def test_the_gap_comes_off_the_earlier_part_where_the_later_one_has_its_place():
    shares = borders(cut(1000, SplitSettings(gap=24), data(), 10, None))
    assert shares == [(0, 676), (700, 826), (850, 1000)]
    dates = SplitSettings(validation_from="2024-01-30", test_from="2024-02-05", gap=24)
    cuts = borders(cut(1000, dates, data(), 10, HOURS))
    assert cuts == [(0, 29 * 24 - 24), (29 * 24, 35 * 24 - 24), (35 * 24, 1000)]


def test_two_gaps_lie_before_validation_and_before_the_test():
    rows = SplitSettings(train=500, validation=200, test=100, gap=(0, 24))
    assert borders(cut(1000, rows, data(), 10, None)) == [(0, 500), (500, 700), (724, 824)]
    shares = SplitSettings(gap=(24, 0))
    assert borders(cut(1000, shares, data(), 10, None)) == [(0, 676), (700, 850), (850, 1000)]
    folds = cut(1000, SplitSettings(gap=(6, 24), folds=2), data(), 10, None).folds
    assert [fold.validation.end for fold in folds] == [826 - 126 - 6, 826]
    with pytest.raises(InputError, match=r"gaps of 0 and 240\), but the data have 1000"):
        cut(1000, rows.model_copy(update={"gap": (0, 240)}), data(), 10, None)


def test_rows_that_do_not_suffice_are_counted_with_both_gaps():
    settings = SplitSettings(train=700, validation=200, test=100, gap=24)
    with pytest.raises(InputError, match=r"1048 rows .*have 1000"):
        cut(1000, settings, data(), 10, None)


def test_dates_name_the_first_rows_of_parts_and_the_first_row_after_the_test():
    settings = SplitSettings(
        validation_from="2024-01-30", test_from="2024-02-05 12:00", test_until="2024-02-07"
    )
    cuts = borders(cut(1000, settings, data(), 10, HOURS))
    assert cuts == [(0, 696), (696, 852), (852, 888)]


def test_the_test_part_may_end_with_the_data():
    settings = SplitSettings(
        validation_from="2024-01-30", test_from="2024-02-05", test_until=str(HOURS[-1] + HOURS.freq)
    )
    assert borders(cut(1000, settings, data(), 10, HOURS))[-1] == (840, 1000)


@pytest.mark.parametrize("text", ["2024-01-30", "2024-01-30T00:00Z", "2024-01-30T01:00+01:00"])
def test_dates_for_aware_timestamps_are_taken_as_utc(text):
    settings = SplitSettings(validation_from=text, test_from="2024-02-05")
    assert cut(1000, settings, data(), 10, HOURS.tz_localize("UTC")).validation.first == 696


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (("2023-12-31", "2024-02-05", None), "validation_from = '2023-12-31' lies outside"),
        (("2024-01-01", "2024-02-05", None), "validation_from = '2024-01-01' lies outside"),
        (("2024-01-30", "2025-02-05", None), "test_from = '2025-02-05' lies outside"),
        (("2024-01-30", "2024-02-05", "2025-01-01"), "test_until = '2025-01-01' lies outside"),
        (("2024-02-05", "2024-01-30", None), "test_from must be later than validation_from"),
        (("2024-01-30", "2024-02-05", "2024-02-05"), "test_until must be later than test_from"),
        (("2024-13-30", "2024-02-05", None), "validation_from: expected a date"),
        (("30/01/2024", "2024-02-05", None), "validation_from: expected a date such as 2024-01-31"),
        (("2024-01-30T00:00Z", "2024-02-05", None), "validation_from = .* has a UTC offset"),
    ],
)
def test_bad_dates_get_one_line(dates, words):
    validation_from, test_from, test_until = dates
    settings = SplitSettings(
        validation_from=validation_from, test_from=test_from, test_until=test_until
    )
    with pytest.raises(InputError, match=words) as caught:
        cut(1000, settings, data(), 10, HOURS)
    assert "\n" not in str(caught.value)


def test_dates_need_timestamps():
    settings = SplitSettings(validation_from="2024-01-30", test_from="2024-02-05")
    with pytest.raises(InputError, match=r"\[data\] time"):
        cut(1000, settings, data(), 10, None)


@pytest.mark.parametrize(
    ("sizes", "timesteps", "horizon", "message"),
    [
        (
            (50, 40, 40),
            96,
            24,
            "the train part has 50 rows, too few for timesteps 96 + horizon 24: "
            "the largest timesteps that fits is 26",
        ),
        (
            (20, 40, 40),
            96,
            24,
            "the train part has 20 rows, too few for timesteps 96 + horizon 24: "
            "no timesteps fits, and with timesteps 1 the largest horizon is 19",
        ),
        (
            (300, 10, 40),
            96,
            24,
            "the validation part has 10 rows, too few for horizon 24: "
            "the largest horizon that fits is 10",
        ),
        (
            (300, 40, 23),
            96,
            24,
            "the test part has 23 rows, too few for horizon 24: the largest horizon that fits is 23",
        ),
    ],
)
def test_too_few_rows_say_what_fits(sizes, timesteps, horizon, message):
    train, validation, test = sizes
    settings = SplitSettings(train=train, validation=validation, test=test)
    with pytest.raises(InputError) as caught:
        cut(400, settings, data(horizon), timesteps, None)
    assert str(caught.value) == message


def test_what_is_said_to_fit_fits_and_one_more_does_not():
    settings = SplitSettings(train=50, validation=40, test=40)
    assert len(cut(400, settings, data(24), 26, None).train.origins) == 1
    with pytest.raises(InputError, match="largest timesteps that fits is 26"):
        cut(400, settings, data(24), 27, None)


def test_a_gap_that_swallows_a_part_is_named():
    with pytest.raises(InputError, match=r"train part has 0 rows \(with gaps of 800 and 800\)"):
        cut(1000, SplitSettings(gap=800), data(), 10, None)


def test_the_refit_takes_the_gap_and_the_windows_over_the_old_border():
    split = cut(1000, SplitSettings(gap=24), data(horizon=5), 48, None)
    part = split.train_and_validation()
    assert (part.first, part.end) == (0, 826)
    assert part.origins.tolist() == list(range(48, 822))


def test_the_hash_tells_targets_apart_and_nothing_else():
    split = cut(1000, SplitSettings(), data(horizon=5), 48, None)
    same = Part("another name", 0, 9999, split.validation.origins.astype(np.int32))
    assert target_hash(split.validation, 5) == target_hash(same, 5)
    assert target_hash(split.validation, 5) != target_hash(split.validation, 6)
    assert target_hash(split.validation, 5) != target_hash(split.test, 5)
    longer = cut(1000, SplitSettings(), data(horizon=5), 96, None)
    assert target_hash(longer.validation, 5) == target_hash(split.validation, 5)
    assert target_hash(longer.train, 5) != target_hash(split.train, 5)
    assert len(target_hash(split.test, 5)) == 64
