"""Reports put together again from what is stored: the database, and the files in a study's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.contents import Confirmation, SearchReport
from search.classification.reporting import report_classes_again
from search.reporting.forecast_report import study_report, task_in_words
from search.reporting.report_parts import about_before, ledger_of, winner_of
from search.reporting.stored_forecasts import load_forecasts
from search.selection.confirmed import crowned
from search.stored_identity import stored_identity
from search.study import is_classification
from storage.ledger import was_tested
from storage.records import StudyRecord


def report_again(
    record: StudyRecord, directory: Path, confirmation: Confirmation | None
) -> SearchReport:
    """Make a study's report from what is stored, the test set staying closed.

    Args:
        record: the study.
        directory: its folder.
        confirmation: what is stored of it.

    Returns:
        The whole report where a winner has been tested, as the ledger of this study says; else what is
        known of the search so far.

    Raises:
        InputError: the study was not made by lstm-search, or its report.json cannot be read.
    """
    identity = stored_identity(record.name, record.attributes)
    if is_classification(identity):
        tested = report_classes_again(record, directory, confirmation)
        if tested is not None:
            return tested
    stored = load_forecasts(directory)
    if stored is not None and was_tested(stored.model, record.attributes):
        return study_report(record, about_before(directory), stored, confirmation)
    best = crowned(record, confirmation)
    return SearchReport(
        study=record,
        task=_task_of(identity),
        metric=identity["training"]["metric"],
        winner=None if best is None else winner_of(best),
        ledger=ledger_of(record, None),
        confirmation=confirmation,
        seconds={},
        paths={"report": str(directory / "report.html"), "directory": str(directory)},
        facts={
            "seed": str(identity["study"]["seed"]),
            "sampler and pruner": f"{identity['study']['sampler']}, {identity['study']['pruner']}",
        },
    )


def _task_of(identity: Mapping[str, Any]) -> str:
    data = identity["data"]
    if is_classification(identity):
        return f"classify sequences by {data['label']}"
    return task_in_words(data["targets"], data["horizon"])
