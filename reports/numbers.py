"""The content of report.json: every figure of a study under a name that scripts can rely on."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from reports.contents import ForecastScores, Ledger, Scores, SearchReport, StudyReport
from reports.verdict import verdict
from storage.records import StudyRecord, TrialRecord

FINISHED_STATES = ("complete", "pruned", "failed")


def report_numbers(report: SearchReport) -> dict[str, Any]:
    """Lay a report out as nested plain values.

    Args:
        report: The study, finished or not.

    Returns:
        Dictionaries, lists, strings, integers, booleans, None and finite floats only; a figure that
        is not finite is None. What a test brings forth is missing before one.
    """
    tested = _tested(report) if isinstance(report, StudyReport) else {}
    numbers = {
        "study": report.study.name,
        "task": report.task,
        "metric": report.metric,
        "best": _best(report),
        **tested,
        "trials": trial_counts(report.study),
        "ledger": _ledger(report.ledger),
        "seconds": {"search": None, "refit": None, "total": None, **report.seconds},
        "paths": report.paths,
        "facts": report.facts,
    }
    plain: dict[str, Any] = _plain(numbers)
    return plain


def _tested(report: StudyReport) -> dict[str, Any]:
    return {
        "verdict": verdict(report),
        **_both_units("validation", report.validation),
        **_both_units("test", report.test),
        "train_only": _both_units("test", report.train_only),
        "baselines": {
            name: _both_units("test", scores) for name, scores in report.baselines.items()
        },
        "refit": asdict(report.refit),
    }


def _ledger(ledger: Ledger) -> dict[str, Any]:
    others = [{"trial": trial, "seeds": seeds} for trial, seeds in ledger.other_winners]
    return {"openings": [asdict(each) for each in ledger.openings], "other_winners": others}


def report_json(report: SearchReport) -> str:
    """Write `report_numbers` as strict JSON, which knows neither NaN nor Infinity."""
    return json.dumps(report_numbers(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finished_trials(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """Give the trials that count: those that ended, less the failed ones that were tried again.

    A worker that is killed leaves a failed trial behind and its work goes to a new one, whose
    attribute "retry_of" is the old number; counting both would report one trial as two.
    """
    retried = {trial.attributes.get("retry_of") for trial in study.trials}
    return tuple(
        trial
        for trial in study.trials
        if trial.state in FINISHED_STATES
        and not (trial.state == "failed" and trial.number in retried)
    )


def trial_counts(study: StudyRecord) -> dict[str, int]:
    """Count the finished trials: "total", "complete", "pruned" and "failed"."""
    states = [trial.state for trial in finished_trials(study)]
    return {"total": len(states), **{state: states.count(state) for state in FINISHED_STATES}}


def _best(report: SearchReport) -> dict[str, Any] | None:
    winner = report.winner
    if winner is None:
        return None
    return {"trial": winner.trial, "value": winner.value, "params": winner.params}


def _both_units(name: str, scores: ForecastScores) -> dict[str, Any]:
    """Put data units under the plain name, since that is what a reader asks for first."""
    return {
        name: _scores(scores.data_units),
        f"{name}_standardised": _scores(scores.standardised),
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {**scores.overall, "per_step": scores.per_step}


def _plain(value: Any) -> Any:
    """Turn a value into what strict JSON can say."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, Iterable):
        return [_plain(content) for content in value]
    return str(value)
