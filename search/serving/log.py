"""The server's log: one JSON object a line on standard output."""

import logging
import os
import time
from contextlib import suppress
from typing import Any

import orjson

_STANDARD_OUTPUT = 1


def write_line(event: str, **facts: Any) -> None:
    """Write one line at once: lines of several processes do not mix, and none waits in a buffer."""
    line = {"time": _now(), "event": event, **facts}
    content = orjson.dumps(line, default=str) + b"\n"
    with suppress(OSError):  # whoever read it is gone, or a disk is full: answering goes on
        os.write(_STANDARD_OUTPUT, content)


def _now() -> str:
    seconds = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"


class _Lines(logging.Handler):
    """What libraries log, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
        write_line(record.levelname.lower(), logger=record.name, message=message)


def take_over_logging() -> None:
    """Let the warnings of all libraries come here."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()], force=True)
