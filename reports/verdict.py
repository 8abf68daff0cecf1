"""The one sentence that matters: is the tuned model better than a forecast that costs nothing?"""

import math
from dataclasses import dataclass

from reports.certainty import (
    BETTER,
    RATHER_SHORT,
    TOO_SHORT,
    UNCLEAR,
    WORSE,
    outcome,
    p_in_words,
    rmse_interval,
)
from reports.classification.contents import ClassificationReport
from reports.classification.verdict import class_verdict
from reports.contents import Difference, ForecastScores, StudyReport
from reports.wording import baseline_label, listed, number, percent, several_targets, unit_name

LEVEL = 0.02


@dataclass(frozen=True)
class Comparison:
    """The refitted model against one baseline on the test set.

    `rmse` is the baseline's, in the units that the verdict speaks in; `change` is the model's RMSE
    relative to it (-0.23 for 23 % lower; infinite where the baseline alone is without error).
    `difference` tells how certain that is, None where the test set is too short to tell. `strongest`
    marks the baseline that was best on validation.
    """

    baseline: str
    rmse: float
    change: float
    difference: Difference | None = None
    strongest: bool = False

    @property
    def lost(self) -> bool:
        """Whether the model's figure is worse, by however little."""
        return self.change > 0

    @property
    def level(self) -> bool:
        """Whether the two are too close to call."""
        return abs(self.change) <= LEVEL

    @property
    def outcome(self) -> str:
        """BETTER, WORSE or UNCLEAR; without a test, whatever the figures say."""
        if self.difference is not None:
            return outcome(self.difference)
        return WORSE if self.lost else BETTER


def comparisons(report: StudyReport) -> tuple[Comparison, ...]:
    """Compare the refitted model with every baseline that has a finite score, the best first."""
    model, uncertainty = _standardised_rmse(report.test), report.uncertainty
    compared = []
    for name, scores in report.baselines.items():
        baseline = _standardised_rmse(scores)
        if math.isfinite(baseline):
            change = _relative_change(model, baseline)
            comparison = Comparison(
                name,
                shown_rmse(report, scores),
                change,
                uncertainty.differences.get(name) if uncertainty else None,
                uncertainty is not None and uncertainty.strongest == name,
            )
            compared.append((baseline, comparison))
    return tuple(comparison for _, comparison in sorted(compared, key=lambda pair: pair[0]))


def shown_rmse(report: StudyReport, scores: ForecastScores) -> float:
    """Give the overall RMSE in the units that `unit_name` names."""
    if several_targets(report):
        return _standardised_rmse(scores)
    return scores.data_units.overall.get("rmse", math.nan)


def verdict(report: StudyReport | ClassificationReport) -> str:
    """Say in one sentence how the refitted model compares with what costs nothing.

    Args:
        report: The finished study.

    Returns:
        Plain text. Its first word is "WORSE" when the model loses to any baseline, or has no finite
        score. A loss that may be chance begins with "NOT BETTER"; where the test set is too short to
        tell, any loss is one.
    """
    if isinstance(report, ClassificationReport):
        return class_verdict(report)
    compared = comparisons(report)
    if not math.isfinite(_standardised_rmse(report.test)):
        return "WORSE than any naive forecast: the refitted model has no finite test score."
    figure = f"{number(shown_rmse(report, report.test), 3)} {_in_units(report)}{_span(report)}"
    if not compared:
        return f"Test RMSE {figure}; there is no naive forecast to compare it with."
    if all(comparison.difference is not None for comparison in compared):
        short = report.uncertainty is not None and report.uncertainty.short
        return _tested_verdict(figure, compared) + (f" {RATHER_SHORT}" if short else "")
    if any(comparison.lost for comparison in compared):
        return _losing_verdict(figure, compared)
    best, *others = compared
    parts = [_against(best, f"the best naive forecast ({_named(best)})"), *map(_against, others)]
    return f"Test RMSE {figure}: {'; '.join(parts)}. {TOO_SHORT}"


