"""`lstm-search show`: the trials of a study."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from reports.contents import Confirmation
from reports.optimism import decision_in_words
from search.commands.opening import open_existing
from search.commands.terminal import fits, make_table, open_console
from search.selection.confirmed import crowned, read_confirmation
from search.stored_identity import stored_identity
from search.watching.terminal_plots import curves_plot, history_plot
from storage.records import StudyRecord, TrialRecord
from storage.studies import read_study

_MOST_ROWS = 200  # of a table; more take seconds to lay out, and nobody reads them
_ALL = "parameters"
_STYLES = {"complete": "green", "pruned": "yellow", "failed": "red", "running": "cyan"}


def execute(
    name: str, storage: str | None, out: Path | None, *, as_json: bool, as_csv: bool, plot: bool
) -> int:
    """Print a row for each trial, as a table, JSON or CSV, or draw the study."""
    database = open_existing(storage, out)
    record = read_study(database, name, epochs=as_json or plot)
    if plot:
        _draw(record)
    elif as_json:
        print(json.dumps([_plain(trial) for trial in record.trials], indent=2, default=str))
    elif as_csv:
        from search.result import trials_frame  # noqa: PLC0415  (pandas takes half a second)

        print(trials_frame(record.trials).to_csv(), end="")
    else:
        confirmation = read_confirmation(database, record)
        console = open_console()
        best = crowned(record, confirmation)
        table = _table(record, best)
        console.print(table if fits(table, console) else _narrow_table(record, best))
        if len(record.trials) > _MOST_ROWS:
            console.print(
                f"the best and the newest {_MOST_ROWS} of {len(record.trials)} trials; --csv and --json "
                "give all"
            )
        if confirmation is not None:
            console.print(_candidates(confirmation))
            console.print(decision_in_words(confirmation), highlight=False)
    return 0


def _draw(record: StudyRecord) -> None:
    metric = stored_identity(record.name, record.attributes)["training"]["metric"]
    width = shutil.get_terminal_size().columns
    print(history_plot(record, metric, width), curves_plot(record, metric, width), sep="\n")


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


def _candidates(confirmation: Confirmation) -> Table:
    table = make_table("candidate", "search", "mean", "deviation", "fresh seeds")
    table.title, table.title_justify = "Confirmation", "left"
    for each in confirmation.candidates:
        scores = ", ".join("failed" if score is None else _short(score) for score in each.scores)
        cells = (str(each.trial), *map(_short, (each.search, each.mean, each.deviation)), scores)
        table.add_row(*cells, style="bold green" if each.trial == confirmation.winner else None)
    return table


def _table(record: StudyRecord, best: TrialRecord | None) -> Table:
    names = list(dict.fromkeys(name for trial in record.trials for name in trial.params))
    columns = ("trial", "state", "value", *names, "epochs", "best", "overhead", "seconds")
    return _filled(
        columns,
        record,
        best,
        lambda trial: [
            *_first_cells(trial),
            *(_short(trial.params.get(name)) for name in names),
            _short(trial.attributes.get("epochs")),
            _short(trial.attributes.get("best_epoch")),
            _short(overhead(trial)),
            _seconds(trial),
        ],
    )


def _narrow_table(record: StudyRecord, best: TrialRecord | None) -> Table:
    """All parameters in one column, and without what few look for."""
    columns = ("trial", "state", "value", "seconds", _ALL)
    return _filled(
        columns,
        record,
        best,
        lambda trial: [
            *_first_cells(trial),
            _seconds(trial),
            ", ".join(f"{name}={_short(value)}" for name, value in trial.params.items()),
        ],
    )


def _filled(
    columns: Sequence[str],
    record: StudyRecord,
    best: TrialRecord | None,
    cells: Callable[[TrialRecord], list[str | Text]],
) -> Table:
    failures = any("failure" in trial.attributes for trial in record.trials)
    whole = [column for column in columns if column != _ALL]
    table = make_table(*columns, *(("reason",) if failures else ()), whole=whole)
    for trial in _shown(record.trials, best):
        style = "bold green" if best and trial.number == best.number else None
        reason = [trial.attributes.get("failure", "")] if failures else []
        table.add_row(*cells(trial), *reason, style=style)
    return table


def _first_cells(trial: TrialRecord) -> list[str | Text]:
    state = Text(trial.state, _STYLES.get(trial.state, "dim"))
    return [str(trial.number), state, _short(trial.value)]


def _seconds(trial: TrialRecord) -> str:
    return "-" if trial.seconds is None else f"{trial.seconds:.1f}"


def _shown(trials: Sequence[TrialRecord], best: TrialRecord | None) -> list[TrialRecord]:
    """The newest trials, and the best whenever it was."""
    return [t for t in trials if t.number >= len(trials) - _MOST_ROWS or t is best]


def overhead(trial: TrialRecord) -> float | None:
    """Seconds of a trial beyond its updates and validations: start, build, tracing, database."""
    steps = trial.attributes.get("seconds", {}).get("steps")
    return None if steps is None or trial.seconds is None else round(trial.seconds - steps, 2)


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
