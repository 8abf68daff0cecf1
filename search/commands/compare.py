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

from objectives.errors import InputError
from reports.wording import baseline_label, duration, number
from search.commands.opening import open_existing, results_folder
from search.comparing import Compared, may_be_ranked, ranks, read_compared

_NOT_RANKED = (
    "not ranked: these studies were judged on different targets, in different units or by different "
    "metrics, so that their scores do not compare"
)


def execute(
    names: Sequence[str], storage: str | None, out: Path | None, *, as_json: bool, as_csv: bool
) -> int:
    """Print a row for each study, the best first; in the order given where they cannot be ranked.

    Raises:
        InputError: fewer than two studies are named.
    """
    if len(set(names)) < 2:
        raise InputError(f"compare: name two studies or more. Received: {' '.join(names)}")
    database = open_existing(storage, out)
    studies = [read_compared(database, name, results_folder(out)) for name in dict.fromkeys(names)]
    ranked = sorted(zip(ranks(studies), studies, strict=True), key=lambda row: row[0] or 10**9)
    rows = [_plain(rank, study) for rank, study in ranked]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    else:
        console = Console(width=None if sys.stdout.isatty() else 300)
        console.print(_table(ranked))
    if not may_be_ranked(studies):
        print(f"lstm-search: {_NOT_RANKED}", file=sys.stderr)
    return 0


def _plain(rank: int | None, study: Compared) -> dict[str, Any]:
    facts = asdict(study)
    del facts["comparable"]
    return {"rank": rank, **facts, "targets": ", ".join(study.targets)}


def _table(ranked: Sequence[tuple[int | None, Compared]]) -> Table:
    heads = ("", "study", "data", "targets", "horizon", "validation", "naive", "test RMSE", "naive")
    table = Table(*heads, "trials", "seconds", header_style="bold")
    for rank, study in ranked:
        label = "" if study.naive is None else f" ({baseline_label(study.naive)})"
        table.add_row(
            "-" if rank is None else str(rank),
            study.study,
            study.data,
            ", ".join(study.targets),
            str(study.horizon),
            f"{study.metric} {number(study.validation)}",
            number(study.naive_validation) + label,
            number(study.test),
            number(study.naive_test) + label,
            str(study.trials),
            duration(study.seconds),
            style="bold green" if rank == 1 else None,
        )
    return table