def headline(report: StudyReport) -> str:
    """Say the verdict in the few words that a plot's title has room for."""
    compared = comparisons(report)
    if not math.isfinite(_standardised_rmse(report.test)):
        return "WORSE than any naive forecast: no finite test score"
    lost = _names(compared, WORSE)
    if lost:
        return f"WORSE than {listed(lost)} on the test set"
    unclear = _names(compared, UNCLEAR)
    if unclear:
        return f"Not distinguishable from {listed(unclear)} on the test set"
    if not compared:
        return f"Test RMSE {number(shown_rmse(report, report.test), 3)} {_in_units(report)}"
    best = compared[0]
    name = baseline_label(best.baseline)
    if best.level and best.difference is None:
        return f"About level with the best naive forecast ({name}) on the test set"
    return f"Test RMSE {percent(best.change)} below the best naive forecast ({name})"


def _tested_verdict(figure: str, compared: tuple[Comparison, ...]) -> str:
    """Begin with what the model is worse than, or not better than; then the strongest baseline first."""
    order = [WORSE, UNCLEAR, BETTER]
    ranked = sorted(compared, key=lambda each: (order.index(each.outcome), not each.strongest))
    parts = "; ".join(map(_tested_against, ranked))
    worse = _names(compared, WORSE)
    if worse:
        return f"WORSE than {listed(worse)}: test RMSE {figure}, {parts}."
    beaten_by = [baseline_label(each.baseline) for each in compared if each.lost]
    if beaten_by:
        return f"NOT BETTER than {listed(beaten_by)}: test RMSE {figure}, {parts}."
    return f"Test RMSE {figure}: {parts}."


def _tested_against(comparison: Comparison) -> str:
    relation = {BETTER: "better than", UNCLEAR: "not distinguishable from", WORSE: "WORSE than"}
    p = p_in_words(comparison.difference.adjusted_p) if comparison.difference else ""
    note = "; the strongest naive forecast on validation" if comparison.strongest else ""
    name = baseline_label(comparison.baseline)
    text = f"{relation[comparison.outcome]} {name} ({p}{note})"
    if comparison.change == 0:
        return f"{text}, equal to its {number(comparison.rmse, 3)}"
    if math.isinf(comparison.change):
        return f"{text}, which is without error"
    side = "above" if comparison.lost else "below"
    return f"{text}, {percent(comparison.change)} {side} its {number(comparison.rmse, 3)}"


def _names(compared: tuple[Comparison, ...], result: str) -> list[str]:
    return [baseline_label(each.baseline) for each in compared if each.outcome == result]


def _span(report: StudyReport) -> str:
    estimate = rmse_interval(report)
    if estimate is None or math.isnan(estimate.low):
        return ""
    return f" (95 % interval {number(estimate.low, 3)} to {number(estimate.high, 3)})"


def _losing_verdict(figure: str, compared: tuple[Comparison, ...]) -> str:
    lost = [comparison for comparison in compared if comparison.lost]
    beaten = [comparison for comparison in compared if not comparison.lost]
    names = listed([baseline_label(comparison.baseline) for comparison in lost])
    parts = [_against(comparison) for comparison in [*lost, *beaten]]
    return f"WORSE than {names}: test RMSE {figure}, {'; '.join(parts)}. {TOO_SHORT}"


def _against(comparison: Comparison, name: str | None = None) -> str:
    """Say how far the model is from one baseline; "about level" never hides which way it leans."""
    name = name or f"{baseline_label(comparison.baseline)} ({number(comparison.rmse, 3)})"
    if comparison.change == 0:
        return f"equal to {name}"
    if math.isinf(comparison.change):
        return f"where {name} is without error"
    side = "higher" if comparison.lost else "lower"
    if comparison.level:
        return f"about level with {name}: {percent(comparison.change)} {side}"
    return f"{percent(comparison.change)} {side} than {name}"


def _named(comparison: Comparison) -> str:
    return f"{baseline_label(comparison.baseline)}, {number(comparison.rmse, 3)}"


def _in_units(report: StudyReport) -> str:
    return f"in {unit_name(report)}" if several_targets(report) else unit_name(report)


def _standardised_rmse(scores: ForecastScores) -> float:
    """Take the root of the standardised MSE, which is comparable whatever the targets' units."""
    mse = scores.standardised.overall.get("mse", math.nan)
    return math.sqrt(mse) if mse >= 0 else math.nan


def _relative_change(model: float, baseline: float) -> float:
    if baseline > 0:
        return model / baseline - 1
    return 0.0 if model == 0 else math.inf
