"""The one sentence that matters: is the tuned model better than a classifier that costs nothing?"""

import math

from reports.certainty import BETTER, SIGNIFICANT, UNCLEAR, WORSE, p_in_words, span
from reports.classification.contents import ClassDifference, ClassificationReport
from reports.wording import baseline_label, listed, number

TOO_FEW = "The test set is too small to tell chance from skill."
ONE_CLASS = (
    "CAUTION: every test sequence is of class {label}, so that always saying so would be right too."
)


def class_outcome(difference: ClassDifference) -> str:
    """Say how the model stands to a baseline: BETTER, WORSE or, where it may be chance, UNCLEAR.

    Both McNemar's test, adjusted for how many were made, and the interval of the difference in accuracy
    must rule chance out.
    """
    accuracy = difference.scores["accuracy"]
    if not difference.adjusted_p < SIGNIFICANT or not (accuracy.low > 0 or accuracy.high < 0):
        return UNCLEAR
    return BETTER if accuracy.figure > 0 else WORSE


def class_verdict(report: ClassificationReport) -> str:
    """Say in one sentence how the refitted model compares with the baselines, by accuracy.

    Returns:
        Plain text. Its first word is "WORSE" when the model loses to any baseline; a loss or a draw that
        may be chance begins with "NOT BETTER". Where the test set is too small, any loss is one.
        Another sentence tells of a test set of one class.
    """
    tested = report.confusion.sum(axis=1).nonzero()[0]
    if len(tested) > 1:
        return _compared(report)
    label = report.labels[tested[0]]
    return f"{_compared(report)} {ONE_CLASS.format(label=label)}"


def _compared(report: ClassificationReport) -> str:
    accuracy = report.test["accuracy"]
    if not math.isfinite(report.test["log_loss"]):
        return "WORSE than any baseline: the refitted model gives no finite probabilities."
    figure = f"test accuracy {number(accuracy, 3)}"
    uncertainty = report.uncertainty
    ranked = sorted(report.baselines, key=lambda name: -report.baselines[name]["accuracy"])
    if uncertainty is None:
        lost = [name for name in ranked if report.baselines[name]["accuracy"] > accuracy]
        others = "; ".join(_beside(report, name) for name in ranked)
        head = f"WORSE than {_named(lost)}: " if lost else ""
        return f"{_opened(head + figure)}, {others}. {TOO_FEW}"
    found = uncertainty.scores["accuracy"]
    figure += f" (95 % interval {span(found.low, found.high)})"
    outcomes = {name: class_outcome(uncertainty.differences[name]) for name in ranked}
    worse = [name for name in ranked if outcomes[name] == WORSE]
    unclear = [
        name
        for name in ranked
        if outcomes[name] == UNCLEAR and report.baselines[name]["accuracy"] >= accuracy
    ]
    order = [WORSE, UNCLEAR, BETTER]
    parts = "; ".join(
        _tested(report, name, outcomes[name], uncertainty.differences[name])
        for name in sorted(ranked, key=lambda name: order.index(outcomes[name]))
    )
    if worse:
        return f"WORSE than {_named(worse)}: {figure}, {parts}."
    if unclear:
        return f"NOT BETTER than {_named(unclear)}: {figure}, {parts}."
    return f"{_opened(figure)}: {parts}."


def _tested(
    report: ClassificationReport, name: str, result: str, difference: ClassDifference
) -> str:
    relation = {BETTER: "better than", UNCLEAR: "not distinguishable from", WORSE: "WORSE than"}
    p = p_in_words(difference.adjusted_p)
    return f"{relation[result]} {_beside(report, name)} ({p})"


def _beside(report: ClassificationReport, name: str) -> str:
    return f"{baseline_label(name)} {number(report.baselines[name]['accuracy'], 3)}"


def _named(names: list[str]) -> str:
    return listed([baseline_label(name) for name in names])


def _opened(text: str) -> str:
    return text[:1].upper() + text[1:]
