"""`lstm-search list`: the studies in a database."""

import json
from pathlib import Path

from search.commands.opening import open_existing
from search.commands.terminal import make_table, open_console
from storage.records import StudySummary
from storage.studies import list_studies

_STATES = ("complete", "pruned", "failed", "running", "waiting")


def execute(storage: str | None, out: Path | None, *, as_json: bool) -> int:
    """Print a line for each study."""
    studies = list_studies(open_existing(storage, out))
    if as_json:
        print(json.dumps([_plain(study) for study in studies], indent=2))
        return 0
    table = make_table("study", "best", "trials", "started", whole=("best", "started"))
    for study in studies:
        best = "-" if study.best is None else f"{study.best:.5g}"
        since = "-" if study.started is None else f"{study.started:%Y-%m-%d %H:%M}"
        counts = [f"{study.counts[state]} {state}" for state in _STATES if study.counts.get(state)]
        table.add_row(study.name, best, ", ".join(counts) or "-", since)
    open_console().print(table if studies else "no studies yet")
    return 0


def _plain(study: StudySummary) -> dict[str, object]:
    return {
        "name": study.name,
        "best": study.best,
        "trials": {state: study.counts.get(state, 0) for state in _STATES},
        "started": None if study.started is None else study.started.isoformat(),
    }
