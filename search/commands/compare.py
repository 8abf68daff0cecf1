"""`lstm-search compare`: studies side by side."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from objectives.errors import InputError
from reports.wording import baseline_label, duration, number
from search.commands.opening import open_existing, results_folder
from search.commands.terminal import open_console, turned_where_wide
from search.comparing import (
    Compared,
    ComparedClasses,
    ComparedForecasts,
    check_one_task,
    may_be_ranked,
    ranks,
    read_compared,
)

_NOT_RANKED = (
    "not ranked: these studies were judged on different targets, in different units or by different "
    "metrics, so that their scores do not compare"
)


def execute(
    names: Sequence[str], storage: str | None, out: Path | None, *, as_json: bool, as_csv: bool
) -> int:
    """Print a row for each study, the best first; in the order given where they cannot be ranked.

    Raises:
        InputError: fewer than two studies are named, or some forecast and others classify.
    """
    if len(set(names)) < 2:
        raise InputError(f"compare: name two studies or more. Received: {' '.join(names)}")
    database = open_existing(storage, out)
    studies = [read_compared(database, name, results_folder(out)) for name in dict.fromkeys(names)]
    check_one_task(studies)
    ranked = sorted(zip(ranks(studies), studies, strict=True), key=lambda row: row[0] or 10**9)
    rows = [_plain(rank, study) for rank, study in ranked]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    else:
        console = open_console()
        console.print(_table(ranked, console))
    if not may_be_ranked(studies):
        print(f"lstm-search: {_NOT_RANKED}", file=sys.stderr)
    return 0


def _plain(rank: int | None, study: Compared) -> dict[str, Any]:
    facts = asdict(study)
    del facts["comparable"]
    if isinstance(study, ComparedForecasts):
        facts["targets"] = ", ".join(study.targets)
    return {"rank": rank, **facts}


def _table(ranked: Sequence[tuple[int | None, Compared]], console: Console) -> Table:
    rows = [(rank, _cells(rank, study)) for rank, study in ranked]
    heads = [head for head, _ in rows[0][1]]
    texts = [
        [Text(text, "bold green" if rank == 1 else "") for _, text in cells] for rank, cells in rows
    ]
    return turned_where_wide(heads, texts, console)


def _cells(rank: int | None, study: Compared) -> list[tuple[str, str]]:
    """A study's row of the table: heads, of which two may be alike, with what is under them."""
    task, test = _of_task(study)
    return [
        ("", "-" if rank is None else str(rank)),
        ("study", study.study),
        ("data", study.data),
        *task,
        ("validation", f"{study.metric} {number(study.validation)}"),
        ("naive", _with_name(study.naive_validation, study.naive)),
        *test,
        ("parameters", "-" if study.parameters is None else str(study.parameters)),
        ("trials", str(study.trials)),
        ("seconds", duration(study.seconds)),
    ]


def _of_task(study: Compared) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What only studies of one task have: what they learn, and what they reach on the test set."""
    if isinstance(study, ComparedForecasts):
        return [("targets", ", ".join(study.targets)), ("horizon", str(study.horizon))], [
            ("test RMSE", number(study.test)),
            ("naive", _with_name(study.naive_test, study.naive)),
        ]
    if isinstance(study, ComparedClasses):
        return [("label", study.label)], [
            ("test accuracy", number(study.accuracy)),
            ("test log loss", number(study.log_loss)),
            ("best baseline's accuracy", _with_name(study.baseline_accuracy, study.baseline)),
        ]
    raise TypeError(f"a {type(study).__name__} is neither of forecasts nor of classes")


def _with_name(value: float | None, name: str | None) -> str:
    return number(value) + ("" if name is None else f" ({baseline_label(name)})")
