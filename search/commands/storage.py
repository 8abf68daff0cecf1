"""`lstm-search storage`: look after a database."""

import logging
from pathlib import Path

from reports.wording import counted, studies
from search.commands.opening import open_existing
from search.commands.terminal import open_console
from storage import maintenance
from storage.address import redacted
from storage.database import open_storage
from storage.studies import study_names

_SLOW_WRITE = 0.1  # seconds; a trial of 30 epochs writes about 60 times


def check(url: str) -> int:
    """Print how a database is; 1 where a search would suffer."""
    health = maintenance.examine(url)
    console = open_console(highlight=False, soft_wrap=True)
    console.print(f"database     {redacted(url)}: {health.server}, {studies(health.studies)}")
    schema = "the newest" if health.up_to_date else "run `lstm-search storage upgrade`"
    console.print(f"schema       {health.schema}: {schema}")
    slow = health.write_seconds > _SLOW_WRITE
    verdict = "slow: trials will wait for it" if slow else "fine"
    console.print(f"write        {1000 * health.write_seconds:.1f} ms: {verdict}")
    most = health.most_workers
    if most is not None:
        used, allowed = health.connections_used, health.connections_allowed
        console.print(f"connections  {used} of {allowed} used: enough for {most} more workers")
    return int(slow or not health.up_to_date or most == 0)


def upgrade(url: str) -> int:
    """Bring the schema to the newest version."""
    logging.disable(logging.INFO)  # Alembic's steps
    try:
        before, after = maintenance.upgrade(url)
    finally:
        logging.disable(logging.NOTSET)
    what = f"was {after} already" if before == after else f"went from {before} to {after}"
    print(f"the schema of {redacted(url)} {what}")
    return 0


def backup(url: str, file: Path) -> int:
    """Copy every study into a new file."""
    copied = maintenance.back_up(url, file)
    print(f"copied {studies(copied)} of {redacted(url)} into {file}")
    return 0


def restore(file: Path, url: str) -> int:
    """Copy every study of a backup into a database."""
    copied = maintenance.restore(file, url)
    print(f"copied {studies(copied)} of {file} into {redacted(url)}")
    return 0


def copy(source: str, target: str, names: tuple[str, ...], artifacts: str | None) -> int:
    """Copy the studies named, or all, from one database to another, and their artifacts if asked to."""
    opened = open_existing(source, None)
    chosen = names or study_names(opened)
    trials = maintenance.copy_studies(opened, open_storage(target), chosen, artifacts)
    also = "" if artifacts is None else f", artifacts into {artifacts}"
    what = f"{studies(len(chosen))} with {counted(trials, 'trial')}"
    print(f"copied {what} into {redacted(target)}{also}")
    return 0
