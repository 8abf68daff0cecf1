"""`lstm-search init`: look at a table and write a commented study file for it."""

import os
import re
import shlex
from pathlib import Path

import pandas as pd

from objectives.data.dataset import Dataset
from objectives.data.season import find_season
from objectives.errors import InputError
from objectives.search_space.ranges import WholeRange
from reports.wording import counted
from search.commands.terminal import open_console
from search.proposal.study_template import (
    Plan,
    left_out_in_words,
    missing_in_words,
    step_in_words,
    study_text,
    targets_in_words,
)
from search.proposal.survey import TRAINING, Survey, survey
from search.study import load_study
from search.tasks import prepare_study

_LONGEST_DEFAULT_HORIZON = 96
_LONGEST_DEFAULT_WINDOW = 384  # further back, an LSTM learns slowly and little
_FRIENDLY_STEPS = (96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


def execute(
    data: Path,
    targets: tuple[str, ...],
    time: str | None,
    horizon: int | None,
    out: Path | None,
    force: bool,
) -> int:
    """Write a study file for `data` and say what was seen.

    Args:
        data: a CSV or Parquet file.
        targets: columns to forecast; where empty, the last numeric column whose values vary.
        time: the column of timestamps; None to look for it.
        horizon: rows to forecast; None for a quarter of the season.
        out: the file to write; None for the data's name with .toml, in the current folder.
        force: replace the file if it exists.

    Raises:
        InputError: the table cannot be used, or the file cannot or must not be written.
    """
    out = Path(f"{data.stem}.toml") if out is None else out
    _check_place(out, data, force)
    if horizon is not None and horizon < 1:
        raise InputError(f"--horizon: must be at least 1 row. Received: {horizon}")
    seen = survey(data, targets, time)
    plan = _plan(seen, data, out, horizon, bool(targets))
    _write(out, study_text(seen, plan))
    _report(seen, plan, data, out)
    return 0


def _check_place(out: Path, data: Path, force: bool) -> None:
    # os.path, because Path raises where a path is too long or in a folder that is closed
    if os.path.isdir(out):
        raise InputError(f"{out}: is a directory: name a file to write with --out")
    if os.path.exists(out) and os.path.exists(data) and os.path.samefile(out, data):
        raise InputError(f"{out}: is the data file itself: name another file with --out")
    if os.path.exists(out) and not force:
        raise InputError(f"{out}: exists already: replace it with --force, or name another --out")
    if not os.path.isdir(out.parent):
        raise InputError(f"{out}: there is no folder {out.parent}: make it, or name another --out")


def _plan(seen: Survey, data: Path, out: Path, horizon: int | None, chosen: bool) -> Plan:
    """Work out what to propose for a table."""
    dataset = seen.dataset
    rows = len(dataset.values)
    borders = [round(TRAINING * rows), round(0.85 * rows)]
    dates = None
    if dataset.times is not None:
        moments = [_friendly_date(dataset.times, row) for row in borders]
        borders = [int(dataset.times.searchsorted(moment)) for moment in moments]
        after = dataset.times[-1] + (dataset.times[-1] - dataset.times[-2])
        first, second, end = (_as_text(moment) for moment in (*moments, after))
        dates = (first, second, end)
    training = borders[0]
    season = _season(dataset, training)
    if horizon is None:
        horizon = max(1, min(season // 4, rows // 20, _LONGEST_DEFAULT_HORIZON))
    longest = min(rows // 10, training - horizon, _LONGEST_DEFAULT_WINDOW)
    return Plan(
        name=_name(out),
        path=_relative(data, out),
        horizon=horizon,
        season=season,
        timesteps=_windows(season, longest),
        parts=(training, borders[1] - training, rows - borders[1]),
        dates=dates,
        chosen=chosen,
    )


def _season(dataset: Dataset, training: int) -> int:
    """The season as a study finds it: in the training rows of the targets alone."""
    values = dataset.values[:training, : len(dataset.targets)]  # (training, targets)
    return find_season(values, dataset.step, None, dataset.frequency)


def _friendly_date(times: pd.DatetimeIndex, row: int) -> pd.Timestamp:
    """The timestamp of a row, or the midnight before it where that hardly moves the border."""
    midnight = times[row].normalize()
    moved = row - int(times.searchsorted(midnight))
    return midnight if moved <= len(times) / 100 else times[row]


def _as_text(moment: pd.Timestamp) -> str:
    """A date, with the time of day unless it is midnight; UTC where the data are in UTC."""
    naive = moment.tz_localize(None)
    return str(naive.date()) if naive == naive.normalize() else naive.isoformat(sep=" ")


def _windows(season: int, longest: int) -> WholeRange:
    """Windows of half a season to four, or of whole ones where a half is no number of rows.

    Where `longest` leaves no room for two of these, or there is no season: quarters of `longest`, at
    most 96 rows without a season.
    """
    step = season // 2 if season % 2 == 0 else season
    if season > 1 and 2 * step <= longest:
        return WholeRange(low=step, high=min(4 * season, longest) // step * step, step=step)
    if season == 1:
        longest = min(longest, 96)
    step = next((step for step in _FRIENDLY_STEPS if 4 * step <= longest), 1)
    high = max(1, min(4 * step, longest))
    return WholeRange(low=min(step, high), high=high, step=step)


def _name(out: Path) -> str | None:
    """A name for the study where that of its file cannot be one."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", out.stem).strip("._-")[:100] or "study"
    return None if name == out.stem else name


def _relative(data: Path, out: Path) -> str:
    """The way from the study file's folder to the data, with forward slashes."""
    data = data.parent.resolve() / data.name
    try:
        return Path(os.path.relpath(data, out.parent.resolve())).as_posix()
    except ValueError:  # another drive
        return data.as_posix()


def _write(out: Path, text: str) -> None:
    """Write the study file under a passing name, try it out, and only then put it in its place."""
    unfinished = out.parent / f"unfinished-{os.getpid()}.toml"
    try:
        unfinished.write_text(text, encoding="utf-8")
        prepare_study(load_study(unfinished))
        unfinished.replace(out)
    except (OSError, UnicodeEncodeError) as error:
        reason = (
            getattr(error, "strerror", None) or "its path or columns cannot be written in UTF-8"
        )
        raise InputError(f"{out}: cannot be written: {reason}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _report(seen: Survey, plan: Plan, data: Path, out: Path) -> None:
    """Print what was seen and what comes next."""
    if seen.dataset.times is None:
        near = f" ({seen.almost_time})" if seen.almost_time else ""
        time = f"time: no column of timestamps in order{near}"
    else:
        times = seen.dataset.times
        column = f"column {seen.time!r}" if seen.time else "the index"
        time = f"time: {column}, {times[0]} to {times[-1]}, step {step_in_words(seen.dataset)}"
    rules = [f"first_row = {seen.first_row}"] if seen.first_row else []
    rules += [] if seen.fill == "none" else [f"fill = {seen.fill}"]
    lines = [
        f"{data}: {counted(seen.rows, 'row')}, {counted(len(seen.features), 'column')} of numbers",
        time,
        "; ".join([missing_in_words(seen), *rules]),
        *([left_out_in_words(seen)] if seen.left_out else []),
        f"{targets_in_words(seen.dataset.targets, plan.chosen)}; horizon {plan.horizon}, "
        f"season {plan.season}, in rows",
        f"Wrote {out}. Next: lstm-search run {shlex.quote(str(out))}",
    ]
    console = open_console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)
