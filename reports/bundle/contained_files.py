"""The files of a bundle, read from a folder or an archive into memory; nothing is unpacked to disk."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reports.bundle.errors import BundleError
from reports.bundle.metadata import METADATA_FILE

_LARGEST = 2 * 2**30  # bytes of all files; an archive of a few KiB may claim to hold more
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError, RuntimeError)


def contained_files(path: Path) -> dict[str, bytes]:
    """Read every file of a bundle.

    Args:
        path: the folder, or a .zip, .tar, .tar.gz or .tgz file of it, which may have the folder on top.

    Returns:
        The content of each file by its name within the bundle.

    Raises:
        BundleError: there is no such bundle, it is damaged or too large, or a member of the archive
            lies outside its folder or is no plain file.
    """
    if path.is_dir():
        _check_is_bundle((path / METADATA_FILE).is_file(), path)  # before all that is in it is read
        found = _from_folder(path)
    elif not path.exists():
        raise BundleError(f"{path}: no such bundle; `lstm-search export` makes one")
    else:
        try:
            found = _from_archive(path)
        except BundleError:
            raise
        except _DAMAGED as error:
            raise BundleError(f"{path}: is a damaged archive: {error}") from None
    _check_is_bundle(METADATA_FILE in found, path)
    return found


def _check_is_bundle(has_metadata: bool, path: Path) -> None:
    if not has_metadata:
        raise BundleError(f"{path}: has no {METADATA_FILE}: it is not a bundle")


def _from_folder(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    _check_size(sum(path.stat().st_size for path in paths), folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _from_archive(path: Path) -> dict[str, bytes]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _without_top(dict(_zip_members(archive, path)))
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            return _without_top(dict(_tar_members(archive, path)))
    raise BundleError(f"{path}: is neither the folder of a bundle nor a .zip or .tar.gz of one")


def _zip_members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, bytes]]:
    members = archive.infolist()
    _check_size(sum(member.file_size for member in members), path)
    for member in members:
        _check_name(member.filename, path)
        kind = member.external_attr >> 28  # the upper bits of Unix' mode: 10 is a link
        if kind == 0o12:
            raise BundleError(f"{path}: {member.filename!r} is a link: refused")
        if not member.is_dir():
            yield member.filename, archive.read(member)


def _tar_members(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[str, bytes]]:
    members = archive.getmembers()
    _check_size(sum(member.size for member in members), path)
    for member in members:
        _check_name(member.name, path)
        if member.isdir():
            continue
        content = archive.extractfile(member) if member.isfile() else None
        if content is None:
            raise BundleError(f"{path}: {member.name!r} is a link or a device: refused")
        yield member.name, content.read()


def _check_name(name: str, path: Path) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0] == "/" or parts[0].endswith(":"))):
        raise BundleError(f"{path}: the member {name!r} leaves the bundle's folder: refused")


def _check_size(size: int, path: Path) -> None:
    if size > _LARGEST:
        raise BundleError(
            f"{path}: holds {size / 2**30:.1f} GiB, and a bundle may have {_LARGEST // 2**30}"
        )


def _without_top(found: dict[str, bytes]) -> dict[str, bytes]:
    """Name files from the bundle's folder on, where that folder is in the archive."""
    named = {str(PurePosixPath(name)): content for name, content in found.items()}
    tops = {name.split("/", 1)[0] for name in named}
    if METADATA_FILE in named or len(tops) != 1:
        return named
    return {name.split("/", 1)[1]: content for name, content in named.items() if "/" in name}
