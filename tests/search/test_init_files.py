"""`lstm-search init`: where its file goes, and what it refuses."""

import os
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from objectives.errors import InputError
from search.commands.init import execute
from search.study import Study
from tests.proposals import hourly, init, init_file, loaded, text_of


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
