"""Bundles entered in the registry: kept under their checksum, so that no later export replaces them."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from objectives.errors import InputError
from reports.bundle import Bundle, load_bundle
from reports.bundle.checksums import CHECKSUMS_FILE
from storage.database import Database
from storage.models import RegisteredModel, register_bundle


def enter_bundle(storage: Database, bundle: Path, results: Path) -> RegisteredModel:
    """Check a bundle, keep a copy of its folder, and register that as a candidate of its study.

    The copy is `results`/STUDY/bundles/CHECKSUM, and the same bundle is copied and registered once.

    Raises:
        InputError: it is no folder, or cannot be copied.
        reports.bundle.BundleError: it is no sound bundle.
        storage.errors.StorageError: the study is not in the database, or that does not answer.
    """
    if not bundle.is_dir():
        raise InputError(f"{bundle}: there is no folder of a bundle here to register")
    checked = load_bundle(bundle)
    checksum = checksum_of(bundle)
    provenance = checked.metadata.provenance
    place = results / provenance.study / "bundles" / checksum[:16]
    try:
        _copy_whole(bundle, place)
    except OSError as error:
        raise InputError(f"{bundle}: cannot be copied to {place}: {error.strerror}") from None
    facts = {
        "trial": provenance.trial,
        "export": checked.metadata.version,
        "test": dict(checked.metadata.test.model),
    }
    return register_bundle(storage, provenance.study, place, checksum, facts)


def open_registered(model: RegisteredModel) -> Bundle:
    """Load a bundle after making sure that its files are those that were registered.

    Raises:
        InputError: they are those of another bundle.
        reports.bundle.BundleError: they are gone or were changed.
    """
    bundle = load_bundle(model.path)
    if checksum_of(model.path) != model.checksum:
        raise InputError(
            f"{model.path}: holds another bundle than model {model.version} of study "
            f"{model.study!r}; register that one"
        )
    return bundle


def checksum_of(bundle: Path) -> str:
    """The SHA-256 of a bundle's list of checksums, in hexadecimal."""
    return hashlib.sha256((bundle / CHECKSUMS_FILE).read_bytes()).hexdigest()


def _copy_whole(bundle: Path, place: Path) -> None:
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished_", dir=place.parent) as folder:
        copy = Path(folder) / "bundle"
        shutil.copytree(bundle, copy)
        copy.rename(place)
