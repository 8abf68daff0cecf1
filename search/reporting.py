"""Reports put together from what is stored: the database, and the forecasts in a study's folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objectives.errors import InputError
from objectives.objective import any_hyperparameters
from reports.contents import (
    COMMAND,
    Check,
    Confirmation,
    Forecasts,
    Ledger,
    Refit,
    SearchReport,
    StudyReport,
    Winner,
)
from search.confirmed import crowned
from search.intervals import judge_intervals
from search.judging import judge
from search.stored_forecasts import StoredForecasts, load_forecasts, scorer
from search.stored_identity import stored_identity
from search.study import is_classification
from storage.ledger import openings_of
from storage.records import StudyRecord, TrialRecord

REPORT = "report.json"
PROGRAM = "lstm-search "


@dataclass(frozen=True)
class About:
    """What a report says that is computed neither from forecasts nor from the database."""

    task: str
    metric: str
    refit: Refit
    seconds: Mapping[str, float]
    paths: Mapping[str, str]
    facts: Mapping[str, str]
    audit: tuple[Check, ...] = ()


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
        ),
        seconds=about.seconds,
        paths=about.paths,
        facts={**about.facts, **_again(record, stored)},
        audit=about.audit,
        intervals=judge_intervals(stored),
        uncertainty=judge(stored, identity["data"]["stride"], identity["study"]["seed"]),
    )


def report_again(
    record: StudyRecord, directory: Path, confirmation: Confirmation | None
) -> SearchReport:
    """Make a study's report from what is stored, the test set staying closed.

    Args:
        record: the study.
        directory: its folder.
        confirmation: what is stored of it.

    Returns:
        A `StudyReport` where a winner has been tested; else what is known of the search so far.

    Raises:
        InputError: the study was not made by lstm-search, or its report.json cannot be read.
    """
    identity = stored_identity(record.name, record.attributes)
    if is_classification(identity):
        from search.classification.reporting import report_classes_again  # noqa: PLC0415

        tested = report_classes_again(record, directory, confirmation)
        if tested is not None:
            return tested
    stored = load_forecasts(directory)
    if stored is not None and stored.trial < len(record.trials):
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
        paths={"report": str(directory / "report.md"), "directory": str(directory)},
        facts={
            "seed": str(identity["study"]["seed"]),
            "sampler and pruner": f"{identity['study']['sampler']}, {identity['study']['pruner']}",
        },
    )


def about_before(directory: Path) -> About:
    """Read what the run that tested the winner wrote down.

    Raises:
        InputError: its report.json cannot be read.
    """
    path = directory / REPORT
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return About(
            task=known["task"],
            metric=known["metric"],
            refit=Refit(**known["refit"]),
            seconds={name: value for name, value in known["seconds"].items() if value is not None},
            paths=known["paths"],
            facts=known["facts"],
            audit=tuple(Check(**each) for each in known.get("audit", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read ({type(error).__name__}); `lstm-search run` with the study's file "
            "writes it again, without opening the test set"
        ) from None


def _again(record: StudyRecord, stored: StoredForecasts) -> dict[str, str]:
    """The command that tested this winner, which does it all again; none where Python did."""
    commands = [
        opening.command
        for opening in openings_of(record.attributes)
        if (opening.trial, opening.seeds[0]) == (stored.trial, stored.seed)
    ]
    return {COMMAND: commands[-1]} if commands and commands[-1].startswith(PROGRAM) else {}


def winner_of(trial: TrialRecord) -> Winner:
    """A complete trial as a report shows it."""
    params = any_hyperparameters(trial.attributes).as_dict()
    return Winner(trial.number, float("nan") if trial.value is None else trial.value, params)


def ledger_of(record: StudyRecord, tested: tuple[int, int] | None) -> Ledger:
    """The openings of a study's test set; others than the `tested` trial and seed are told."""
    openings = openings_of(record.attributes)
    others = {
        (each.trial, each.seeds) for each in openings if (each.trial, each.seeds[0]) != tested
    }
    return Ledger(openings, tuple(sorted(others)))


def _task_of(identity: Mapping[str, Any]) -> str:
    data = identity["data"]
    if is_classification(identity):
        return f"classify sequences by {data['label']}"
    return task_in_words(data["targets"], data["horizon"])


def task_in_words(targets: Sequence[str], horizon: int) -> str:
    """What is forecast, as a sentence without its full stop."""
    steps = "next row" if horizon == 1 else f"next {horizon} rows"
    return f"forecast the {steps} of {', '.join(targets)}"
