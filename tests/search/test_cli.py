"""The command line: exit codes, one line for each mistake, and what the small commands print."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from search.cli import app

Finished = tuple[Path, subprocess.CompletedProcess[str]]
COMMANDS = (
    "run",
    "init",
    "check",
    "list",
    "show",
    "best",
    "report",
    "predict",
    "delete",
    "worker",
    "doctor",
    "storage check",
)


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def complaint(*arguments: str) -> str:
    """The one line that a mistake of the user's gets."""
    code, _, error = call(*arguments)
    assert code == 1, error
    assert error.startswith("lstm-search: ")
    assert error.count("\n") == 1, error
    return error


def changed(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("search.cli", ("tensorflow", "keras", "optuna", "pandas", "matplotlib", "sqlalchemy")),
        ("search.commands.show", ("tensorflow", "keras", "pandas", "matplotlib", "sklearn")),
        ("search.commands.best", ("tensorflow", "keras", "pandas", "matplotlib", "sklearn")),
        ("search.commands.list", ("tensorflow", "keras", "pandas", "matplotlib", "sklearn")),
    ],
)
def test_commands_do_not_import_what_is_slow(module: str, slow: tuple[str, ...]) -> None:
    program = f"import {module}, sys; print([m for m in {slow!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    code, output, _ = call(*name.split(), "--help")
    assert code == 0
    assert "Example" in output


def test_version_and_usage() -> None:
    assert call("--version")[1].startswith("lstm-search ")
    assert call("run", "--no-such-option")[0] == 2
    assert call("run", "--trials", "many")[0] == 2


def test_a_task_that_does_not_exist_is_told_before_what_it_lacks() -> None:
    said = complaint("run", "--data", "x.csv", "--task", "foo")
    assert "task: expected one of 'forecasting', 'classification'. Received: 'foo'" in said
    assert "--target" in complaint("run", "--data", "x.csv")


@pytest.mark.parametrize(("option", "told"), [((), True), (("--time", "time"), False)])
def test_timestamps_that_nobody_names_are_told(
    tmp_path: Path, write_study: Callable[..., Path], option: tuple[str, ...], told: bool
) -> None:
    write_study(tmp_path)
    data, target = str(tmp_path / "wave.csv"), ("--target", "level")
    said = call("run", "--data", data, *target, *option, "--out", str(tmp_path / "wave.csv"))[2]
    assert ("column 'time' holds timestamps; with --time time missing rows" in said) == told
    assert "[output] directory: cannot write" in said.splitlines()[-1]


def test_predict_says_what_standard_input_takes() -> None:
    said = " ".join(call("predict", "--help")[1].replace("│", "").split())
    assert "CSV or Parquet file of the latest rows, or - for one on stdin" in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("horizon = 3", "horizon = 0", ["[data] horizon", "a number of at least 1", "0"]),
        ("horizon = 3", "horizon = 3\nfill = nan", ["[data] fill", "finite number", "NaN"]),
        ("horizon = 3", "horizn = 3", ["[data] horizn", "unknown key", "'horizon'"]),
        ("[training]", "[trainin]", ["[trainin]", "unknown key", "'training'"]),
        ("trials = 4", 'trials = "4"', ["[study] trials", "whole number", '"4"']),
        ("units = [4, 8]", "units = []", ["[space] units", "at least 1 in the list"]),
        ("units = [4, 8]", "units = [0, 8]", ["[space] units", "at least 1", "0"]),
        ("units = [4, 8]", 'units = "wide"', ["whole number, or a list or range of such", "wide"]),
        ("units = [4, 8]", "units = [4, 0.5]", ["expected a whole number. Received: 0.5"]),
        ('targets = ["level"]', 'targets = "level"', ["[data] targets", "a list, such as"]),
        ("low = 4, high = 12", "low = 12, high = 4", ["[space] timesteps", "12 and 4"]),
        ("high = 12, step = 4", "hihg = 12, step = 4", ["[space] timesteps", "hihg"]),
        ("dropout = { low = 0.0, high = 0.2 }", "dropout = 1.5", ["[space] dropout", "0.95"]),
        ('pruner = "median"', 'pruner = "mean"', ["[study] pruner", "'median'", '"mean"']),
        ('targets = ["level"]', "", ["[data] targets", "missing"]),
        ('targets = ["level"]', 'targets = ["lvel"]', ["lvel", "level"]),
        ("[study]", '[study]\nsampler = "grid"', ["grid needs a finite space", "dropout"]),
        ('targets = ["level"]', "targets = [3]", ["[data] targets: expected text in quotes"]),
        (
            "[study]",
            "[study]\nenqueue = [{ units = 5 }]",
            ["units = 5 lies outside the space, 4 or 8"],
        ),
        ("[study]", "[study", ["not valid TOML"]),
        ("[space]", "[split]\ntrain = 0.5\n[space]", ["[split]", "together"]),
        ("high = 12", "high = 4000", ["timesteps", "largest timesteps that fits"]),
    ],
)
def test_mistakes_in_the_study_file_get_one_line(
    tmp_path: Path, write_study: Callable[..., Path], old: str, new: str, words: list[str]
) -> None:
    path = changed(write_study(tmp_path), old, new)
    error = complaint("check", str(path))
    for word in words:
        assert word in error


