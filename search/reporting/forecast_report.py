"""The report of a forecasting study, put together from what is stored."""

from collections.abc import Sequence

from reports.contents import COMMAND, Confirmation, Forecasts, StudyReport
from search.reporting.intervals import judge_intervals
from search.reporting.judging import judge
from search.reporting.report_parts import About, ledger_of, winner_of
from search.reporting.stored_forecasts import StoredForecasts, scorer
from storage.ledger import openings_of
from storage.records import StudyRecord

PROGRAM = "lstm-search "


def study_report(
    record: StudyRecord,
    about: About,
    stored: StoredForecasts,
    confirmation: Confirmation | None = None,
) -> StudyReport:
    """Score the winner, the winner before the refit and the naive forecasts."""
    score, identity = scorer(stored.measure), record.attributes["identity"]
    return StudyReport(
        study=record,
        task=about.task,
        metric=about.metric,
        winner=winner_of(record.trials[stored.trial]),
        ledger=ledger_of(record, (stored.trial, stored.seed)),
        confirmation=confirmation,
        validation=score(stored.validation_truth, stored.validation),
        test=score(stored.truth, stored.test),
        train_only=score(stored.truth, stored.train_only),
        baselines={name: score(stored.truth, found) for name, found in stored.naive.items()},
        refit=about.refit,
        forecasts=Forecasts(
            times=stored.times,
            targets=stored.targets,
            truth=stored.truth,
            refitted=stored.test,
            naive=stored.naive,
            stride=identity["data"]["stride"],
        ),
        seconds=about.seconds,
        paths=about.paths,
        facts={**about.facts, **_again(record, stored)},
        audit=about.audit,
        intervals=judge_intervals(stored),
        uncertainty=judge(stored, identity["data"]["stride"], identity["study"]["seed"]),
    )


def _again(record: StudyRecord, stored: StoredForecasts) -> dict[str, str]:
    """The command that tested this winner, which does it all again; none where Python did."""
    commands = [
        opening.command
        for opening in openings_of(record.attributes)
        if (opening.trial, opening.seeds[0]) == (stored.trial, stored.seed)
    ]
    return {COMMAND: commands[-1]} if commands and commands[-1].startswith(PROGRAM) else {}


def task_in_words(targets: Sequence[str], horizon: int) -> str:
    """What is forecast, as a sentence without its full stop."""
    steps = "next row" if horizon == 1 else f"next {horizon} rows"
    return f"forecast the {steps} of {', '.join(targets)}"
