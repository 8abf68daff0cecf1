"""Half-written files of processes that were killed: found by their names and their age, and removed."""

import re
import time
from contextlib import suppress
from pathlib import Path

from storage.artifacts import artifact_folder

_OLD = 3600  # seconds since the last write; between that and the file's own name lies a moment
_HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{12}\.\w+|unfinished_.+|probe_[0-9a-f-]{36}|stop_\d+")


def remove_abandoned(directory: Path, artifacts: str) -> None:
    """Remove what nobody has written to for an hour from a study's folder and that of its artifacts."""
    shared = artifact_folder(artifacts)
    found = [*directory.rglob("*"), *(shared.iterdir() if shared else ())]
    for path in found:
        if _HALF_WRITTEN.fullmatch(path.name):
            with suppress(OSError):  # another run was first
                if path.is_file() and path.stat().st_mtime < time.time() - _OLD:
                    path.unlink()