def spoil(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    if how == "text":
        frame["level"] = frame["level"].astype(object)
        frame.loc[17, "level"] = "broken"
    elif how == "missing":
        frame.loc[[5, 6], "level"] = None
    elif how == "duplicate":
        frame.loc[9, "time"] = frame.loc[8, "time"]
    elif how == "unsorted":
        frame = frame.iloc[::-1]
    elif how == "irregular":
        frame.loc[30, "time"] += pd.Timedelta(minutes=7)
    elif how == "constant":
        frame["level"] = 1.0
    elif how == "short":
        frame = frame.head(20)
    return frame


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("text", ["level", "17", "broken"]),
        ("missing", ["level", "2", "fill"]),
        ("duplicate", ["9"]),
        ("unsorted", ["sort"]),
        ("irregular", ["30"]),
        ("constant", ["level", "constant"]),
        ("short", ["timesteps"]),
    ],
)
def test_bad_data_get_one_line(
    tmp_path: Path, write_study: Callable[..., Path], how: str, words: list[str]
) -> None:
    path = write_study(tmp_path)
    frame = pd.read_csv(tmp_path / "wave.csv", parse_dates=["time"])
    spoil(frame, how).to_csv(tmp_path / "wave.csv", index=False)
    error = complaint("run", str(path), "--out", str(tmp_path / "runs"))
    for word in words:
        assert word in error
    assert not (tmp_path / "runs" / "studies.db").exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "wave.csv"), (b"", "empty"), (b"\x00\xff\x89PNG\n\x01", "wave.csv")],
)
def test_missing_empty_and_unreadable_files_get_one_line(
    tmp_path: Path, write_study: Callable[..., Path], content: bytes | None, word: str
) -> None:
    path = write_study(tmp_path)
    (tmp_path / "wave.csv").unlink()
    if content is not None:
        (tmp_path / "wave.csv").write_bytes(content)
    assert word in complaint("check", str(path))
    assert "no such study file" in complaint("check", str(tmp_path / "absent.toml"))
    assert complaint("check", str(tmp_path)).count(str(tmp_path)) == 1
    (tmp_path / "table.csv").write_text("time,level\n")
    assert "lstm-search init" in complaint("run", str(tmp_path / "table.csv"))
    assert "--target" in complaint("run", "--data", str(tmp_path / "table.csv"))


@pytest.mark.parametrize("values", [(1e9, 1e9 + 1), (-1e300, 1e300)], ids=["far from zero", "vast"])
def test_what_single_precision_cannot_hold_gets_one_line(
    tmp_path: Path, write_study: Callable[..., Path], values: tuple[float, float]
) -> None:
    path = write_study(tmp_path)
    table = pd.read_csv(tmp_path / "wave.csv")
    name = table.columns[-1]
    table[name] = np.resize(values, len(table))
    table.to_csv(tmp_path / "wave.csv", index=False)
    assert f"column {name!r} reaches 1e+" in complaint("check", str(path))
    table.assign(**{name: np.resize((1e5, 1e5 + 1), len(table))}).to_csv(
        tmp_path / "wave.csv", index=False
    )
    assert call("check", str(path))[0] == 0


def test_a_machine_without_a_folder_for_temporary_files_is_told(
    tmp_path: Path, command: list[str]
) -> None:
    read_only = (
        'mount --bind / / && mount -o remount,bind,ro / && cd / && echo mounted && exec "$@"'
    )
    line = ["unshare", "--mount", "sh", "-c", read_only, "sh", *command, "run"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": "/"}
    )
    if done.stdout != "mounted\n":
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "lstm-search: no folder for temporary files can be written: name one in the variable TMPDIR"
    )


