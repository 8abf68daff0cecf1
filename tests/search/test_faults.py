"""Searches whose processes are killed: nothing finished is lost, and the end is the undisturbed one."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import optuna
import psutil
import pytest

from search.reporting.study_figures import importances
from search.running import run_study
from search.study import load_study
from storage.database import open_storage
from storage.errors import StorageError
from storage.records import TrialRecord
from storage.studies import delete_study
from tests.runs import (
    PATIENCE,
    Finished,
    outcomes,
    server_of,
    stored,
    training_in,
    training_trial,
    tree,
    trial_process_of,
    wait_for,
)

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]


@pytest.fixture
def run(start: Start, tmp_path: Path) -> Start:
    """Start `lstm-search run` on a study file with one worker."""

    def begin(path: Path, *more: str) -> "subprocess.Popen[str]":
        return start("run", path, "--out", tmp_path / "runs", "--workers", 1, *more)

    return begin


def seen_training(process: "subprocess.Popen[str]", folder: Path) -> TrialRecord:
    """The second trial or a later one, once it is running with a process of its own."""
    database = folder / "runs" / "studies.db"
    wait_for(lambda: database.exists() or None, process)
    return wait_for(lambda: training_in(f"sqlite:///{database}"), process)


def kill(what: str, worker: int) -> None:
    victims = {
        "trial": trial_process_of,
        "forkserver": server_of,
        "worker": psutil.Process,
    }
    victim = victims[what](worker)
    assert victim is not None
    victim.kill()


@pytest.mark.parametrize("what", ["trial", "worker", "forkserver"])
def test_a_killed_process_is_made_good_by_the_same_run(
    what: str, finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    process = run(write_study(tmp_path, trials=6))
    trial = seen_training(process, tmp_path)
    kill(what, trial.attributes["worker"][1])
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert record.count("running") == record.count("waiting") == 0
    lost = record.trials[trial.number]
    if what != "forkserver":  # a trial outlives the server that it was forked from
        assert lost.state == "failed"
        reasons = {"trial": "killed by SIGKILL", "worker": "its worker died"}
        assert reasons[what] in lost.attributes["failure"]
        (retry,) = (t for t in record.trials if t.attributes.get("retry_of") == lost.number)
        assert retry.attributes["tries"] == 2
        assert retry.params == lost.params


def test_a_run_whose_whole_tree_was_killed_goes_on_when_it_is_started_again(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    process = run(path)
    trial = seen_training(process, tmp_path)
    for member in tree(process.pid):
        member.kill()
    process.communicate()
    assert stored(tmp_path).trials[trial.number].state == "running"
    again = run(path)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert record.count("running") == record.count("waiting") == 0


def test_a_trial_goes_on_from_its_last_checkpoint_when_its_machine_has_died(
    tmp_path: Path, write_study: Write, start: Start
) -> None:
    settings = {"trials": 1, "epochs": 60, "pruner": "none", "checkpoint_seconds": 0.001}
    undisturbed = write_study(tmp_path / "undisturbed", **settings)
    out = ("--out", undisturbed.parent / "runs", "--workers", 1)
    start("run", undisturbed, *out).communicate(timeout=PATIENCE)
    path = write_study(tmp_path, **settings)
    out = ("--out", tmp_path / "runs", "--workers", 1)
    process = start("run", path, *out)
    checkpoint = tmp_path / "runs" / "artifacts" / "wave" / "checkpoints" / "slot_0.npz"
    wait_for(lambda: checkpoint.exists() or None, process)
    for member in tree(process.pid):
        member.kill()
    process.communicate()
    reached = max(stored(tmp_path).trials[0].intermediate_values)
    again = start("run", path, *out)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(undisturbed.parent))
    resumed = record.trials[1].attributes["resumed_from"]
    assert (
        reached - 1 <= resumed <= reached + 1
    )  # an epoch may end between a report and its checkpoint
    curves = [stored(folder).best.attributes["curves"] for folder in (tmp_path, undisturbed.parent)]
    assert curves[0] == curves[1]
    assert not checkpoint.exists()


def test_a_trial_that_is_killed_each_time_fails_after_three_tries_with_the_reason(
    tmp_path: Path, write_study: Write, run: Start
) -> None:
    process = run(write_study(tmp_path, trials=2, epochs=200, pruner="none"))
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        for member in tree(process.pid):
            with suppress(psutil.NoSuchProcess):
                parent = member.parent()
                if parent and "multiprocessing.forkserver" in " ".join(parent.cmdline()):
                    member.kill()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "no complete trial" in errors
    record = stored(tmp_path)
    assert [trial.attributes.get("tries", 1) for trial in record.trials].count(3) == 2
    assert len(record.trials) == 6
    assert all("SIGKILL" in trial.attributes["failure"] for trial in record.trials)


def test_a_trial_that_runs_out_of_memory_fails_with_the_reason_and_the_search_goes_on(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    process = run(write_study(tmp_path, trials=6))
    wait_for(lambda: (tmp_path / "runs" / "wave").exists() or None, process)

    def starved() -> TrialRecord | None:
        try:
            trial = training_trial(stored(tmp_path), first=0)
        except StorageError:
            return None  # the study has not begun
        victim = trial and trial_process_of(trial.attributes["worker"][1])
        if trial is None or victim is None:
            return None
        with suppress(psutil.NoSuchProcess):
            victim.suspend()
            now = stored(tmp_path).trials[trial.number]
            early = now.state == "running" and not now.intermediate_values
            if early:
                # What it has so far and not a page more: the next allocation fails.
                victim.rlimit(psutil.RLIMIT_AS, (victim.memory_info().vms,) * 2)
            victim.resume()
            return now if early else None
        return None

    trial = wait_for(starved, process)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = stored(tmp_path)
    # Where memory ends decides what the process dies of, and so whether the trial is tried again.
    kept = outcomes(record)
    assert [params for _, _, params, _ in kept] == [
        params for _, _, params, _ in outcomes(stored(finished[0]))
    ]
    assert record.trials[trial.number].state == "failed"
    assert record.trials[trial.number].attributes["failure"]
    assert record.count("failed") == 1
    assert record.count("running") == record.count("waiting") == 0


def only_complaint(process: "subprocess.Popen[str]") -> str:
    """The one line of a run that fails, beside those of its progress."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    progress = re.compile(r"\[|\d+ of \d+ trials are done already")
    found = [line for line in errors.splitlines() if not progress.match(line)]
    assert len(found) == 1, errors
    return found[0]


def test_a_database_deleted_in_mid_search_is_told_and_put_back(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    process = run(path)
    seen_training(process, tmp_path)
    (tmp_path / "runs" / "studies.db").unlink()
    assert "studies.db: was deleted or replaced while it was in use" in only_complaint(process)
    done = [trial for trial in stored(tmp_path).trials if trial.state == "complete"]
    again = run(path)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    record = stored(tmp_path)
    assert [record.trials[trial.number] for trial in done] == done
    assert outcomes(record) == outcomes(stored(finished[0]))


def test_a_study_deleted_in_mid_search_is_told(
    tmp_path: Path, write_study: Write, run: Start, start: Start
) -> None:
    path = write_study(tmp_path, trials=600)  # far from its end however slow it is to delete
    process = run(path)
    seen_training(process, tmp_path)
    deleting = start("delete", "wave", "--out", tmp_path / "runs", "--yes")
    _, errors = deleting.communicate(timeout=PATIENCE)
    assert deleting.returncode == 0, errors
    assert only_complaint(process) == "lstm-search: study 'wave' was deleted while it ran"


def test_a_study_deleted_while_its_report_is_written_is_told(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    changes = {"output": {"directory": str(tmp_path / "runs")}, "study": {"workers": 1}}
    study = load_study(tmp_path / "wave.toml", changes)

    def delete_first(found: optuna.Study) -> dict[str, float]:
        delete_study(open_storage(study.storage_url), "wave")
        return importances(found)

    monkeypatch.setattr("search.running.importances", delete_first)
    with pytest.raises(StorageError, match=r"^study 'wave' was deleted while it ran$"):
        run_study(study)


def test_sigterm_ends_a_run_as_ctrl_c_does(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    process = run(path)
    seen_training(process, tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert stored(tmp_path).count("running") == 0
    again = run(path)
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))


def test_a_second_ctrl_c_does_not_wait_for_the_epoch_to_end(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    process = run(path)
    trial = seen_training(process, tmp_path)
    members = tree(process.pid)
    stuck = trial_process_of(trial.attributes["worker"][1])
    assert stuck is not None
    stuck.suspend()  # an epoch without end
    process.send_signal(signal.SIGINT)
    stop = tmp_path / "runs" / "wave" / f"stop_{process.pid}"
    wait_for(lambda: stop.exists() or None, process)  # the first one has been heard
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    psutil.wait_procs(members, timeout=PATIENCE)
    assert not [member for member in members if member.is_running()]
    assert stored(tmp_path).count("running") == 0
    again = run(path)
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))


def test_a_worker_that_slept_past_the_grace_period_goes_on_without_harm(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    process = run(write_study(tmp_path, trials=6, grace_period=5))
    trial = seen_training(process, tmp_path)
    worker = psutil.Process(trial.attributes["worker"][1])
    worker.suspend()
    wait_for(lambda: stored(tmp_path).trials[trial.number].state == "failed" or None, process)
    worker.resume()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert "no sign of life for 5 s" in record.trials[trial.number].attributes["failure"]
    assert record.count("failed") == 1
    assert record.count("running") == record.count("waiting") == 0


def test_two_runs_of_one_study_at_once_share_its_trials(
    finished: Finished, tmp_path: Path, write_study: Write, run: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    both = [run(path, "--json"), run(path, "--json")]
    printed = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    record = stored(tmp_path)
    assert len(record.trials) == 6
    assert [trial.params for trial in record.trials] == [
        trial.params for trial in stored(finished[0]).trials
    ]
    assert {trial.state for trial in record.trials} <= {"complete", "pruned"}
