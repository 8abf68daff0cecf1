"""Searches whose processes are killed: nothing finished is lost, and the end is the undisturbed one."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.database import open_storage
from storage.records import StudyRecord, TrialRecord, read_study

Finished = tuple[Path, subprocess.CompletedProcess[str]]
PATIENCE = 120  # seconds


def stored(folder: Path) -> StudyRecord:
    return read_study(open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}"), "wave")


def outcomes(record: StudyRecord) -> list[tuple[Any, ...]]:
    """What a seed decides, for every trial that was not replaced by a retry, in the order of slots."""
    gone = {trial.attributes.get("retry_of") for trial in record.trials}
    kept = [trial for trial in record.trials if trial.number not in gone]
    kept.sort(key=lambda trial: trial.attributes.get("slot", trial.number))
    return [(t.state, t.value, dict(t.params), t.attributes.get("seed")) for t in kept]


@pytest.fixture
def start(tmp_path: Path, command: list[str]) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start `lstm-search run` with one worker in a session of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(path: Path) -> subprocess.Popen[str]:
        arguments = [*command, "run", str(path), "--out", str(tmp_path / "runs"), "--workers", "1"]
        process = subprocess.Popen(
            arguments, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children too, where it is gone itself
        if process.stderr is not None and not process.stderr.closed:
            process.communicate()


def tree(pid: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(pid)
        return [*top.children(recursive=True), top]
    except psutil.NoSuchProcess:
        return []


def wait_for_second_trial(process: subprocess.Popen[str], folder: Path) -> TrialRecord:
    """The second trial, running, with a process of its own."""
    assert process.stderr is not None
    assert any(line.startswith("[1/6]") for line in process.stderr)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for trial in stored(folder).trials:
            worker = trial.attributes.get("worker")
            if trial.state == "running" and worker and trial_process_of(worker[1]):
                return trial
    raise AssertionError("no trial was seen running")


def server_of(worker: int) -> psutil.Process:
    (found,) = (
        child
        for child in psutil.Process(worker).children()
        if "multiprocessing.forkserver" in " ".join(child.cmdline())
    )
    return found


def trial_process_of(worker: int) -> psutil.Process | None:
    children = server_of(worker).children()
    return children[0] if children else None


def victim_of(what: str, worker: int) -> psutil.Process:
    if what == "trial":
        found = trial_process_of(worker)
        assert found is not None
        return found
    return server_of(worker) if what == "forkserver" else psutil.Process(worker)


@pytest.mark.parametrize("what", ["trial", "worker", "forkserver"])
def test_a_killed_process_is_made_good_by_the_same_run(
    what: str,
    finished: Finished,
    tmp_path: Path,
    write_study: Callable[..., Path],
    start: Callable[[Path], subprocess.Popen[str]],
) -> None:
    process = start(write_study(tmp_path, trials=6))
    trial = wait_for_second_trial(process, tmp_path)
    victim_of(what, trial.attributes["worker"][1]).kill()
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
    finished: Finished,
    tmp_path: Path,
    write_study: Callable[..., Path],
    start: Callable[[Path], subprocess.Popen[str]],
) -> None:
    path = write_study(tmp_path, trials=6)
    process = start(path)
    trial = wait_for_second_trial(process, tmp_path)
    for member in tree(process.pid):
        member.kill()
    process.communicate()
    assert stored(tmp_path).trials[trial.number].state == "running"
    again = start(path)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert record.count("running") == record.count("waiting") == 0


def test_a_trial_that_is_killed_each_time_fails_after_three_tries_with_the_reason(
    tmp_path: Path,
    write_study: Callable[..., Path],
    start: Callable[[Path], subprocess.Popen[str]],
) -> None:
    process = start(write_study(tmp_path, trials=2, epochs=200, pruner="none"))
    killed: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while len(killed) < 6 and process.poll() is None and time.monotonic() < deadline:
        for member in tree(process.pid):
            try:
                parent = member.parent()
                if parent and "multiprocessing.forkserver" in " ".join(parent.cmdline()):
                    member.kill()
                    killed.add(member.pid)
            except psutil.NoSuchProcess:
                continue
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "no complete trial" in errors
    record = stored(tmp_path)
    assert [trial.attributes.get("tries", 1) for trial in record.trials].count(3) == 2
    assert len(record.trials) == 6
    assert all("SIGKILL" in trial.attributes["failure"] for trial in record.trials)


def test_sigterm_ends_a_run_as_ctrl_c_does(
    finished: Finished,
    tmp_path: Path,
    write_study: Callable[..., Path],
    start: Callable[[Path], subprocess.Popen[str]],
) -> None:
    path = write_study(tmp_path, trials=6)
    process = start(path)
    wait_for_second_trial(process, tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert stored(tmp_path).count("running") == 0
    again = start(path)
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))
