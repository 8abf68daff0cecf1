"""The sections that there are once a classifier has been tested."""

from collections.abc import Mapping
from typing import Any

from reports.page.cells import Cell, PageTable, best_of, estimate_cells, figure_cell, p_cell
from reports.page.certainty_figures import difference_figure
from reports.page.class_figures import confusion_figure, reliability_figure
from reports.page.section import Section
from reports.wording import baseline_label, counted, number, percent

# metric → heading, and whether more of it is better
_SCORES = {
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced", True),
    "f1_macro": ("F1 (macro)", True),
    "roc_auc": ("ROC AUC", True),
    "log_loss": ("Log loss", False),
}
_OF_A_CLASS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


def class_sections(numbers: Mapping[str, Any]) -> list[Section]:
    """Scores, how certain they are, and each class, in the order of the page."""
    text = (
        "“Balanced” is the mean recall of the classes; of log loss, less is better. The winner was "
        "chosen for its validation score, so only these columns are unbiased. Click a heading to sort."
    )
    calibration = numbers.get("calibration")
    before = calibration and calibration["test"]["before"]
    figures = [
        confusion_figure(numbers["labels"], numbers["confusion_matrix"]),
        reliability_figure(numbers["reliability"], before),
    ]
    tables = [classes_table(numbers)]
    if calibration:
        tables.append(calibration_table(calibration))
    return [
        Section(
            "scores",
            "Scores on the test set",
            text,
            [scores_table(numbers), validation_table(numbers)],
        ),
        _certainty(numbers),
        Section(
            "classes",
            "Class by class",
            tables=tables,
            figures=[figure for figure in figures if figure is not None],
        ),
    ]


def _certainty(numbers: Mapping[str, Any]) -> Section:
    uncertainty, title = numbers["uncertainty"], "How certain the scores are"
    if uncertainty is None:
        text = "The test set is too small to tell chance from skill."
        return Section("certainty", title, text)
    text = (
        f"Intervals come from {uncertainty['resamples']} resamples of "
        f"{counted(uncertainty['clusters'], 'independent test sequence')}, and p from McNemar's exact "
        "test on those that only one of the two has right, adjusted for all comparisons (Holm)."
    )
    ends = {name: found["accuracy"] for name, found in uncertainty["differences"].items()}
    figure = difference_figure(uncertainty, ends, "Accuracy difference", better="right")
    figures = [] if figure is None else [figure]
    tables = [differences_table(uncertainty), intervals_table(uncertainty)]
    return Section("certainty", title, "", tables, figures, text)


def scores_table(numbers: Mapping[str, Any]) -> PageTable:
    """The test scores of the model, of the winner before the refit, and of the baselines."""
    rows = {
        "refitted model": numbers["test"],
        "winner before the refit": numbers["train_only"]["test"],
        **{baseline_label(name): each["test"] for name, each in numbers["baselines"].items()},
    }
    best = {
        metric: best_of([scores[metric] for scores in rows.values()], highest=highest)
        for metric, (_, highest) in _SCORES.items()
    }
    cells = [
        [Cell(label), *(figure_cell(scores[metric], best=best[metric]) for metric in _SCORES)]
        for label, scores in rows.items()
    ]
    heads = ["Classifier", *(head for head, _ in _SCORES.values())]
    return PageTable("The model and the baselines", heads, cells)


def validation_table(numbers: Mapping[str, Any]) -> PageTable:
    """The winner's validation scores: the mean of its folds, and their spread."""
    found, deviation = numbers["validation"], numbers["validation_folds"]["deviation"]
    folds = numbers["validation_folds"]["folds"]
    rows = [
        [Cell(head), figure_cell(found[metric]), figure_cell(deviation[metric])]
        for metric, (head, _) in _SCORES.items()
    ]
    title = f"On validation: {counted(folds, 'fold')}"
    return PageTable(title, ["Winner", "Mean", "Deviation"], rows)


def calibration_table(calibration: Mapping[str, Any]) -> PageTable:
    """Log loss and calibration error before and after calibration."""
    rows = [
        [
            Cell(where),
            *(
                figure_cell(calibration[part][when][figure])
                for figure in ("log_loss", "calibration_error")
                for when in ("before", "after")
            ),
        ]
        for part, where in (("test", "test"), ("validation", "validation, where it was fitted"))
    ]
    title = (
        f"Calibrated by a temperature of {number(calibration['temperature'], 3)}, fitted on "
        f"{counted(calibration['sequences'], 'validation sequence')}"
    )
    heads = ["Sequences", "Log loss before", "after", "Calibration error before", "after"]
    return PageTable(title, heads, rows)


def classes_table(numbers: Mapping[str, Any]) -> PageTable:
    """How each class is told from the others."""
    rows = [
        [
            Cell(each["label"]),
            *(figure_cell(each[name]) for name in _OF_A_CLASS),
            Cell(str(each["support"]), each["support"]),
        ]
        for each in numbers["per_class"]
    ]
    heads = ["Class", *_OF_A_CLASS.values(), "Test sequences"]
    return PageTable("Each class against the others", heads, rows)


def intervals_table(uncertainty: Mapping[str, Any]) -> PageTable:
    """The refitted model's test scores with their intervals."""
    rows = [
        [Cell(metric.replace("_", " ")), *estimate_cells(ends)]
        for metric, ends in uncertainty["test"].items()
    ]
    heads = ["Refitted model", "Test", f"{percent(uncertainty['level'])} interval"]
    return PageTable("The scores and their intervals", heads, rows)


def differences_table(uncertainty: Mapping[str, Any]) -> PageTable:
    """The difference in accuracy to each baseline, its interval, the test of it, and the outcome."""
    rows = [
        [
            Cell(baseline_label(name)),
            Cell(found["outcome"].upper() if found["outcome"] == "worse" else found["outcome"]),
            *estimate_cells(found["accuracy"]),
            *(
                Cell(str(found["mcnemar"][only]), found["mcnemar"][only])
                for only in ("model_only", "baseline_only")
            ),
            *(p_cell(found["mcnemar"][name]) for name in ("p", "adjusted_p")),
        ]
        for name, found in uncertainty["differences"].items()
    ]
    interval = f"{percent(uncertainty['level'])} interval"
    heads = ["Baseline", "The model is", "Accuracy apart", interval, "Model only", "Other only"]
    return PageTable("Accuracy less that of the baseline", [*heads, "p", "p, adjusted"], rows)
