"""`lstm-search init`: what is seen in a table, and the study file that is written for it."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from objectives.errors import InputError
from search.commands.init import execute
from search.preparation import Preparation, prepare
from search.study import Study, load_study

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
ODD_NAMES = (
    'say "hi"', "it's", "großes Maß °C", "a.b.c", " two  spaces ", "tab\there", "line\nbreak", "del\x7f",
    "back\\slash", "# hash", "[bold]x[/bold]", "x = 1", "温度😀", "",
)  # fmt: skip


def hourly(rows: int = 1000) -> pd.DataFrame:
    """Make a table of hours with a daily season, in the last column and only there."""
    random = np.random.default_rng(0)
    hours = np.arange(rows)
    return pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "wind": random.normal(size=rows),
            "site": "Kiel",
            "load": np.sin(hours * 2 * np.pi / 24) + 0.1 * random.normal(size=rows),
        }
    )


def init(frame: pd.DataFrame, folder: Path, *targets: str, **options: object) -> Path:
    """Write the table as CSV and a study file for it, and return the latter."""
    data = folder / "power.csv"
    frame.to_csv(data, index=False)
    out = folder / "power.toml"
    return init_file(data, out, *targets, **options)


def init_file(data: Path, out: Path, *targets: str, **options: object) -> Path:
    """Write a study file for a table in a file, and return its path."""
    settings = {"time": None, "horizon": None, "force": False, **options}
    assert execute(data, targets, out=out, **settings) == 0
    return out


def loaded(path: Path) -> tuple[Study, Preparation]:
    """Load a study file and prepare its data as `lstm-search run` does."""
    study = load_study(path)
    return study, prepare(study)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """Join the explaining comments of a file to one line."""
    lines = text_of(path).split("\n")
    return " ".join(line[2:] for line in lines if re.match(r"# \S", line))


def uncommented(text: str) -> str:
    """Put every unused setting into effect."""
    return re.sub(r"^#(?=[a-z_0-9]+ = )", "", text, flags=re.MULTILINE)


def alternatives(text: str) -> list[str]:
    """Find the blocks of lines that could stand in the place of others."""
    blocks = re.findall(r"(?:^#    .*\n)+", text, flags=re.MULTILINE)
    return [re.sub(r"^#    ", "", block, flags=re.MULTILINE) for block in blocks]


def test_file_loads_with_what_was_seen(tmp_path: Path) -> None:
    path = init(hourly(), tmp_path)

    study, preparation = loaded(path)

    assert study.data.time == "when"
    assert study.data.targets == ("load",)
    assert study.data.features == ("wind", "load")
    assert study.data.horizon == 6
    assert study.data.fill == "none"
    assert study.data.season is None
    assert preparation.season == 24
    assert study.study.name == "power"


def test_comments_say_what_the_reader_must_know(tmp_path: Path) -> None:
    path = init(hourly(), tmp_path)

    prose = prose_of(path)

    assert "1 hour from row to row, 2024-01-01 00:00:00 to 2024-02-11 15:00:00." in prose
    assert '"load", since it is the last column of numbers that vary' in prose
    assert 'Left out: "site" (not numbers).' in prose
    assert "No timestamp and no cell is missing." in prose
    assert "#season = 24  # rows (1 day)" in text_of(path)
    assert "horizon = 6  # rows to forecast (6 hours)" in text_of(path)


def test_report_says_what_was_seen_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = hourly().drop(index=[5, 6])
    frame.loc[100, "wind"] = np.nan

    path = init(frame, tmp_path, "load")

    printed = capsys.readouterr().out
    assert "998 rows, 2 columns of numbers" in printed
    assert "column 'when', 2024-01-01 00:00:00 to" in printed
    assert "step 1 hour" in printed
    assert "Missing timestamps: 2, the first 2024-01-01 05:00:00" in printed
    assert '"wind" 1 (first: row 98, 2024-01-05 04:00:00)' in printed
    assert f"Next: lstm-search run {path}" in printed
    assert 'Left out: "site" (not numbers)' in printed
    assert "since it is the last" not in printed


def test_columns_of_kinds_and_the_time_of_day_are_proposed_as_inputs(tmp_path: Path) -> None:
    frame = hourly().assign(sky=["clear", "cloudy"] * 500, log=[f"entry {n}" for n in range(1000)])
    path = init(frame, tmp_path, "load")
    assert '"sky" (text, which categorical takes), "log" (not numbers)' in prose_of(path)
    text = text_of(path).replace("#categorical", "categorical").replace("#calendar", "calendar")
    path.write_text(text, encoding="utf-8")
    columns = loaded(path)[1].dataset.columns
    assert {"sky=clear", "sky=cloudy", "day_sin1"} <= set(columns)


def test_split_dates_lie_at_70_and_85_percent(tmp_path: Path) -> None:
    study, preparation = loaded(init(hourly(), tmp_path))

    # rows 700 and 850 are at 04:00 and 10:00: midnight is nearer than 1 % of 1,000 rows
    assert study.split.validation_from == "2024-01-30"
    assert study.split.test_from == "2024-02-05"
    assert preparation.split.validation.first == 696
    assert preparation.split.test.first == 840


def test_split_dates_keep_their_time_of_day_where_midnight_is_far(tmp_path: Path) -> None:
    study, preparation = loaded(init(hourly(100), tmp_path))

    assert study.split.validation_from == "2024-01-03 22:00:00"
    assert study.split.test_from == "2024-01-04 13:00:00"
    assert preparation.split.validation.first == 70


def test_every_key_of_a_study_is_in_the_file(tmp_path: Path) -> None:
    sections = tomllib.loads(uncommented(text_of(init(hourly(), tmp_path))))
    blocks = tomllib.loads(alternatives(text_of(tmp_path / "power.toml"))[0])

    assert set(sections) == set(Study.model_fields)
    for name, keys in sections.items():
        known = set(Study.model_fields[name].annotation.model_fields)  # type: ignore[union-attr]
        assert set(keys) | (set(blocks) if name == "split" else set()) == known


@pytest.mark.parametrize("with_times", [True, False])
def test_every_commented_setting_may_be_uncommented(tmp_path: Path, with_times: bool) -> None:
    frame = hourly() if with_times else hourly().drop(columns="when")
    text = text_of(init(frame, tmp_path))
    changed = tmp_path / "changed.toml"

    unused = re.findall(r"^#[a-z_0-9]+ = .*$", text, flags=re.MULTILINE)
    assert len(unused) > 25
    for line in [None, *unused]:
        replaced = uncommented(text) if line is None else text.replace(line, line[1:])
        changed.write_text(replaced, encoding="utf-8")
        study, preparation = loaded(changed)
        assert preparation.season == 24
    assert study.output.directory == "runs"


def test_every_commented_setting_is_explained(tmp_path: Path) -> None:
    lines = text_of(init(hourly(), tmp_path)).split("\n")

    # a key of [training] without a word: describe it in search/proposal/study_template.py
    assert not [line for line in lines if re.match(r"#[a-z_0-9]+ = ", line) and "  # " not in line]


def test_defaults_shown_are_the_defaults(tmp_path: Path) -> None:
    path = init(hourly(), tmp_path)
    shown = tomllib.loads(uncommented(text_of(path)))
    defaults = load_study(path).model_dump(mode="json")

    examples = {
        "name",
        "storage",
        "timeout",
        "workers",
        "share_gpu",
        "until",
        "no_improvement",
        "enqueue",
        "artifacts",
        "scheduler",
    }
    for section in ("study", "training", "output"):
        for key, value in shown[section].items():
            assert key in examples or value == defaults[section][key], key


@pytest.mark.parametrize("with_times", [True, False])
def test_alternative_splits_are_valid_in_the_place_of_the_first(
    tmp_path: Path, with_times: bool
) -> None:
    frame = hourly() if with_times else hourly().drop(columns="when")
    text = text_of(init(frame, tmp_path))
    changed = tmp_path / "changed.toml"

    blocks = alternatives(text)
    assert len(blocks) == (2 if with_times else 1)
    for block in blocks:
        head, rest = text.split("[split]")
        changed.write_text(f"{head}[split]\n{block}\n[space]{rest.split('[space]')[1]}")
        study, preparation = loaded(changed)
        assert not study.split.by_date
        split = preparation.split
        sizes = [part.end - part.first for part in (split.train, split.validation, split.test)]
        assert sum(sizes) == 1000


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_odd_column_names_survive(tmp_path: Path, name: str, suffix: str) -> None:
    if name == "" and suffix == "csv":
        pytest.skip("a CSV column without a name is never a feature")
    frame = hourly(200).rename(columns={"load": name, "when": f"{name} at", "site": f"{name} of"})
    data = tmp_path / f"odd.{suffix}"
    if suffix == "csv":
        frame.to_csv(data, index=False)
    else:
        frame.to_parquet(data)

    study, preparation = loaded(init_file(data, tmp_path / "odd.toml", name))

    assert study.data.targets == (name,)
    assert study.data.time == f"{name} at"
    assert preparation.dataset.targets == (name,)
    tomllib.loads(uncommented(text_of(tmp_path / "odd.toml")))


def test_many_columns_are_listed_one_a_line(tmp_path: Path) -> None:
    frame = hourly(200).drop(columns="site")
    wide = {f"a sensor with a long name {i}": frame["wind"] + i for i in range(30)}
    study, _ = loaded(init(pd.concat([frame, pd.DataFrame(wide)], axis=1), tmp_path, "load"))

    assert study.data.features == ("wind", "load", *wide)
    assert '\n    "a sensor with a long name 7",\n' in text_of(tmp_path / "power.toml")


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


def test_a_hole_in_the_first_row_is_filled_by_a_number_and_told(tmp_path: Path) -> None:
    frame = hourly()
    frame.loc[:3, "wind"] = np.nan

    path = init(frame, tmp_path)

    assert loaded(path)[0].data.fill == 0.0
    assert '"wind" 4 (first: row 0, 2024-01-01 00:00:00).' in prose_of(path)
    assert "Better: remove the first rows and write forward." in prose_of(path)


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


def test_path_leads_from_the_study_file_to_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw data").mkdir()
    (tmp_path / "studies").mkdir()
    hourly().to_csv(tmp_path / "raw data" / "power.csv", index=False)
    monkeypatch.chdir(tmp_path)

    path = init_file(Path("raw data/power.csv"), Path("studies/first.toml"))
    assert tomllib.loads(text_of(path))["data"]["path"] == "../raw data/power.csv"

    moved = shutil.move(tmp_path, tmp_path.with_name(f"{tmp_path.name}-moved"))
    monkeypatch.chdir("/")
    loaded(Path(moved) / "studies" / "first.toml")


def test_default_file_is_named_after_the_data_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    hourly().to_csv(tmp_path / "my größe.csv", index=False)
    monkeypatch.chdir(tmp_path / "here")

    assert execute(tmp_path / "my größe.csv", (), None, None, None, False) == 0

    study, _ = loaded(tmp_path / "here" / "my größe.toml")
    assert study.study.name == "my-gr-e"  # what its file is called cannot be a study's name


def test_existing_file_is_left_alone_without_force(tmp_path: Path) -> None:
    out = tmp_path / "power.toml"
    out.write_text("precious")

    with pytest.raises(InputError, match=r"power\.toml: exists already: replace it with --force"):
        init(hourly(), tmp_path)
    assert out.read_text() == "precious"

    loaded(init(hourly(), tmp_path, force=True))


def test_force_does_not_replace_the_data(tmp_path: Path) -> None:
    data = tmp_path / "power.csv"
    hourly().to_csv(data, index=False)
    before = data.read_bytes()

    with pytest.raises(InputError, match="is the data file itself"):
        init_file(data, data, force=True)
    assert data.read_bytes() == before


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[[0, 2, 1, *range(3, len(frame))]]


@pytest.mark.parametrize(
    ("frame", "targets", "options", "message"),
    [
        (hourly(19), (), {}, "19 rows, too few"),
        (hourly(), ("laod",), {}, "no column 'laod'.*did you mean 'load'"),
        (hourly(), ("site",), {}, "'site', row 0: expected a number, received 'Kiel'"),
        (hourly(), ("load", "load"), {}, "'load' is listed twice in targets"),
        (hourly(), (), {"time": "whn"}, "no column 'whn' .asked for in time.*'when'"),
        (hourly(), (), {"time": "wind"}, "'wind', row 0: expected a timestamp"),
        (hourly(), (), {"horizon": 0}, "--horizon: must be at least 1 row. Received: 0"),
        (hourly(), (), {"horizon": 170}, "largest horizon that fits"),
        (hourly(), (), {"horizon": 100_000}, "too few for timesteps 1 . horizon 100000"),
        (
            hourly()[["when", "site"]],
            (),
            {},
            "numbers .'site' begins with 'Kiel'., so there is nothing",
        ),
        (hourly().assign(wind=1, load=2), (), {}, "no column of numbers varies"),
        (shuffled(hourly()), (), {}, "row 2: the timestamp 2024-01-01 01:00:00 is earlier"),
        (pd.concat([hourly(), hourly().tail(1)]), (), {}, "is that of row 999 too"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    tmp_path: Path,
    frame: pd.DataFrame,
    targets: tuple[str, ...],
    options: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        init(frame, tmp_path, *targets, **options)

    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["power.csv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"PAR1nonsense", "Parquet"),
        (b"a\xff,b\n1,2", "UTF-8"),
        (b"2024-01-01,1.5\n" + b"2024-01-02,-2\n" * 30, "'1.5': write a header above it"),
    ],
)
def test_unreadable_files_get_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    data = tmp_path / "data.csv"
    if content is not None:
        data.write_bytes(content)

    with pytest.raises(InputError, match=message) as caught:
        init_file(data, tmp_path / "out.toml")

    assert str(caught.value).startswith(str(data))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.toml").exists()


def test_places_that_cannot_be_written_get_one_line(tmp_path: Path) -> None:
    data = tmp_path / "power.csv"
    hourly().to_csv(data, index=False)

    with pytest.raises(InputError, match="there is no folder"):
        init_file(data, tmp_path / "nowhere" / "out.toml")
    with pytest.raises(InputError, match="is a directory"):
        init_file(data, tmp_path, force=True)
    with pytest.raises(InputError, match="cannot be written: File name too long"):
        init_file(data, tmp_path / ("x" * 300))
    assert os.listdir(tmp_path) == ["power.csv"]


def test_a_failure_while_trying_the_file_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = init(hourly(), tmp_path)
    before = out.read_bytes()

    def fail(study: Study) -> None:
        assert study.data.targets == ("wind",)  # the new file is what is tried
        raise InputError("refused")

    monkeypatch.setattr("search.commands.init.prepare_study", fail)
    with pytest.raises(InputError, match="refused"):
        init(hourly(), tmp_path, "wind", force=True)

    assert out.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["power.csv", "power.toml"]


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
            {"time": None, "rows": 43824, "columns": 11, "horizon": 6, "season": 24, "fill": 0.0},
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
