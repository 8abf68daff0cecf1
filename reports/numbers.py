"""The content of report.json: every figure of a study under a name that scripts can rely on."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from reports.audit import audit_in_words
from reports.certainty import uncertainty_numbers
from reports.classification.contents import ClassificationReport
from reports.classification.numbers import class_numbers
from reports.contents import Confirmation, ForecastScores, Ledger, Scores, SearchReport, StudyReport
from reports.counts import trial_counts
from reports.figure_data import LossCurves, loss_curves_info
from reports.intervals import interval_numbers, intervals_in_words
from reports.optimism import decision_in_words, optimism
from reports.pruning import Pruning, effort_by_state, pruning_info
from reports.residuals import residuals_info
from reports.verdict import verdict
from reports.wording import looks_in_words


def report_numbers(report: SearchReport) -> dict[str, Any]:
    """Lay a report out as nested plain values.

    Args:
        report: The study, finished or not.

    Returns:
        Dictionaries, lists, strings, integers, booleans, None and finite floats only; a figure that
        is not finite is None. What a test brings forth is missing before one.
    """
    tested = _tested(report) if isinstance(report, StudyReport) else {}
    if isinstance(report, ClassificationReport):
        tested = class_numbers(report)
    numbers = {
        "study": report.study.name,
        "task": report.task,
        "metric": report.metric,
        "best": _best(report),
        **tested,
        "trials": trial_counts(report.study),
        "ledger": _ledger(report.ledger),
        **_confirmation(report),
        "seconds": {"search": None, "refit": None, "total": None, **report.seconds},
        "paths": report.paths,
        "facts": report.facts,
        "curves": _fields(loss_curves_info(report)),
        "importances": report.importances,
        "pruning": _fields(pruning_info(report.study)),
        "effort": {
            state: asdict(effort) for state, effort in effort_by_state(report.study).items()
        },
        "configuration": report.study.attributes.get("identity"),
    }
    plain: dict[str, Any] = _plain(numbers)
    return plain


def _tested(report: StudyReport) -> dict[str, Any]:
    return {
        "verdict": verdict(report),
        "uncertainty": report.uncertainty and uncertainty_numbers(report.uncertainty),
        "audit": [asdict(check) for check in report.audit],
        "audit_in_words": audit_in_words(report.audit) if report.audit else "",
        "intervals": interval_numbers(report.intervals),
        "intervals_in_words": intervals_in_words(report.intervals),
        **_both_units("validation", report.validation),
        **_both_units("test", report.test),
        "train_only": _both_units("test", report.train_only),
        "baselines": {
            name: _both_units("test", scores) for name, scores in report.baselines.items()
        },
        "refit": asdict(report.refit),
        "targets": report.forecasts.targets,
        "residuals": [asdict(residuals) for residuals in residuals_info(report.forecasts)],
    }


def _confirmation(report: SearchReport) -> dict[str, Any]:
    """What is there of "confirmation" and "optimism"."""
    found, confirmation = optimism(report), report.confirmation
    numbers: dict[str, Any] = {} if found is None else {"optimism": asdict(found)}
    if confirmation is not None:
        numbers["confirmation"] = confirmation_numbers(confirmation)
    return numbers


def confirmation_numbers(confirmation: Confirmation) -> dict[str, Any]:
    """Lay a confirmation out as nested plain values."""
    return {
        "seeds": confirmation.candidates[0].seeds,
        "first_before": confirmation.candidates[0].trial,
        "first_after": confirmation.winner,
        "decision": decision_in_words(confirmation),
        "candidates": [
            {**asdict(each), "mean": each.mean, "deviation": each.deviation}
            for each in confirmation.candidates
        ],
    }


def _ledger(ledger: Ledger) -> dict[str, Any]:
    others = [{"trial": trial, "seeds": seeds} for trial, seeds in ledger.other_winners]
    openings = [asdict(each) for each in ledger.openings]
    return {"looks": looks_in_words(ledger), "openings": openings, "other_winners": others}


def report_json(report: SearchReport) -> str:
    """Write `report_numbers` as strict JSON, which knows neither NaN nor Infinity."""
    return json.dumps(report_numbers(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _best(report: SearchReport) -> dict[str, Any] | None:
    winner = report.winner
    if winner is None:
        return None
    return {"trial": winner.trial, "value": winner.value, "params": winner.params}


def _fields(info: LossCurves | Pruning | None) -> dict[str, Any] | None:
    return None if info is None else asdict(info)


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
