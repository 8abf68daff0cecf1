"""`lstm-search audit`: a finished study checked for leakage."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from objectives.errors import InputError
from reports.audit import audit_in_words
from search.auditing import Subject, audit
from search.commands.opening import existing_url, results_folder
from search.confirmed import read_runs
from search.joining import Place, study_to_join
from search.preparation import prepare
from search.stored_forecasts import load_forecasts
from search.study import forecasts_only
from storage.database import open_storage
from storage.records import read_study


def execute(
    name: str, data: Path | None, storage: str | None, out: Path | None, *, as_json: bool
) -> int:
    """Print every check with its evidence; 1 if one fails. The test set is forecast, not scored."""
    url = existing_url(storage, out)
    study = forecasts_only(study_to_join(name, url, Place(data, results_folder(out))), "audit")
    database = open_storage(url)
    record = read_study(database, name, epochs=False)
    stored = load_forecasts(study.directory)
    if stored is None or stored.trial >= len(record.trials):
        raise InputError(
            f"study {name!r} has no tested winner in {study.directory}: finish it with `lstm-search "
            "run`, or name the folder of results with --out"
        )
    runs = read_runs(database, name)
    checks = audit(Subject(prepare(study), record, runs, stored, study.directory))
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for check in checks:
            console.print(
                "[green]passed[/]" if check.passed else "[bold red]FAILED[/]", check.check
            )
            console.print(f"        [dim]{check.evidence}[/]")
        console.print(audit_in_words(checks), style="bold")
    return 0 if all(check.passed for check in checks) else 1
