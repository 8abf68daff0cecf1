"""The leakage audit of classifiers: passed by studies as they are, failed where a leak is planted."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from objectives.classification.messages import PADDING
from objectives.classification.sequences import SequenceFold, SequenceSplit
from objectives.scaling import Scaling, fit_scaling
from objectives.trials.messages import Compute, TrialOutcome, TrialRequest
from search.classification.audit_subject import ClassSubject
from search.classification.auditing import audit_classifier
from search.classification.preparation import (
    prepare_sequences,
    settled_study,
    task_with_rows,
)
from search.classification.stored import load_probabilities, save_probabilities
from search.joining import Place, study_to_join
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL, classify_with
from search.study import ClassificationStudy
from storage.database import open_storage
from storage.ledger import openings_of
from storage.studies import read_study

pytestmark = pytest.mark.usefixtures("processes")

PARTS, ROWS = "no sequence is in two parts", "no row is in two parts"
TARGETS = "all trials were judged on the same sequences"
TRAIN_SCALING = f"{TRAIN_ONLY_MODEL}: scaled by training rows alone"
REFIT_SCALING = f"{MODEL}: scaled by training and validation rows alone"
LEARNING = "what is not trained on does not change what is learnt"
BASELINES = "baselines were judged on the same sequences as the model"
LEDGER = "the model tested is in the ledger"
LOOKS = "the test set was opened for this winner alone"
LINEAR = "the linear part is fitted on what each model may know"
OTHERS = "rows of other sequences do not change a probability"
PADDED = "padding does not change a probability"


def subject_of(name: str, folder: Path, directory: Path) -> ClassSubject:
    """A study whose results are below `folder`, its own folder being copied below `directory`."""
    shutil.copytree(folder / name, directory / name)
    url = f"sqlite:///{folder / 'studies.db'}"
    study = study_to_join(name, url, Place(None, directory))
    assert isinstance(study, ClassificationStudy)
    preparation, stored = prepare_sequences(study), load_probabilities(study.directory)
    assert stored is not None
    record = read_study(open_storage(url), name)
    return ClassSubject(settled_study(study, preparation), preparation, record, None, stored)


@pytest.fixture
def subject(run: tuple[Path, str], tmp_path: Path) -> ClassSubject:
    """A finished study whose folder may be changed at will."""
    return subject_of("order", run[0] / "runs", tmp_path)


@pytest.fixture(scope="module")
def stream(stream_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassSubject:
    """A finished study of overlapping windows of one stream."""
    return subject_of("stream", stream_runs, tmp_path_factory.mktemp("copy"))


def failures(subject: ClassSubject) -> dict[str, str]:
    return {check.check: check.evidence for check in audit_classifier(subject) if not check.passed}


def divided(subject: ClassSubject, split: SequenceSplit) -> ClassSubject:
    return replace(subject, preparation=replace(subject.preparation, split=split))


def rescale(model: Path, rows: np.ndarray) -> None:
    """Give a saved model the scaling of other rows, as if it had been fitted on them."""
    scaling = fit_scaling("standard", rows)
    new = {
        "centre": {"offset": (-scaling.center).tolist()},
        "scale": {"scale": (1 / scaling.scale).tolist()},
    }

    def changed(config: str) -> str:
        content = json.loads(config)
        for layer in content["config"]["layers"]:
            layer["config"].update(new.get(layer["config"]["name"], {}))
        return json.dumps(content)

    reconfigure(model, changed)


def reconfigure(model: Path, change: Callable[[str], str]) -> None:
    """Change the configuration of a saved model."""
    with ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = change(members["config.json"].decode()).encode()
    with ZipFile(model, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_an_honest_study_passes_with_evidence(subject: ClassSubject) -> None:
    checks = audit_classifier(subject)
    assert len(checks) == 13
    assert all(check.passed for check in checks), checks
    evidence = {check.check: check.evidence for check in checks}
    assert "train 250, validation 250 and test 200 of 700 sequences" in evidence[PARTS]
    assert float(evidence[OTHERS].rsplit(" ", 1)[1]) > 0.01  # noise did reach the model
    assert "opened 1 time" in evidence[LOOKS]
    assert "3 test sequences of 7, 18 and 29 instead of 30 steps" in evidence[PADDED]


def test_an_honest_stream_passes_and_planted_overlaps_are_found(stream: ClassSubject) -> None:
    checks = audit_classifier(stream)
    evidence = {check.check: check.evidence for check in checks}
    assert all(check.passed for check in checks), checks
    written, reported = (
        json.loads((stream.directory / f"{name}.json").read_text()) for name in ("model", "report")
    )
    share = written["output"]["linear"]["share"]
    assert share == stream.stored.validation.linear_share
    assert share > 0.2  # a network of two epochs is no better
    assert f"a share of {share:.3f} is best" in evidence[LINEAR]
    assert f"is {share:.3f}; both" in reported["facts"]["linear part"]
    split, everything = stream.preparation.split, np.arange(len(stream.sequences.labels))
    (fold,) = split.folds
    longer = everything[: fold.validation[0]]  # up to the first window that validates
    found = failures(
        divided(stream, replace(split, folds=(SequenceFold(longer, fold.validation),)))
    )
    assert {ROWS, TRAIN_SCALING, LINEAR} <= set(found)
    assert PARTS not in found
    assert "4 rows in two parts" in found[ROWS]


def test_a_model_that_knows_rows_to_come_is_found(stream: ClassSubject) -> None:
    later = replace(stream.sequences, ends=np.minimum(stream.sequences.ends + 2, 600))
    moved = replace(stream, preparation=replace(stream.preparation, sequences=later))
    assert "rows to come do not change a probability" in failures(moved)


def test_training_on_test_sequences_is_found(subject: ClassSubject) -> None:
    split = subject.preparation.split
    last = split.folds[-1]
    leaking = replace(last, train=np.append(last.train, split.test[:3]))
    found = failures(divided(subject, replace(split, folds=(*split.folds[:-1], leaking))))
    assert {PARTS, ROWS, TRAIN_SCALING, REFIT_SCALING} <= set(found)
    assert TARGETS not in found
    again = replace(
        split, folds=(split.folds[0], replace(last, validation=split.folds[0].validation))
    )
    assert {PARTS, BASELINES} <= set(failures(divided(subject, again)))


def test_a_group_on_both_sides_is_found(subject: ClassSubject) -> None:
    split = subject.preparation.split
    groups = np.arange(700)
    groups[split.folds[0].validation[0]] = groups[split.test[0]]
    sequences = replace(subject.sequences, groups=groups)
    planted = replace(subject, preparation=replace(subject.preparation, sequences=sequences))
    found = failures(planted)
    assert "1 of them in two parts" in found["no group is in two parts"]


def test_a_scaler_fitted_on_everything_is_found(subject: ClassSubject) -> None:
    rescale(subject.directory / TRAIN_ONLY_MODEL, subject.sequences.values)
    assert set(failures(subject)) == {TRAIN_SCALING}
    rescale(subject.directory / MODEL, subject.sequences.values * 1.5)
    assert set(failures(subject)) == {TRAIN_SCALING, REFIT_SCALING, LEDGER, OTHERS, PADDED}


def test_a_model_that_reads_padding_is_found(subject: ClassSubject, tmp_path: Path) -> None:
    model, split = subject.directory / MODEL, subject.preparation.split
    reconfigure(model, lambda config: config.replace(str(PADDING), "1.0"))
    np.save(tmp_path / "rows.npy", subject.sequences.values)
    task = task_with_rows(subject.preparation, subject.study, tmp_path / "rows.npy")
    stored = replace(subject.stored, test=classify_with(model, task, split.test))
    found = failures(replace(subject, stored=stored))
    assert set(found) == {LEDGER, PADDED}


def test_a_learner_that_fits_statistics_on_everything_is_found(
    subject: ClassSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from objectives.classification.learner import SequenceLearner  # noqa: PLC0415  (TensorFlow)
    from objectives.trials.trial import run_trial  # noqa: PLC0415

    def here(request: TrialRequest, compute: Compute) -> TrialOutcome:
        del compute
        return run_trial(request, lambda epoch: True)

    def leaking(learner: SequenceLearner, training: np.ndarray) -> Scaling:
        del training
        return fit_scaling("standard", learner.task.load_rows())

    monkeypatch.setattr("search.classification.disturbing.in_worker", here)
    assert not failures(subject)
    monkeypatch.setattr(SequenceLearner, "_scaling", leaking)
    assert set(failures(subject)) == {LEARNING}


def test_figures_on_other_sequences_are_found(subject: ClassSubject) -> None:
    trials = list(subject.record.trials)
    attributes = {**trials[1].attributes, "target_hash": "0" * 64}
    trials[1] = replace(trials[1], attributes=attributes)
    majority = np.full_like(subject.stored.baselines["majority_class"], 0.5 + 1e-3)
    planted = replace(
        subject,
        record=replace(subject.record, trials=tuple(trials)),
        stored=replace(
            subject.stored, baselines={**subject.stored.baselines, "majority_class": majority}
        ),
    )
    assert set(failures(planted)) == {TARGETS, BASELINES}


def test_a_second_winner_is_found(subject: ClassSubject) -> None:
    attributes = subject.record.attributes
    (key,) = (name for name in attributes if openings_of({name: attributes[name]}))
    other = {**attributes, f"{key}_2": {**attributes[key], "trial": 99}}
    planted = replace(subject, record=replace(subject.record, attributes=other))
    assert set(failures(planted)) == {LOOKS}


def test_the_command_comes_to_the_same_as_the_run(
    run: tuple[Path, str], command: list[str]
) -> None:
    folder, printed = run
    assert "all 13 checks for leakage passed" in " ".join(printed.split())
    known = json.loads((folder / "runs" / "order" / "report.json").read_text())["audit"]
    arguments = ["audit", "order", "--out", str(folder / "runs"), "--json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == known
    page = (folder / "runs" / "order" / "report.md").read_text()
    assert f"- passed: {OTHERS}" in page


def test_a_run_whose_audit_fails_says_so_and_keeps_its_results(
    run: tuple[Path, str], tmp_path: Path, command: list[str]
) -> None:
    shutil.copytree(run[0] / "runs", tmp_path / "runs")
    directory = tmp_path / "runs" / "order"
    stored = load_probabilities(directory)
    assert stored is not None
    save_probabilities(directory, replace(stored, test=1 - stored.test))
    arguments = [
        "run",
        str(run[0] / "order.toml"),
        "--out",
        str(tmp_path / "runs"),
        "--quiet",
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    both = f"“{OTHERS}” and “{PADDED}”"
    assert line.startswith(f"lstm-search: AUDIT FAILED: it does not hold that {both}.")
    assert (
        f"**AUDIT FAILED: it does not hold that {both}.**" in (directory / "report.md").read_text()
    )
