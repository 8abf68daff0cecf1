"""`lstm-search show`: the trials of a study."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from search.commands.opening import open_existing
from search.result import trials_frame
from storage.records import StudyRecord, TrialRecord, read_study

_STYLES = {"complete": "green", "pruned": "yellow", "failed": "red", "running": "cyan"}


def execute(
    name: str, storage: str | None, out: Path | None, *, as_json: bool, as_csv: bool
) -> int:
    """Print a row for each trial, as a table, JSON or CSV."""
    record = read_study(open_existing(storage, out), name)
    if as_json:
        print(json.dumps([_plain(trial) for trial in record.trials], indent=2, default=str))
    elif as_csv:
        print(trials_frame(record.trials).to_csv(), end="")
    else:
        # A file or a pipe has no width to fit into.
        Console(width=None if sys.stdout.isatty() else 300).print(_table(record))
    return 0


def _plain(trial: TrialRecord) -> dict[str, object]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": trial.value,
        "params": dict(trial.params),
        "seconds": trial.seconds,
        "started": trial.started,
        "ended": trial.ended,
        "intermediate_values": dict(trial.intermediate_values),
        **dict(trial.attributes),
    }


def _table(record: StudyRecord) -> Table:
    names = list(dict.fromkeys(name for trial in record.trials for name in trial.params))
    failures = any("failure" in trial.attributes for trial in record.trials)
    columns = ("trial", "state", "value", *names, "epochs", "best", "overhead", "seconds")
    table = Table(*columns, *(("reason",) if failures else ()), header_style="bold")
    best = record.best
    for trial in record.trials:
        style = "bold green" if best and trial.number == best.number else None
        state = f"[{_STYLES.get(trial.state, 'dim')}]{trial.state}[/]"
        cells = [
            str(trial.number),
            state,
            _short(trial.value),
            *(_short(trial.params.get(name)) for name in names),
            _short(trial.attributes.get("epochs")),
            _short(trial.attributes.get("best_epoch")),
            _short(overhead(trial)),
            "-" if trial.seconds is None else f"{trial.seconds:.1f}",
        ]
        if failures:
            cells.append(trial.attributes.get("failure", ""))
        table.add_row(*cells, style=style)
    return table


def overhead(trial: TrialRecord) -> float | None:
    """Seconds of a trial beyond its updates and validations: start, build, tracing, database."""
    steps = trial.attributes.get("seconds", {}).get("steps")
    return None if steps is None or trial.seconds is None else round(trial.seconds - steps, 2)


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
