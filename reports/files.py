"""Files that are either whole or not there: written beside their place, then moved into it."""

import os
import secrets
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
