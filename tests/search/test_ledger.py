"""The test ledger and the report command: when the test set is opened, and when it is not."""

import json
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.commands.run import called
from search.comparing import ComparedForecasts, read_compared
from search.selection.refitting import file_hash
from storage.database import open_storage
from storage.errors import StorageError
from storage.ledger import Opening, openings_of
from storage.studies import find_study, read_study
from tests.runs import Finished, Start, stored, tree, wait_for

PICTURES = ("forecasts", "history", "loss_curves")


def openings(folder: Path) -> tuple[Opening, ...]:
    return openings_of(stored(folder).attributes)


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Path:
    """The folder of a finished study, to be changed at will."""
    folder = tmp_path / "copied"
    shutil.copytree(finished[0], folder)
    return folder


def call(command: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def run(command: list[str], folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return call(
        command, "run", folder / "wave.toml", "--out", folder / "runs", "--workers", 1, *more
    )


def test_an_opening_says_when_which_model_by_which_command_and_on_which_targets(
    finished: Finished,
) -> None:
    folder = finished[0]
    (opening,) = openings(folder)
    report = json.loads((folder / "runs" / "wave" / "report.json").read_text())
    about = json.loads((folder / "runs" / "wave" / "model.json").read_text())
    assert opening.trial == report["best"]["trial"]
    assert opening.seeds == (about["seed"],)
    assert opening.model == file_hash(folder / "runs" / "wave" / "model.keras")
    assert opening.command == "lstm-search run wave.toml --seed 7 --workers 1 --out runs"
    assert report["facts"]["command"] == opening.command
    assert opening.when.endswith("+00:00")
    assert len(opening.targets) == 64
    assert report["ledger"]["openings"][0]["model"] == opening.model
    assert report["ledger"]["other_winners"] == []
    assert "opened 1 time" in finished[1].stdout


def test_the_ledger_is_written_before_the_figure_is_computed(
    copied: Path, command: list[str]
) -> None:
    directory = copied / "runs" / "wave"
    (directory / "forecasts.npz").unlink()
    model = directory / "model.keras"
    model.write_bytes(model.read_bytes()[:1000])  # it cannot be loaded, so that nothing is forecast
    refit = json.loads((directory / "refit.json").read_text())
    (directory / "refit.json").write_text(json.dumps({**refit, "model": file_hash(model)}))
    assert run(command, copied).returncode == 3
    assert not (directory / "forecasts.npz").exists()
    assert len(openings(copied)) == 2


def test_a_report_is_rendered_again_without_data_or_another_look_at_the_test_set(
    copied: Path, command: list[str]
) -> None:
    directory = copied / "runs" / "wave"
    before = json.loads((directory / "report.json").read_text())
    (copied / "wave.csv").unlink()
    (directory / "model.keras").unlink()
    for path in [directory / "report.md", *(directory / "figures").iterdir()]:
        path.unlink()
    done = call(command, "report", "wave", "--out", copied / "runs", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not (directory / "report.md").exists()
    done = call(command, "report", "wave", "--out", copied / "runs")
    assert done.returncode == 0, done.stderr
    assert before["verdict"] in done.stdout.replace("\n", " ")
    assert json.loads((directory / "report.json").read_text()) == before
    assert before["verdict"] in (directory / "report.md").read_text()
    assert all((directory / "figures" / f"{name}.png").exists() for name in PICTURES)
    assert len(openings(copied)) == 1


def test_the_page_is_shown_in_the_browser_where_asked_for(
    copied: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = copied / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{copied}/shown"\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    page = copied / "runs" / "wave" / "report.html"
    page.unlink()
    done = call(command, "report", "wave", "--out", copied / "runs", "--open", "--format", "html")
    assert done.returncode == 0, done.stderr
    assert page.exists()
    assert (copied / "shown").read_text() == f"{page.as_uri()}\n"
    done = call(command, "report", "wave", "--out", copied / "runs", "--open", "--format", "md")
    assert done.returncode == 2
    assert "only html is shown" in done.stderr


def test_the_command_of_a_ledger_can_be_called_again_and_holds_no_password() -> None:
    given = {
        "data": {"path": "my data.csv", "targets": ["a", "b"]},
        "study": {
            "storage": "postgresql://me:secret@host/studies",
            "share_gpu": True,
            "enqueue": [{"units": 64}],
        },
        "output": {"directory": "there"},
    }
    words = shlex.split(called(None, given, 5))
    assert words[:4] == ["lstm-search", "run", "--seed", "5"]
    assert words[4:10] == ["--data", "my data.csv", "--target", "a", "--target", "b"]
    assert words[10:] == ["--share-gpu", "--enqueue", '{"units": 64}', "--out", "there"]


def forget_openings(folder: Path) -> None:
    """As if the folder's files were of a study of the same name that has been deleted."""
    with closing(sqlite3.connect(folder / "runs" / "studies.db")) as database, database:
        database.execute("DELETE FROM study_user_attributes WHERE key LIKE 'test_opened_%'")


def forget_basis(folder: Path) -> None:
    """As an earlier version wrote what it had refitted."""
    path = folder / "runs" / "wave" / "refit.json"
    saved = json.loads(path.read_text())
    del saved["basis"]
    path.write_text(json.dumps(saved))


def refitted_at(folder: Path) -> int:
    return (folder / "runs" / "wave" / "model.keras").stat().st_mtime_ns


@pytest.mark.parametrize(
    ("changes", "refits"),
    [
        pytest.param((forget_openings,), False, id="forecasts that are in no ledger"),
        pytest.param((forget_basis,), False, id="an earlier version's model in the ledger"),
        pytest.param((forget_basis, forget_openings), True, id="an earlier version's in none"),
    ],
)
def test_what_is_in_the_folder_counts_where_the_ledger_knows_it(
    copied: Path, command: list[str], changes: tuple[Callable[[Path], None], ...], refits: bool
) -> None:
    before = refitted_at(copied)
    for change in changes:
        change(copied)
    done = run(command, copied)
    assert done.returncode == 0, done.stderr
    assert (refitted_at(copied) != before) == refits
    assert len(openings(copied)) == 1
    assert "opened 1 time" in done.stdout.replace("\n", " ")


def test_a_report_has_no_test_figures_that_are_in_no_ledger(
    copied: Path, command: list[str]
) -> None:
    forget_openings(copied)
    done = call(command, "report", "wave", "--out", copied / "runs", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "no tested winner yet" in done.stdout
    assert "test" not in json.loads((copied / "runs" / "wave" / "report.json").read_text())
    storage = open_storage(f"sqlite:///{copied / 'runs' / 'studies.db'}")
    compared = read_compared(storage, "wave", copied / "runs")
    assert isinstance(compared, ComparedForecasts)
    assert (compared.test, compared.naive_test) == (None, None)


def test_a_study_of_other_data_takes_nothing_from_the_folder_of_one_with_its_name(
    copied: Path, command: list[str]
) -> None:
    report = copied / "runs" / "wave" / "report.json"
    before = json.loads(report.read_text())
    data = pd.read_csv(copied / "wave.csv")
    data[["ahead", "level"]] *= 2  # which trains the very same networks
    data.to_csv(copied / "wave.csv", index=False)
    url = f"sqlite:///{copied / 'other.db'}"
    done = run(command, copied, "--storage", url)
    assert done.returncode == 0, done.stderr
    after = json.loads(report.read_text())
    assert after["best"] == before["best"]
    assert after["test"]["mse"] == pytest.approx(4 * before["test"]["mse"], rel=1e-3)
    assert len(openings_of(read_study(open_storage(url), "wave").attributes)) == 1


def test_a_study_finds_its_own_refit_from_a_copied_database_and_with_another_budget(
    copied: Path, command: list[str]
) -> None:
    before = refitted_at(copied)
    url = f"sqlite:///{copied / 'other.db'}"
    source = f"sqlite:///{copied / 'runs' / 'studies.db'}"
    assert call(command, "storage", "copy", source, url).returncode == 0
    done = run(command, copied, "--storage", url, "--timeout", "1000")
    assert done.returncode == 0, done.stderr
    assert refitted_at(copied) == before
    assert len(openings_of(read_study(open_storage(url), "wave").attributes)) == 1


def test_figures_come_from_the_stored_forecasts(copied: Path, command: list[str]) -> None:
    path = copied / "runs" / "wave" / "forecasts.npz"
    with np.load(path) as saved:
        arrays = dict(saved)
    np.savez(path, **{**arrays, "test": arrays["truth"]})
    done = call(command, "report", "wave", "--out", copied / "runs", "--json")
    assert json.loads(done.stdout)["test"]["mse"] == 0


def test_a_second_winner_on_the_same_data_is_labelled_loudly(
    copied: Path, command: list[str]
) -> None:
    first = openings(copied)[0]
    known = {trial.number: trial for trial in stored(copied).trials}
    other = next(t for n, t in known.items() if n != first.trial and t.state == "complete")
    # As if the search had gone on and found a better one, whose weights are those of another trial.
    study = find_study(open_storage(f"sqlite:///{copied / 'runs' / 'studies.db'}"), "wave")
    study._storage.create_new_trial(study._study_id, _better(study, other.number))
    done = run(command, copied, "--trials", "7")
    assert done.returncode == 0, done.stderr
    assert "CAUTION: NOT A FIRST LOOK" in done.stdout
    assert "opened 2 times" in done.stdout.replace("\n", " ")
    report = json.loads((copied / "runs" / "wave" / "report.json").read_text())
    assert report["best"]["trial"] == 6
    assert [each["trial"] for each in report["ledger"]["other_winners"]] == [first.trial]
    assert "**CAUTION" in (copied / "runs" / "wave" / "report.md").read_text()


def _better(study, number):
    trial = study.get_trials()[number]
    trial.value = 1e-6
    return trial


def test_a_search_that_goes_on_is_reported_without_test_figures(
    tmp_path: Path, write_study: Callable[..., Path], start: Start, command: list[str]
) -> None:
    path = write_study(tmp_path, trials=30, epochs=20, pruner="none")
    process = start("run", path, "--out", tmp_path / "runs", "--workers", 1)
    database = tmp_path / "runs" / "studies.db"
    wait_for(lambda: database.exists() or None, process)

    def one_complete() -> bool | None:
        try:
            return stored(tmp_path).count("complete") > 0 or None
        except StorageError:
            return None  # the study has not begun

    wait_for(one_complete, process)
    for member in tree(process.pid):
        member.kill()
    assert call(command, "report", "wave", "--out", tmp_path / "runs").returncode == 0
    report = json.loads((tmp_path / "runs" / "wave" / "report.json").read_text())
    assert report["trials"]["complete"] >= 1
    assert not {"test", "verdict", "baselines", "validation"} & set(report)
    assert report["ledger"]["openings"] == []
    page = (tmp_path / "runs" / "wave" / "report.md").read_text()
    assert "so far" in page
    assert "test set" not in page
    assert (tmp_path / "runs" / "wave" / "figures" / "history.png").exists()
    assert not (tmp_path / "runs" / "wave" / "figures" / "forecasts.png").exists()
    assert "Not tested yet" in (tmp_path / "runs" / "wave" / "report.html").read_text()
