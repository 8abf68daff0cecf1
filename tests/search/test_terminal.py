"""What commands print for people: names as they are, and tables that fit."""

import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from typer.testing import CliRunner

from reports.contents import Check
from search.cli import app
from search.commands import audit, terminal
from storage.database import open_storage
from tests.runs import Finished

NAMES = ("wind [m/s]", "rate [/h]", "[bold]", "a :cat: b")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def studies(folder: Path, *names: str, **params: float) -> Path:
    """A database with studies of one trial each, which failed; gives the folder of results."""
    folder.mkdir()
    storage = open_storage(f"sqlite:///{folder}/studies.db")
    distributions = {name: optuna.distributions.FloatDistribution(0, 1) for name in params}
    for name in names:
        study = optuna.create_study(study_name=name, storage=storage)
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE,
                value=0.123456,
                params=params,
                distributions=distributions,
                user_attrs={"failure": f"because of {name}"} if name in NAMES else {},
            )
        )
    storage.engine.dispose()
    return folder


@pytest.mark.parametrize("target", NAMES)
def test_columns_are_shown_as_they_are(tmp_path: Path, target: str) -> None:
    file = tmp_path / "a [x]" / "study.toml"
    file.parent.mkdir()
    values = np.random.default_rng(0).normal(size=(200, len(NAMES)))
    pd.DataFrame(values, columns=NAMES).to_csv(file.parent / "data.csv", index=False)
    file.write_text(f'[data]\npath = "data.csv"\ntargets = ["{target}"]\nhorizon = 2\n')
    said = call("check", file)
    assert all(name in said for name in NAMES)
    assert said.count(target) == 2
    assert f"{file} and its data are fine." in said


def test_classes_and_features_are_shown_as_they_are(tmp_path: Path) -> None:
    rows = [{"id": i, "kind": NAMES[i % 4], NAMES[1]: j} for i in range(80) for j in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "data.csv", index=False)
    file = tmp_path / "study.toml"
    file.write_text(
        '[data]\ntask = "classification"\npath = "data.csv"\nid = "id"\nlabel = "kind"\n'
        "[space]\ntimesteps = 3\n"
    )
    said = call("check", file)
    assert all(name in said for name in NAMES)
    assert said.count(NAMES[1]) == 2


def test_studies_are_shown_as_they_are(tmp_path: Path) -> None:
    out = studies(tmp_path / "runs", *NAMES)
    said = call("list", "--out", out)
    assert all(name in said for name in NAMES)
    for name in NAMES:
        assert f"because of {name}" in call("show", name, "--out", out)
        assert f"of study {name}: 0.123456" in call("best", name, "--out", out)


def test_folders_are_shown_as_they_are(
    finished: Finished, command: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    (folder / "runs").rename(folder / "runs [x]")

    def run(*words: str) -> str:
        line = [*command, *words, "--out", "runs [x]"]
        done = subprocess.run(
            line, cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "report  runs [x]/wave/report.html" in run("run", "wave.toml", "--workers", "1")
    assert "runs [x]/wave/report.html" in run("report", "wave")


def test_evidence_of_an_audit_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = studies(tmp_path / "runs", "wave")
    checks = tuple(Check(f"of {name}", False, f"it is {name}") for name in NAMES)
    monkeypatch.setattr(audit, "study_to_join", lambda *_: None)
    monkeypatch.setattr(audit, "_audit", lambda *_: checks)
    said = CliRunner().invoke(app, ["audit", "wave", "--out", str(out)]).stdout
    for name in NAMES:
        assert f"FAILED of {name}\n        it is {name}\n" in said


def narrow(monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]) -> str:
    """What a command prints on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(
        terminal, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    )
    said = call(*arguments)
    assert max(len(line) for line in said.splitlines() if line[0] in "┏┃│") <= 80
    assert "…" not in said
    return said


PARAMS = {"learning_rate": 0.001234, "recurrent_dropout": 0.25, "batch_size": 1, "timesteps": 1}
LONG = "a_study_with_a_name_that_is_as_long_as_names_of_studies_may_be_and_longer_than_a_line"


def test_a_narrow_terminal_cuts_no_name_and_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = studies(tmp_path / "runs", LONG, "power", **PARAMS)
    wide = call("show", "power", "--out", out)
    assert max(map(len, wide.splitlines())) > 80
    assert "learning_rate ┃" in wide
    assert LONG in call("list", "--out", out)
    said = narrow(monkeypatch, ("show", "power", "--out", out))
    for text in ("complete", "0.1235", "learning_rate=0.001234,", "recurrent_dropout=0.25,"):
        assert text in said
    said = narrow(monkeypatch, ("list", "--out", out))
    assert f"{datetime.now():%Y-%m-%d}" in said
    assert "│ power" in said
    first = [line.split("│")[1].strip() for line in said.splitlines() if "│" in line]
    assert LONG in "".join(first)


def test_rows_are_turned_into_columns_where_they_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"kind_number_{number}" for number in range(9)]
    rows = [{"id": i, "label": names[i % 9], "x": j} for i in range(180) for j in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "data.csv", index=False)
    file = tmp_path / "study.toml"
    file.write_text(
        '[data]\ntask = "classification"\npath = "data.csv"\nid = "id"\nlabel = "label"\n'
        "[space]\ntimesteps = 3\n[split]\nfolds = 2\n"
    )
    wide, said = call("check", file), narrow(monkeypatch, ("check", file))
    assert f"{names[0]} ┃ {names[1]} ┃" in wide
    for name in names:
        assert f"│ {name} │" in said
