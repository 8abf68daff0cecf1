"""Ctrl-C and SIGTERM, heeded only where nothing is half done.

Python raises KeyboardInterrupt out of any line. Out of a query it leaves SQLite locked, and every worker
waits: the connection is closed, but its cursor, which the exception keeps alive, holds the transaction
open. Out of a future's lock it leaves an executor that never ends; out of a destructor it is lost.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PATIENT_FOR = 2  # signals that nobody has heeded; who sends more is not kept waiting

Heed = Callable[[], None]


@contextmanager
def interruptions_noted() -> Iterator[Heed]:
    """Raise KeyboardInterrupt in a block only where it calls the function given, or at its end.

    Each signal is raised once. A third that comes before the first was heeded is raised wherever the
    program is: it hangs, or the database is away. Signals that mean something else are left alone.
    """
    unheeded = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal unheeded
        unheeded += 1
        if unheeded > _PATIENT_FOR:
            raise KeyboardInterrupt

    def heed() -> None:
        nonlocal unheeded
        if unheeded:
            unheeded -= 1
            raise KeyboardInterrupt

    ours = _interrupting()
    try:
        for number in ours:
            signal.signal(number, note)
        yield heed
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
        heed()  # an error of the block comes second: the signal may have caused it elsewhere


def _interrupting() -> list[signal.Signals]:
    """The signals that raise KeyboardInterrupt; Python lets only the main thread have any."""
    if threading.current_thread() is not threading.main_thread():
        return []
    both = (signal.SIGINT, signal.SIGTERM)
    return [each for each in both if signal.getsignal(each) is signal.default_int_handler]
