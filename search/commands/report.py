"""`lstm-search report`: the report made again from what is stored."""

import webbrowser
from dataclasses import replace
from pathlib import Path

from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from reports.numbers import report_json
from reports.verdict import verdict
from reports.wording import looks_in_words
from reports.writing import FORMATS, write_report
from search.commands.opening import open_existing, results_folder
from search.commands.terminal import open_console
from search.reporting.reporting_again import report_again
from search.reporting.study_figures import importances, study_figures
from search.selection.confirmed import read_confirmation
from storage.records import record_of_study
from storage.studies import find_study


def execute(
    name: str,
    storage: str | None,
    out: Path | None,
    only: str | None,
    *,
    browse: bool,
    as_json: bool,
) -> int:
    """Write a study's report again, or that of its search so far; the test set stays closed.

    Args:
        name: the study.
        storage: URL of the database; None for that of the environment, or the file under `out`.
        out: the folder of results.
        only: the one format to write, of `reports.writing.FORMATS`; None for all.
        browse: open report.html in the browser.
        as_json: print report.json and nothing else.
    """
    database = open_existing(storage, out)
    found = find_study(database, name)
    record = record_of_study(found)
    directory = results_folder(out) / name
    report = report_again(record, directory, read_confirmation(database, record))
    report = replace(report, importances=importances(found))
    formats = FORMATS if only is None else (only,)
    drawn = study_figures(found, report.importances) if "html" in formats else {}
    written = write_report(report, directory, drawn, formats)
    if browse:
        webbrowser.open(written["html"].resolve().as_uri())
    if as_json:
        print(report_json(report), end="")
        return 0
    console = open_console(highlight=False, soft_wrap=True)
    if isinstance(report, StudyReport | ClassificationReport):
        console.print(verdict(report), style="bold")
        console.print(looks_in_words(report.ledger))
    else:
        console.print(f"study {name} has no tested winner yet: a report of the search so far")
    for what, path in written.items():
        console.print(f"{what:<12}{path}")
    return 0
