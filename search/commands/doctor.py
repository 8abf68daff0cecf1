"""`lstm-search doctor`: what would be fast on this machine, and what is missing."""

import json
import os
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from rich.table import Table
from rich.text import Text

from search.commands.opening import results_folder, url_or_default
from search.commands.terminal import open_console
from search.doctor.diagnose import diagnose
from search.doctor.finding import Finding
from search.study import STORAGE_VARIABLE

_STYLES = {"fine": "green", "slow": "yellow", "missing": "cyan"}
_STOPPED = "bold red"


def execute(storage: str | None, out: Path | None, *, as_json: bool) -> int:
    """Print what was found; 1 where a search would fail."""
    findings = diagnose(url_or_default(storage, out), _named_by(storage), results_folder(out))
    if as_json:
        found = list(findings)
        print(json.dumps(_plain(found), indent=2))
    else:
        found = _print(findings)
    return int(any(finding.stops for finding in found))


def _named_by(storage: str | None) -> str:
    if storage:
        return "from --storage"
    return f"from ${STORAGE_VARIABLE}" if os.environ.get(STORAGE_VARIABLE) else "the default"


def _plain(findings: list[Finding]) -> dict[str, object]:
    return {
        "searches_can_run": not any(finding.stops for finding in findings),
        "findings": [
            {
                "section": finding.section.lower(),
                "name": finding.name,
                "mark": finding.mark,
                "text": finding.text,
                "advice": finding.advice,
                "stops": finding.stops,
                "figures": dict(finding.figures),
            }
            for finding in findings
        ],
    }


def _print(findings: Iterable[Finding]) -> list[Finding]:
    """Print a section as soon as it is complete; the last one takes ten seconds."""
    console = open_console()
    found: list[Finding] = []
    with console.status("looking, and training a small network for ten seconds"):
        for section, group in groupby(findings, key=lambda finding: finding.section):
            members = list(group)
            console.print(Text(section, style="bold"), _table(members), sep="\n")
            found += members
    stopping = [f"{finding.section.lower()}: {finding.name}" for finding in found if finding.stops]
    if stopping:
        console.print(Text(f"A search would fail here ({', '.join(stopping)}).", style=_STOPPED))
    else:
        console.print(Text("Searches can run here.", style="bold green"))
    return found


def _table(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=9)
    table.add_column(min_width=11)
    table.add_column(overflow="fold")
    for finding in findings:
        style = _STOPPED if finding.stops else _STYLES[finding.mark]
        text = Text(finding.text)
        if finding.advice:
            text.append(f"\n→ {finding.advice}", style=style)
        table.add_row(Text(f"  {finding.mark}", style=style), finding.name, text)
    return table
