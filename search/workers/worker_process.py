"""A worker as a process: what ends it, and where its output goes."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType


@contextmanager
def listening(stop: Path) -> Iterator[Callable[[], str | None]]:
    """Turn signals and the stop file into a question that is asked between epochs and trials."""
    asked: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(f"interrupted by {signal.Signals(number).name}")

    signal.signal(signal.SIGINT, note)
    before = signal.signal(signal.SIGTERM, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held off while it started
    parent = os.getppid()

    def reason() -> str | None:
        if stop.exists():
            return "interrupted"
        if os.getppid() != parent:
            return "interrupted: the run that started this worker is gone"
        return asked[0] if asked else None

    try:
        yield reason
    finally:
        signal.signal(signal.SIGTERM, before)


def write_errors_to(directory: Path) -> None:
    """Send what this worker and its trial processes print to a file, off the user's terminal."""
    with suppress(OSError):
        directory.mkdir(exist_ok=True)
        log = os.open(
            directory / f"worker_{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
