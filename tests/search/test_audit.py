"""The leakage audit: passed by a study as it is, failed by one into which a leak is planted."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from objectives.judging.metrics import yardstick
from objectives.scaling import fit_scaling
from search.audit.auditing import Subject, audit
from search.joining import Place, study_to_join
from search.preparation import prepare, rows_file
from search.reporting.stored_forecasts import load_forecasts
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL, forecast_with
from storage.ledger import openings_of
from tests.runs import Finished, stored

pytestmark = pytest.mark.usefixtures("processes")

TRAIN_SCALING = "the model before the refit is scaled by training rows alone"
REFIT_SCALING = "the refitted model is scaled by training and validation rows alone"
LEDGER = "the model tested is in the ledger"
FUTURE = "rows to come do not change a forecast"


@pytest.fixture
def subject(finished: Finished, tmp_path: Path) -> Subject:
    """A finished study whose folder may be changed at will."""
    folder = finished[0] / "runs"
    directory = tmp_path / "wave"
    shutil.copytree(folder / "wave", directory)
    study = study_to_join("wave", f"sqlite:///{folder / 'studies.db'}", Place(None, folder))
    forecasts = load_forecasts(directory)
    assert forecasts is not None
    return Subject(prepare(study), stored(finished[0]), None, forecasts, directory)


def failures(subject: Subject) -> dict[str, str]:
    return {check.check: check.evidence for check in audit(subject) if not check.passed}


def test_an_honest_study_passes_with_evidence(subject: Subject) -> None:
    checks = audit(subject)
    assert len(checks) == 12
    assert all(check.passed for check in checks), checks
    evidence = {check.check: check.evidence for check in checks}
    split, timesteps = subject.preparation.split, subject.winner.timesteps
    first = f"test: inputs from row {split.test.first - timesteps}"
    assert first in evidence["windows begin within the data"]
    assert "from those of all rows by 0." in evidence[REFIT_SCALING]
    changed = float(evidence[FUTURE].rsplit(" ", 1)[1])
    assert changed > 0.01  # shuffled rows did reach the model
    assert "opened 1 time" in evidence["the test set was opened for this winner alone"]


def rescale(model: Path, rows: np.ndarray) -> None:
    """Give a saved model the scaling of other rows, as if it had been fitted on them."""
    scaling = fit_scaling("standard", rows)
    with ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    new: dict[str, dict[str, Any]] = {
        "centre": {"offset": (-scaling.center).tolist()},
        "scale": {"scale": (1 / scaling.scale).tolist()},
        "forecast": {"scale": scaling.scale[:1].tolist(), "offset": scaling.center[:1].tolist()},
    }
    for layer in config["config"]["layers"]:
        layer["config"].update(new.get(layer["config"]["name"], {}))
    with ZipFile(model, "w") as archive:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            archive.writestr(name, content)


def test_a_scaler_fitted_on_everything_is_found(subject: Subject) -> None:
    rescale(subject.directory / TRAIN_ONLY_MODEL, subject.values)
    assert set(failures(subject)) == {TRAIN_SCALING}
    split = subject.preparation.split
    rescale(subject.directory / MODEL, subject.values[: split.test.end])
    # another file than the ledger's, and another model's forecasts than the stored ones
    assert set(failures(subject)) == {TRAIN_SCALING, REFIT_SCALING, LEDGER, FUTURE}


def test_a_scaling_undone_with_other_rows_is_found(subject: Subject) -> None:
    split = subject.preparation.split
    train_only = subject.directory / TRAIN_ONLY_MODEL
    rescale(train_only, subject.values[: split.train.end])
    assert not failures(subject)
    with ZipFile(train_only) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][-1]["config"]["offset"][0] += 1e-4
    with ZipFile(train_only, "w") as archive:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            archive.writestr(name, content)
    assert set(failures(subject)) == {TRAIN_SCALING}


def test_rows_that_trials_saw_scaled_by_everything_are_found(subject: Subject) -> None:
    shared = rows_file(subject.preparation.fingerprint, subject.directory)
    (path,) = subject.directory.glob(f"{shared.stem}_standard_0_280.npy")
    np.save(path, fit_scaling("standard", subject.values).apply(subject.values))
    assert set(failures(subject)) == {"trials saw rows scaled by their training rows alone"}


def test_a_window_that_reaches_into_the_future_is_found(subject: Subject) -> None:
    origins = subject.preparation.split.test.origins
    rows = rows_file(subject.preparation.fingerprint, subject.directory)
    np.save(rows, np.vstack([subject.values, subject.values[-1:]]))
    late = forecast_with(subject.directory / MODEL, rows, origins + 1).forecast
    planted = replace(subject, stored=replace(subject.stored, test=late))
    assert set(failures(planted)) == {FUTURE}


def test_training_windows_that_reach_into_validation_are_found(subject: Subject) -> None:
    split = subject.preparation.split
    longer = replace(split.train, origins=np.append(split.train.origins, split.train.end - 1))
    preparation = replace(subject.preparation, split=replace(split, train=longer))
    found = failures(replace(subject, preparation=preparation))
    assert set(found) == {"no window has targets in another part"}
    assert f"rows 12 to {split.train.end + 1}" in found["no window has targets in another part"]


def test_figures_on_other_targets_or_in_other_units_are_found(subject: Subject) -> None:
    known = subject.stored
    naive = {**known.naive, "persistence": np.roll(known.naive["persistence"], 1, axis=0)}
    measure = yardstick(subject.values[:, :1], subject.preparation.season)
    trials = list(subject.record.trials)
    attributes = {**trials[1].attributes, "target_hash": "0" * 64}
    trials[1] = replace(trials[1], attributes=attributes)
    planted = replace(
        subject,
        stored=replace(known, naive=naive, measure=measure),
        record=replace(subject.record, trials=tuple(trials)),
    )
    found = failures(planted)
    assert set(found) == {
        "all trials were judged on the same targets",
        "scores are measured in the deviation of training rows alone",
        "naive forecasts were judged on the same targets as the model",
    }
    assert "6 trials, 1 of them" in found["all trials were judged on the same targets"]


def test_a_model_that_the_ledger_does_not_know_is_found(subject: Subject) -> None:
    attributes = subject.record.attributes
    (key,) = (name for name in attributes if openings_of({name: attributes[name]}))
    without = {name: value for name, value in attributes.items() if name != key}
    assert set(failures(replace(subject, record=replace(subject.record, attributes=without)))) == {
        LEDGER
    }
    other = {**attributes, f"{key}_2": {**attributes[key], "trial": 99}}
    assert set(failures(replace(subject, record=replace(subject.record, attributes=other)))) == {
        "the test set was opened for this winner alone"
    }


def test_what_is_damaged_cannot_be_checked_and_has_failed(subject: Subject) -> None:
    (subject.directory / TRAIN_ONLY_MODEL).write_bytes(b"no archive")
    assert failures(subject)[TRAIN_SCALING].startswith("cannot be checked: BadZipFile")


def call(command: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def test_a_run_audits_itself_and_the_command_comes_to_the_same(
    finished: Finished, command: list[str]
) -> None:
    folder, done = finished
    assert "all 12 checks for leakage passed" in " ".join(done.stdout.split())
    directory = folder / "runs" / "wave"
    known = json.loads((directory / "report.json").read_text())["audit"]
    again = call(command, "audit", "wave", "--out", folder / "runs", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == known
    assert (
        "- passed: rows to come do not change a forecast" in (directory / "report.md").read_text()
    )
    assert len(openings_of(stored(folder).attributes)) == 1


def test_other_data_end_the_command_with_code_1(
    finished: Finished, tmp_path: Path, command: list[str]
) -> None:
    other = tmp_path / "other.csv"
    lines = (finished[0] / "wave.csv").read_text().splitlines()
    lines[20] = lines[20].rsplit(",", 1)[0] + ",5.0"
    other.write_text("\n".join(lines))
    done = call(command, "audit", "wave", "--out", finished[0] / "runs", "--data", other)
    assert done.returncode == 1
    assert "FAILED the data are those that were searched" in done.stdout
    assert "AUDIT FAILED" in done.stdout
    absent = call(command, "audit", "wave", "--storage", f"sqlite:///{finished[0]}/runs/studies.db",
                  "--out", tmp_path)  # fmt: skip
    assert absent.returncode == 1
    assert absent.stderr.startswith("lstm-search: study 'wave' has no tested winner in")
