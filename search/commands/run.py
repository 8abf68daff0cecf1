"""`lstm-search run`: the whole main job."""

import json
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from objectives.errors import InputError
from reports.audit import audit_in_words
from reports.classification.contents import ClassificationReport
from reports.classification.tables import class_scores_table
from reports.numbers import report_json
from reports.optimism import decision_in_words, optimism, optimism_in_words
from reports.tables import scores_table, winner_table
from reports.verdict import verdict
from reports.wording import looks_in_words
from search.audit.checklist import ONE_WINNER
from search.commands.export import print_complaints
from search.commands.terminal import open_console
from search.proposal.survey import column_of_times
from search.result import StudyResult
from search.running import run_study
from search.study import AnyStudy, Study, load_study, make_study, study_class
from search.watching.progress import show_progress

_OPTIONS = {  # keys called otherwise
    "path": "data",
    "test_path": "test-data",
    "targets": "target",
    "directory": "out",
}


def execute(
    path: Path | None,
    changes: Mapping[str, Mapping[str, Any]],
    enqueue: Sequence[str],
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a study and print what came of it.

    Args:
        path: the study file; None for one made of the changes, or for the embedded example.
        changes: section → key → value from the command line; None where an option was not given.
        enqueue: points to try first, each a JSON object.
        quiet: print the verdict only.
        as_json: print the report as JSON and nothing else.

    Returns:
        1 where a format could not be exported or the audit found a leak, else 0. A second winner is
        none: it is said loudly elsewhere, and going on with a search is no mistake.
    """
    given = _given(changes, enqueue)
    study = _study(path, given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left running
    epochs = study.training.epochs * (study.split.folds or 1)
    with show_progress(epochs, quiet=quiet or as_json) as watch:
        command = called(path, given, study.study.seed)
        result = run_study(study, watch=watch, command=command)
    if as_json:
        print(report_json(result.report), end="")
    elif quiet:
        print(verdict(result.report), looks_in_words(result.report.ledger), sep="\n")
    else:
        _print(result)
    print_complaints(result.export_problems, result.export_warnings)
    leaks = [each for each in result.report.audit if not each.passed and each.check != ONE_WINNER]
    if leaks:
        words = audit_in_words(leaks)
        print(f"lstm-search: {words} Results are in {result.directory}", file=sys.stderr)
    return 1 if result.export_problems or leaks else 0


def _given(
    changes: Mapping[str, Mapping[str, Any]], enqueue: Sequence[str]
) -> dict[str, dict[str, Any]]:
    given = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in changes.items()
    }
    if enqueue:
        given["study"]["enqueue"] = [_point(text) for text in enqueue]
    return given


def _study(path: Path | None, given: dict[str, dict[str, Any]]) -> AnyStudy:
    if path is None and "path" in given["data"]:
        data = given["data"]["path"]
        kind = study_class(given["data"].get("task", "forecasting"), "command line")
        if kind is Study and "targets" not in given["data"]:
            raise InputError(
                f"--data {data}: name a column to forecast with --target, or say that it holds "
                "labelled sequences with --task classification"
            )
        given["study"].setdefault("name", _name_of(Path(data)))
        study = make_study(given, "command line")
        if isinstance(study, Study) and study.data.time is None:
            _tell_of_times(Path(data))
        return study
    if path is None and given["data"].get("task") == "classification":
        raise InputError("--task classification: name the file of labelled sequences with --data")
    example = Path(str(files("search.examples"))) / "nyc_jfk_2013.toml"
    return load_study(path or example, given)


def _tell_of_times(data: Path) -> None:
    """Say that a table has timestamps, which count for nothing until they are named."""
    if (column := column_of_times(data)) is not None:
        print(
            f"lstm-search: {data}: column {column!r} holds timestamps; with --time "
            f"{shlex.quote(column)} missing rows are found, and forecasts bear dates",
            file=sys.stderr,
        )


def called(path: Path | None, given: Mapping[str, Mapping[str, Any]], seed: int) -> str:
    """The command as it was called, with its seed, and without a URL that may hold a password."""
    words = ["lstm-search", "run", *([] if path is None else [str(path)])]
    options = {_OPTIONS.get(k, k): v for values in given.values() for k, v in values.items()}
    for name, value in ({"seed": seed} | options).items():
        if name == "storage":
            continue
        flag = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            text = json.dumps(one) if isinstance(one, dict) else str(one)
            words += [flag] if one is True else [flag, text]
    return shlex.join(words)


def _name_of(path: Path) -> str:
    """A study's name after its data file, with what a name may not hold replaced."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in path.stem)
    return kept.lstrip("._-") or "study"


def _point(text: str) -> dict[str, Any]:
    try:
        point = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--enqueue: not JSON: {error}. Received: {text}") from None
    if not isinstance(point, dict):
        raise InputError(f'--enqueue: expected an object such as {{"units": 64}}. Received: {text}')
    return point


def _print(result: StudyResult) -> None:
    console = open_console()
    report = result.report
    console.print()
    console.print(winner_table(report))
    console.print(
        class_scores_table(report)
        if isinstance(report, ClassificationReport)
        else scores_table(report)
    )
    if report.confirmation is not None:
        console.print(decision_in_words(report.confirmation), highlight=False)
    if (found := optimism(report)) is not None:
        console.print(optimism_in_words(found, report.metric), highlight=False)
    console.print(verdict(report), style="bold", highlight=False)
    style = "bold red" if report.ledger.other_winners else None
    console.print(looks_in_words(report.ledger), style=style, highlight=False)
    if report.audit and all(check.passed for check in report.audit):
        console.print(audit_in_words(report.audit), highlight=False)
    console.print()
    for what in ("report", "database", "model", "bundle"):
        if what in report.paths:
            console.print(f"{what:>9}  {report.paths[what]}", soft_wrap=True, highlight=False)
