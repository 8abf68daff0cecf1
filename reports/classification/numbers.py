"""What report.json says of classification beside what it says of every study."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reports.audit import audit_in_words
from reports.classification.contents import (
    Calibration,
    ClassificationReport,
    ClassUncertainty,
    Worth,
)
from reports.classification.verdict import class_outcome, class_verdict
from reports.contents import Estimate


def class_numbers(report: ClassificationReport) -> dict[str, Any]:
    """Lay the figures of the test out as nested values."""
    return {
        "verdict": class_verdict(report),
        "labels": report.labels,
        "uncertainty": report.uncertainty and _uncertainty(report.uncertainty),
        "validation": report.validation.mean,
        "validation_folds": {
            "folds": report.validation.folds,
            "deviation": report.validation.deviation,
        },
        "test": report.test,
        "train_only": {"test": report.train_only},
        "baselines": {name: {"test": scores} for name, scores in report.baselines.items()},
        "confusion_matrix": report.confusion,
        "per_class": [asdict(each) for each in report.per_class],
        "reliability": asdict(report.reliability),
        "calibration": report.calibration and _calibration(report.calibration),
        "refit": asdict(report.refit),
        "audit": [asdict(check) for check in report.audit],
        "audit_in_words": audit_in_words(report.audit) if report.audit else "",
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "method": "temperature",
        "temperature": calibration.temperature,
        "sequences": calibration.sequences,
        "validation": {
            "before": _worth(calibration.validation_before),
            "after": _worth(calibration.validation_after),
        },
        "test": {
            "before": _worth(calibration.test_before),
            "after": _worth(calibration.test_after),
        },
    }


def _worth(worth: Worth) -> dict[str, Any]:
    return {"log_loss": worth.log_loss, **asdict(worth.reliability)}


def _uncertainty(uncertainty: ClassUncertainty) -> dict[str, Any]:
    return {
        "level": 0.95,
        "sequences": uncertainty.sequences,
        "clusters": uncertainty.clusters,
        "resamples": uncertainty.resamples,
        "test": _ends(uncertainty.scores),
        "differences": {
            name: {
                "outcome": class_outcome(difference),
                **_ends(difference.scores),
                "mcnemar": {
                    "model_only": difference.model_only,
                    "baseline_only": difference.baseline_only,
                    "p": difference.p,
                    "adjusted_p": difference.adjusted_p,
                },
            }
            for name, difference in uncertainty.differences.items()
        },
    }


def _ends(scores: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {metric: asdict(estimate) for metric, estimate in scores.items()}
