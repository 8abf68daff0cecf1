"""Files that are either whole or not there: written beside their place, then moved into it."""

import ctypes
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` when the block succeeds.

    Whatever the block raises, the file that stood at `path` stays as it was and the half-written
    one is removed. The folder of `path` must exist; the temporary name keeps its suffix.

    Args:
        path: Where the finished file belongs.

    Yields:
        A path in the same folder (so that the move is one step) where no file exists yet.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def put_folder(finished: Path, place: Path) -> None:
    """Move a finished folder to its place on the same disk, instead of the one that stood there.

    On Linux's own file systems this is one step. Elsewhere it takes two, and between them the former
    folder stands beside its place as `.before_…`.
    """
    if not place.exists():
        os.rename(finished, place)
    elif _exchange(finished, place):
        shutil.rmtree(finished)
    else:
        before = place.with_name(f".before_{place.name}")
        shutil.rmtree(before, ignore_errors=True)
        os.rename(place, before)
        os.rename(finished, place)
        shutil.rmtree(before)


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places, so that no moment is without either; False where that cannot be."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(here, os.fsencode(one), here, os.fsencode(other), exchange)
    return done == 0
