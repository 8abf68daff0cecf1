"""Who runs a trial, and whether it still lives."""

import os
import socket
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
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def text(self) -> str:
        """The name in one word, for a lock."""
        return ":".join(str(part) for part in self)

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended: it was on this machine and is here no more."""
        if self.host != socket.gethostname():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) > 1.0
        except psutil.NoSuchProcess:
            return True