def test_unreachable_database_and_unwritable_folder_are_found_before_the_search(
    tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    path = write_study(tmp_path)
    url = "postgresql://someone:secret@127.0.0.1:1/none"
    out = str(tmp_path / "runs")
    error = complaint("run", str(path), "--out", out, "--storage", url)
    assert "127.0.0.1" in error
    assert "secret" not in error
    (tmp_path / "file").write_text("not a folder")
    assert "cannot write" in complaint("run", str(path), "--out", str(tmp_path / "file"))


def test_study_with_another_configuration_is_refused_with_what_differs(
    finished: Finished,
) -> None:
    folder = finished[0]
    path = folder / "other.toml"
    path.write_text((folder / "wave.toml").read_text().replace("epochs = 3", "epochs = 5"))
    error = complaint("run", str(path), "--name", "wave", "--out", str(folder / "runs"))
    assert "[training] epochs was 3 and is now 5" in error
    seeded = ("run", str(folder / "wave.toml"), "--out", str(folder / "runs"), "--seed", "8")
    assert "[study] seed was 7 and is now 8" in complaint(*seeded)


def test_options_that_cannot_be_are_refused(finished: Finished) -> None:
    place = ("--out", str(finished[0] / "runs"))
    assert "letters, digits" in complaint("run", "--name", "a/b", *place)
    assert "with --data" in complaint("run", "--task", "classification", *place)
    assert "[study] threads" in complaint("worker", "wave", "--threads", "0", *place)
    assert call("worker", "wave", "--wait", "-1", *place)[0] == 2
    assert call("dashboard", "wave", "--port", "99999", *place)[0] == 2


def test_enqueued_points_are_checked(finished: Finished) -> None:
    run = ("run", str(finished[0] / "wave.toml"), "--out", str(finished[0] / "runs"), "--enqueue")
    assert "not JSON" in complaint(*run, "{units: 8}")
    assert "does not vary 'unit'" in complaint(*run, '{"unit": 8}')


def test_check_shows_splits_windows_and_space(
    tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    code, output, _ = call("check", str(write_study(tmp_path)))
    assert code == 0
    for text in ("400 × 2", "2024-01-01", "timesteps", "learning_rate", "266"):
        assert text in output  # 280 rows of training - 12 timesteps - 3 steps + 1 window


def test_list_show_and_best_print_tables_json_and_csv(finished: Finished) -> None:
    out = ("--out", str(finished[0] / "runs"))
    assert "wave" in call("list", *out)[1]
    listed = json.loads(call("list", *out, "--json")[1])
    study = next(entry for entry in listed if entry["name"] == "wave")
    assert sum(study["trials"].values()) == 6
    shown = json.loads(call("show", "wave", *out, "--json")[1])
    assert [trial["trial"] for trial in shown] == list(range(6))
    assert {"state", "value", "params", "epochs", "seconds"} <= set(shown[0])
    lines = call("show", "wave", *out, "--csv")[1].splitlines()
    assert lines[0].startswith("trial,state,value")
    assert len(lines) == 7
    table = call("show", "wave", *out)[1]
    assert "learning_rate" in table
    assert "overhead" in table
    best = json.loads(call("best", "wave", *out, "--json")[1])
    assert best["value"] == min(trial["value"] for trial in shown if trial["state"] == "complete")
    assert f"trial {best['trial']}" in call("best", "wave", *out)[1]


def test_wrong_names_suggest_the_right_one(finished: Finished, tmp_path: Path) -> None:
    assert "wave" in complaint("show", "wavy", "--out", str(finished[0] / "runs"))
    assert "no database" in complaint("list", "--out", str(tmp_path))


def test_delete_asks_and_removes_study_and_files(
    command: list[str], finished: Finished, tmp_path: Path
) -> None:
    out = shutil.copytree(finished[0] / "runs", tmp_path / "runs")
    assert "--yes" in complaint("delete", "wave", "--out", str(out))
    assert (out / "wave").is_dir()
    for answer in ("n\n", "\x04"):  # the latter is what Ctrl-D comes to
        ours, theirs = pty.openpty()
        asking = [*command, "delete", "wave", "--out", str(out)]
        with subprocess.Popen(asking, stdin=theirs, stderr=subprocess.PIPE) as asked:
            os.write(ours, answer.encode())
            assert asked.communicate() == (None, b"")
        os.close(ours)
        os.close(theirs)
        assert (asked.returncode, (out / "wave").exists()) == (1, True)
    assert call("delete", "wave", "--out", str(out), "--yes")[0] == 0
    assert not (out / "wave").exists()
    assert "wave" not in call("list", "--out", str(out))[1]


def test_a_database_is_checked_backed_up_and_restored(finished: Finished, tmp_path: Path) -> None:
    url = f"sqlite:///{finished[0] / 'runs' / 'studies.db'}"
    code, output, _ = call("storage", "check", url)
    assert code == 0
    assert all(word in output for word in ("1 study\n", "the newest", "fine"))
    backup, again = tmp_path / "backup.db", f"sqlite:///{tmp_path / 'again.db'}"
    assert call("storage", "backup", str(backup), "--storage", url)[0] == 0
    assert call("storage", "restore", str(backup), again)[0] == 0
    shown = [call("show", "wave", "--json", "--storage", each)[1] for each in (url, again)]
    assert json.loads(shown[0]) == json.loads(shown[1])
    assert "'wave'" in complaint("storage", "copy", url, again)


def test_a_missing_database_is_not_made_by_looking_at_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no database" in complaint("storage", "check")
    absent = "sqlite:///absent.db"
    for command in (("check", absent), ("upgrade", absent), ("copy", absent, "sqlite:///copy.db")):
        assert "there is no database at absent.db" in complaint("storage", *command)
    assert "there is no database at absent.db" in complaint("list", "--storage", absent)
    assert not list(tmp_path.iterdir())
    assert "there is no study" in complaint("worker", "wave", "--storage", absent, "--wait", "0.1")
