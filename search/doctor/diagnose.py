"""What would be fast on this machine, and what is missing: everything that a search relies on, tried."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from sqlalchemy import make_url

from reports.wording import studies
from search.doctor.finding import GIGABYTE, Finding
from search.doctor.machine import machine_findings, usual_workers
from search.doctor.software import import_for_trials, software_findings
from search.doctor.trial_findings import failed_trial, trial_findings
from storage.address import missing_file, redacted
from storage.errors import StorageError
from storage.maintenance import Health, examine

_DATABASE = "Database"
SLOW_DATABASE = 0.1  # seconds a write; a trial of 30 epochs writes about 60 times
_SLOW_DISK = 20e6  # bytes a second
_LEAST_SPACE = 0.5 * GIGABYTE
_PIECE = 4 * 2**20  # bytes
_MOST_WRITTEN = 64 * 2**20  # bytes
_WRITING_SECONDS = 1.0


def diagnose(url: str, named_by: str, folder: Path) -> Iterator[Finding]:
    """Look at the software, the machine, the database and the folder, and train a trial.

    Nothing is left behind, but for Optuna's tables in a database server that has none. The generator
    yields what it finds as it goes, in about 20 seconds.

    Args:
        url: of the database.
        named_by: what named the database: an option, say, in words.
        folder: of results; it need not exist.
    """
    imported = import_for_trials()
    yield from software_findings(imported)
    workers = usual_workers(imported.gpus)
    yield from machine_findings(imported.gpus)
    yield from _database(url, named_by, workers)
    yield _results(folder)
    if imported.failure:
        yield failed_trial("TensorFlow cannot be imported")
    else:
        yield from trial_findings(imported.gpus, workers)


def _database(url: str, named_by: str, workers: int) -> Iterator[Finding]:
    new = missing_file(url)
    try:
        health = examine(url) if new is None else _examine_place(url, new)
    except StorageError as error:
        on_disk = url.startswith("sqlite")
        yield Finding(
            _DATABASE,
            "access",
            "missing",
            str(error),
            f"see that {'its folder can be written to' if on_disk else 'the server lets you in'}, or "
            f"name another database with --storage (this one is {named_by})",
            stops=True,
            figures={"url": redacted(url)},
        )
        return
    found = studies(health.studies) if new is None else "the first search makes it"
    yield Finding(
        _DATABASE,
        "access",
        "fine",
        f"{redacted(url)} ({named_by}): {health.server}, {found}",
        figures={"url": redacted(url), "server": health.server, "studies": health.studies},
    )
    if not health.up_to_date:
        yield Finding(
            _DATABASE,
            "tables",
            "missing",
            f"made by another Optuna: version {health.schema}, but this one has {health.newest_schema}",
            "where they are older: lstm-search storage upgrade URL; else install the newer Optuna",
            stops=True,
        )
    yield _writes(health)
    if health.most_workers is not None:
        yield _connections(health.most_workers, workers)


def _examine_place(url: str, new: Path) -> Health:
    """Examine a database made for this, and removed again, in the folder of one that is to come."""
    try:
        with TemporaryDirectory(dir=_existing(new.parent), prefix="lstm_search_") as made:
            address = make_url(url).set(database=str(Path(made) / new.name))
            try:
                return examine(address.render_as_string(hide_password=False))
            except StorageError as error:
                raise StorageError(str(error).replace(made, str(new.parent))) from None
    except OSError as error:
        raise StorageError(f"cannot write to {new.parent}: {error.strerror}") from None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writes(health: Health) -> Finding:
    slow = health.write_seconds > SLOW_DATABASE
    return Finding(
        _DATABASE,
        "writes",
        "slow" if slow else "fine",
        f"{1000 * health.write_seconds:.1f} ms each" + ": trials will wait for them" * slow,
        "use a local disk, or a database server that is near" if slow else "",
        figures={"write_milliseconds": round(1000 * health.write_seconds, 3)},
    )


def _connections(most: int, wanted: int) -> Finding:
    few = most < wanted
    return Finding(
        _DATABASE,
        "connections",
        ("slow" if most else "missing") if few else "fine",
        f"enough for {most} more workers",
        "raise the server's limit (max_connections), or end programs that hold connections"
        if few
        else "",
        stops=not most,
        figures={"most_workers": most},
    )


def _results(folder: Path) -> Finding:
    try:
        place = _existing(folder)
        free = shutil.disk_usage(place).free
        speed = _writing_speed(place, free)
    except OSError as error:
        return Finding(
            "Results",
            "folder",
            "missing",
            f"cannot write to {folder}: {error.strerror}",
            "choose another folder with --out, or make room there",
            stops=True,
        )
    made = "" if place == folder else ", which the first search makes"
    text = f"{folder}{made}: {free / GIGABYTE:.1f} GB free, {speed / 1e6:.0f} MB written a second"
    figures = {"free_bytes": free, "bytes_a_second": round(speed)}
    if free < _LEAST_SPACE:
        return Finding("Results", "folder", "missing", text, "make room there", figures=figures)
    if speed < _SLOW_DISK:
        advice = "name a folder on a faster or local disk with --out"
        return Finding("Results", "folder", "slow", text, advice, figures=figures)
    return Finding("Results", "folder", "fine", text, figures=figures)


def _writing_speed(folder: Path, free: int) -> float:
    """Bytes a second that reach the disk; for a second at most, and little of a disk that is full."""
    piece = os.urandom(_PIECE)  # nothing that a file system could compress
    written = 0
    with TemporaryFile(dir=folder) as file:
        started = time.perf_counter()
        while True:
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            written += _PIECE
            seconds = time.perf_counter() - started
            if written >= min(_MOST_WRITTEN, free // 10) or seconds > _WRITING_SECONDS:
                return written / seconds
