"""Who runs a trial, and whether it still lives."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class WorkerName(NamedTuple):
    """Who runs a trial: a process, told apart from a later one with the same number by its birth."""

    host: str
    pid: int
    born: float

    @classmethod
    def mine(cls) -> "WorkerName":
        """This process."""
        return cls(_host(), os.getpid(), psutil.Process().create_time())

    @property
    def text(self) -> str:
        """The name in one word, for a lock."""
        return ":".join(str(part) for part in self)

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended: it was on this machine and is here no more."""
        if self.host != _host():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) > 1.0
        except psutil.NoSuchProcess:
            return True


def _host() -> str:
    """Where numbers of processes mean what they mean here: "name/start of the machine/namespace".

    Machines and containers may share a name. What was here before the machine started cannot be told
    from what is elsewhere, and is known to be dead by its silence.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
    with suppress(OSError):
        parts.append("".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid"))))
    return "/".join(parts)
