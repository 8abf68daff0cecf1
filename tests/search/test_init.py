"""`lstm-search init`: the study file that is written, its settings and its comments."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.study import Study, load_study
from tests.proposals import (
    alternatives,
    hourly,
    init,
    init_file,
    loaded,
    prose_of,
    text_of,
    uncommented,
)

ODD_NAMES = (
    'say "hi"', "it's", "großes Maß °C", "a.b.c", " two  spaces ", "tab\there", "line\nbreak", "del\x7f",
    "back\\slash", "# hash", "[bold]x[/bold]", "x = 1", "温度😀", "",
)  # fmt: skip


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
