"""How far a search has come: a live table on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.counts import finished_trials, trial_counts
from reports.wording import counted
from search.searching import Progress
from search.selection.confirmed import CONFIRMS, RUN
from search.watching.terminal_plots import best_values, sparkline
from storage.records import TrialRecord

Watch = Callable[[Progress], None]


@contextmanager
def show_progress(epochs: int, *, quiet: bool, console: Console | None = None) -> Iterator[Watch]:
    """Give what is to be called with a study's progress; the display ends with the block.

    Args:
        epochs: that a trial has at most, over all folds.
        quiet: show nothing.
        console: where to; None for standard error.
    """
    console = console or Console(file=sys.stderr)
    if quiet:
        yield lambda progress: None
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            done_before: int | None = None

            def watch(progress: Progress) -> None:
                nonlocal done_before
                done = trial_counts(progress.record)["total"]
                done_before = done if done_before is None else done_before
                speed = (done - done_before) / max(progress.seconds, 1e-3)
                live.update(_display(progress, speed, epochs))

            yield watch
    else:
        yield _Lines(console)


class _Lines:
    """A line for each trial that has ended, printed once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[int] | None = None
        self._study = ""

    def __call__(self, progress: Progress) -> None:
        if progress.record.name != self._study:  # the search, then its confirmation
            self._study, self._told = progress.record.name, None
        ended = {trial.number: trial for trial in finished_trials(progress.record)}
        if self._told is None:
            self._told = set(ended)
            self._say(f"{len(ended)} of {progress.total} trials are done already" if ended else "")
        for number in sorted(set(ended) - self._told):
            self._told.add(number)
            self._say(_line(ended[number], progress, len(self._told)))

    def _say(self, text: str) -> None:
        if text:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _line(trial: TrialRecord, progress: Progress, done: int) -> str:
    best = progress.record.best
    so_far = "" if best is None else f", best so far {best.value:.5g} (trial {best.number})"
    if trial.state == "failed":
        what = f"failed: {trial.attributes.get('failure', 'no reason was stored')}"
    else:
        value = "-" if trial.value is None else f"{trial.value:.5g}"
        epochs = counted(trial.attributes.get("epochs", "?"), "epoch")
        folds = len(trial.attributes.get("fold_values", ()))
        within = f" of {folds} folds" if folds else ""
        what = f"{trial.state} at {progress.metric} {value} after {epochs}{within}"
    if CONFIRMS in trial.attributes:
        name = f"trial {trial.attributes[CONFIRMS]} with fresh seed {trial.attributes[RUN] + 1}"
        return f"[{done}/{progress.total}] {name} {what}"
    return f"[{done}/{progress.total}] trial {trial.number} {what}{so_far}"


def _display(progress: Progress, speed: float, epochs: int) -> Group:
    record = progress.record
    counts = trial_counts(record)
    done = counts["total"]
    summary = Text.assemble(
        (f" {done}/{progress.total} ", "bold"),
        (f"{counts['complete']} complete  ", "green"),
        (f"{counts['pruned']} pruned  ", "yellow"),
        (f"{counts['failed']} failed  ", "red" if counts["failed"] else "dim"),
        (f"{record.count('running')} running  ", "cyan"),
    )
    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text(record.name, style="bold"),
        ProgressBar(total=progress.total, completed=done, width=24),
        summary,
    )
    best = record.best
    value = "none yet" if best is None else f"{best.value:.5g} (trial {best.number})"
    trend = sparkline(best_values(record))
    words = f"best validation {progress.metric}: {value}  {trend}  {_times(progress, done, speed)}"
    second = Text(words)
    running = [trial for trial in record.trials if trial.state == "running"]
    return Group(head, second, _running_table(running, epochs, progress.metric))


def _times(progress: Progress, done: int, speed: float) -> str:
    """`speed` is in trials a second since this run began."""
    passed = f"{_clock(progress.seconds)} passed"
    if not speed or done >= progress.total:
        return passed
    return f"{passed}, about {_clock((progress.total - done) / speed)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _running_table(running: list[TrialRecord], epochs: int, metric: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for trial in running:
        reached = max(trial.intermediate_values, default=0)
        latest = trial.intermediate_values.get(reached)
        chosen = "  ".join(
            f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in trial.params.items()
        )
        table.add_row(
            Text(f"trial {trial.number}", style="cyan"),
            ProgressBar(total=epochs, completed=reached, width=12),
            f"epoch {reached}/{epochs}",
            "" if latest is None else f"{metric} {latest:.5g}",
            Text(chosen, style="dim", overflow="ellipsis", no_wrap=True),
        )
    return table
