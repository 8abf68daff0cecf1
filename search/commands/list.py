"""`lstm-search list`: the studies in a database."""

import json
from pathlib import Path

from rich.table import Column, Table

from search.commands.opening import open_existing
from search.commands.terminal import open_console
from storage.records import StudySummary
from storage.studies import list_studies

_STATES = ("complete", "pruned", "failed", "running", "waiting")


def execute(storage: str | None, out: Path | None, *, as_json: bool) -> int:
    """Print a line for each study."""
    studies = list_studies(open_existing(storage, out))
    if as_json:
        print(json.dumps([_plain(study) for study in studies], indent=2))
        return 0
    started = Column("started", overflow="fold")  # cut, it would hide the day
    table = Table("study", "best", *_STATES, started, header_style="bold")
    for study in studies:
        best = "-" if study.best is None else f"{study.best:.5g}"
        since = "-" if study.started is None else f"{study.started:%Y-%m-%d %H:%M}"
        counts = (str(study.counts.get(state, 0)) for state in _STATES)
        table.add_row(study.name, best, *counts, since)
    open_console().print(table if studies else "no studies yet")
    return 0


def _plain(study: StudySummary) -> dict[str, object]:
    return {
        "name": study.name,
        "best": study.best,
        "trials": {state: study.counts.get(state, 0) for state in _STATES},
        "started": None if study.started is None else study.started.isoformat(),
    }
