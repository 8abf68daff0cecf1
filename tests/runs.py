"""Searches as real processes, seen from outside: through their database and their process tree."""

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGCHLD
from typing import Any, TypeVar

import psutil

from storage.database import open_storage
from storage.errors import StorageError
from storage.records import StudyRecord, TrialRecord
from storage.studies import read_study

Finished = tuple[Path, subprocess.CompletedProcess[str]]
Found = TypeVar("Found")
Start = Callable[..., "subprocess.Popen[str]"]
PATIENCE = 180  # seconds
_ENDS = (psutil.NoSuchProcess, psutil.ZombieProcess)


def stored(folder: Path, name: str = "wave") -> StudyRecord:
    """The study in the SQLite file below a folder."""
    return read_study(open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}"), name)


def outcomes(record: StudyRecord) -> list[tuple[Any, ...]]:
    """What a seed decides, for every trial that was not replaced by a retry, in the order of slots."""
    gone = {trial.attributes.get("retry_of") for trial in record.trials}
    kept = [trial for trial in record.trials if trial.number not in gone]
    kept.sort(key=lambda trial: trial.attributes.get("slot", trial.number))
    return [(t.state, t.value, dict(t.params), t.attributes.get("seed")) for t in kept]


def wait_for(what: Callable[[], Found | None], process: "subprocess.Popen[str]") -> Found:
    """Look until something is there, while a process runs."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (found := what()) is not None:
            return found
        if process.poll() is not None:
            raise AssertionError(f"the run ended first: {process.communicate()[1]}")
    raise AssertionError("it was not seen")


def training_trial(record: StudyRecord, first: int = 1) -> TrialRecord | None:
    """A running trial that is at least number `first` and has a process of its own."""
    for trial in record.trials[first:]:
        worker = trial.attributes.get("worker")
        if trial.state == "running" and worker and trial_process_of(worker[1]):
            return trial
    return None


def training_in(url: str, first: int = 1) -> TrialRecord | None:
    """A trial of the study "wave" that is training and is at least number `first`; None before that."""
    try:
        storage = open_storage(url)
        try:
            return training_trial(read_study(storage, "wave"), first)
        finally:
            storage.engine.dispose()
    except StorageError:
        return None  # the study has not begun


def server_of(worker: int) -> psutil.Process | None:
    """The forkserver of a worker."""
    try:
        for child in psutil.Process(worker).children():
            if "multiprocessing.forkserver" in " ".join(child.cmdline()):
                return child
    except _ENDS:
        pass
    return None


def trial_process_of(worker: int) -> psutil.Process | None:
    """The process of the trial that a worker has running."""
    server = server_of(worker)
    return forked_by(server) if server else None


def forked_by(server: psutil.Process) -> psutil.Process | None:
    """The process that a forkserver has forked; what it runs while it still imports is none."""
    try:
        return next(iter(server.children()), None) if SIGCHLD in caught_by(server.pid) else None
    except _ENDS:
        return None


def caught_by(pid: int) -> set[int]:
    """The signals that a process has handlers for; a forkserver has its first when it can fork."""
    with suppress(FileNotFoundError, ProcessLookupError):
        status = Path(f"/proc/{pid}/status").read_text()
        handled = int(re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[0], 16)
        return {number for number in range(1, 65) if handled >> (number - 1) & 1}
    return set()


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    try:
        top = psutil.Process(pid)
        return [*top.children(recursive=True), top]
    except psutil.NoSuchProcess:
        return []
