"""SHA256SUMS: what every file of a bundle hashes to, in the format of `sha256sum`."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from reports.bundle.errors import BundleError

CHECKSUMS_FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def checksums(files: Mapping[str, bytes]) -> str:
    """The content of SHA256SUMS for these files, by their names within the bundle."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines)


def verify(files: Mapping[str, bytes], source: str) -> None:
    """Check that every file is what it was when the bundle was made, and that none is missing or new.

    Raises:
        BundleError: names the first file that differs; nothing of such a bundle may be loaded.
    """
    if CHECKSUMS_FILE not in files:
        raise BundleError(
            f"{source}: has no {CHECKSUMS_FILE}: it is not a bundle, or not all of it"
        )
    expected: dict[str, str] = {}
    for line in files[CHECKSUMS_FILE].decode("utf-8", "replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise BundleError(f"{source}: {CHECKSUMS_FILE} has the unreadable line {line!r}")
        expected[found[2]] = found[1]
    for name in sorted(expected.keys() | files.keys() - {CHECKSUMS_FILE}):
        _verify_one(name, expected.get(name), files.get(name), source)


def _verify_one(name: str, expected: str | None, content: bytes | None, source: str) -> None:
    if content is None:
        raise BundleError(f"{source}: {name} is missing, which {CHECKSUMS_FILE} lists")
    if expected is None:
        raise BundleError(f"{source}: {name} is not listed in {CHECKSUMS_FILE}: remove the file")
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise BundleError(
            f"{source}: {name} was changed after the bundle was made: its SHA-256 is "
            f"{received[:12]}…, and {CHECKSUMS_FILE} says {expected[:12]}…: get a fresh copy"
        )


def write_checksums(directory: Path) -> None:
    """Write SHA256SUMS for all that is in a folder."""
    found = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS_FILE
    }
    (directory / CHECKSUMS_FILE).write_text(checksums(found), encoding="utf-8")
