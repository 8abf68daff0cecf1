"""What report.md says of the test of a classifier."""

from collections.abc import Mapping, Sequence

from reports.certainty import BETTER, UNCLEAR, WORSE, p_in_words, span
from reports.classification.contents import (
    Calibration,
    ClassificationReport,
    ClassUncertainty,
    FoldScores,
)
from reports.classification.tables import SHOWN
from reports.classification.verdict import TOO_FEW, class_outcome
from reports.markdown_parts import markdown_figure, markdown_table
from reports.wording import baseline_label, counted, number

_MOST_CLASSES = 20  # whose confusion fits on a page


def class_sections(report: ClassificationReport, figures: Mapping[str, str]) -> list[str]:
    """The sections of a tested classifier; `figures` are paths of plots by name."""
    return [
        _scores(report),
        _certainty(report),
        _classes(report),
        _confusion(report, figures),
        _bins(report, figures),
    ]


def _scores(report: ClassificationReport) -> str:
    rows = [
        ("**refitted model**", report.test),
        ("winner before the refit (train only)", report.train_only),
        *((baseline_label(name), scores) for name, scores in report.baselines.items()),
    ]
    cells = [[name, *(number(scores[metric]) for metric in SHOWN)] for name, scores in rows]
    table = markdown_table(["Classifier", *SHOWN.values()], cells)
    note = (
        "“Balanced” is the mean recall of the classes; log loss is in natural units, less is better. "
        f"For comparison, {_validation(report.validation)}: it was chosen for its validation, so "
        "only the test figures are unbiased."
    )
    return f"## Scores on the test set\n\n{table}\n\n{note}"


def _validation(found: FoldScores) -> str:
    """What the winner was worth on validation: the mean of its folds, and their spread."""
    of = f" (mean ± deviation of {found.folds} folds)" if found.folds > 1 else ""
    return (
        f"on validation the winner's log loss was {_mean(found, 'log_loss')} and its accuracy "
        f"{_mean(found, 'accuracy')}{of}"
    )


def _mean(found: FoldScores, metric: str) -> str:
    spread = f" ± {number(found.deviation[metric], 2)}" if found.folds > 1 else ""
    return f"{number(found.mean[metric])}{spread}"


def _certainty(report: ClassificationReport) -> str:
    title, uncertainty = "## How certain the scores are", report.uncertainty
    if uncertainty is None:
        return f"{title}\n\n{TOO_FEW}"
    scores = markdown_table(
        ["Refitted model", "Test", "95 % interval"],
        [
            [metric.replace("_", " "), number(estimate.figure), span(estimate.low, estimate.high)]
            for metric, estimate in uncertainty.scores.items()
        ],
    )
    heads = [
        "Accuracy less that of",
        "Difference",
        "95 % interval",
        "Model only",
        "Other only",
        "p",
    ]
    differences = markdown_table(
        [*heads, "p, adjusted", "The model is"], _difference_rows(uncertainty)
    )
    return "\n\n".join([title, scores, differences, _method(uncertainty)])


def _difference_rows(uncertainty: ClassUncertainty) -> list[Sequence[str]]:
    words = {BETTER: BETTER, WORSE: "**WORSE**", UNCLEAR: UNCLEAR}
    return [
        [
            baseline_label(name),
            number(difference.scores["accuracy"].figure),
            span(difference.scores["accuracy"].low, difference.scores["accuracy"].high),
            str(difference.model_only),
            str(difference.baseline_only),
            p_in_words(difference.p),
            p_in_words(difference.adjusted_p),
            words[class_outcome(difference)],
        ]
        for name, difference in uncertainty.differences.items()
    ]


def _method(uncertainty: ClassUncertainty) -> str:
    drawn = counted(uncertainty.sequences, "test sequence")
    if uncertainty.clusters < uncertainty.sequences:
        drawn += f" in {uncertainty.clusters} clusters that count as one observation each"
    return (
        f"Intervals come from {uncertainty.resamples} resamples of the {drawn} (bootstrap, expanded "
        "percentiles), the same for all classifiers. “Model only” and “other only” count the sequences "
        "that only one of the two has right, and p is that of McNemar's exact test on these; adjusted "
        f"p-values allow for all {counted(len(uncertainty.differences), 'comparison')} (Holm). “Better” "
        "and “worse” need an adjusted p below 0.05 and an interval without zero. All this is about this "
        "one model on data like these; what another seed would bring is not covered."
    )


def _classes(report: ClassificationReport) -> str:
    rows = [
        [
            each.label,
            number(each.precision),
            number(each.recall),
            number(each.f1),
            str(each.support),
        ]
        for each in report.per_class
    ]
    table = markdown_table(["Class", "Precision", "Recall", "F1", "Test sequences"], rows)
    return f"## Class by class\n\n{table}"


def _confusion(report: ClassificationReport, figures: Mapping[str, str]) -> str:
    alt = "Test sequences by true and predicted class"
    parts = markdown_figure(figures, "confusion", alt)
    if len(report.labels) <= _MOST_CLASSES:
        rows = [
            [label, *map(str, counts)]
            for label, counts in zip(report.labels, report.confusion.tolist(), strict=True)
        ]
        parts.append(markdown_table(["Truth ↓, predicted →", *report.labels], rows))
    return "\n\n".join(["## Confusion matrix", *parts]) if parts else ""


def _bins(report: ClassificationReport, figures: Mapping[str, str]) -> str:
    rows = [
        [
            f"{each.low:.1f} to {each.high:.1f}",
            str(each.count),
            number(each.confidence, 3),
            number(each.accuracy, 3),
        ]
        for each in report.reliability.bins
    ]
    table = markdown_table(["Probability", "Test sequences", "Mean probability", "Right"], rows)
    note = (
        "Probability is that of the predicted class. The expected calibration error is "
        f"{number(report.reliability.calibration_error, 3)}."
    )
    picture = markdown_figure(figures, "reliability", "Share that is right by probability")
    parts = ["## What the probabilities are worth", *picture, table, note]
    if report.calibration is not None:
        parts += _calibration(report.calibration)
    return "\n\n".join(parts)


def _calibration(found: Calibration) -> list[str]:
    """The same sequences before and after calibration."""
    pairs = {
        "test": (found.test_before, found.test_after),
        "validation, where it was fitted": (found.validation_before, found.validation_after),
    }
    rows = [
        [
            name,
            *(number(worth.log_loss) for worth in pair),
            *(number(worth.reliability.calibration_error, 3) for worth in pair),
        ]
        for name, pair in pairs.items()
    ]
    heads = ["Sequences", "Log loss before", "after", "Calibration error before", "after"]
    said = (
        f"These are calibrated: logits are divided by a temperature of {number(found.temperature, 3)}, "
        f"fitted on {counted(found.sequences, 'validation sequence')} by networks that had not trained "
        "on them."
    )
    return [said, markdown_table(heads, rows)]
