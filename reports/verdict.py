"""The one sentence that matters: is the tuned model better than a forecast that costs nothing?"""

import math
from dataclasses import dataclass

from reports.contents import ForecastScores, StudyReport
from reports.wording import baseline_label, listed, number, percent, several_targets, unit_name

LEVEL = 0.02


@dataclass(frozen=True)
class Comparison:
    """The refitted model against one baseline on the test set.

    `rmse` is the baseline's, in the units that the verdict speaks in; `change` is the model's RMSE
    relative to it (-0.23 for 23 % lower; infinite where the baseline alone is without error).
    """

    baseline: str
    rmse: float
    change: float

    @property
    def lost(self) -> bool:
        """Whether the model is worse, by however little."""
        return self.change > 0

    @property
    def level(self) -> bool:
        """Whether the two are too close to call."""
        return abs(self.change) <= LEVEL


def comparisons(report: StudyReport) -> tuple[Comparison, ...]:
    """Compare the refitted model with every baseline that has a finite score, the best first."""
    model = _standardised_rmse(report.test)
    compared = []
    for name, scores in report.baselines.items():
        baseline = _standardised_rmse(scores)
        if math.isfinite(baseline):
            change = _relative_change(model, baseline)
            compared.append((baseline, Comparison(name, shown_rmse(report, scores), change)))
    return tuple(comparison for _, comparison in sorted(compared, key=lambda pair: pair[0]))


def shown_rmse(report: StudyReport, scores: ForecastScores) -> float:
    """Give the overall RMSE in the units that `unit_name` names."""
    if several_targets(report):
        return _standardised_rmse(scores)
    return scores.data_units.overall.get("rmse", math.nan)


def verdict(report: StudyReport) -> str:
    """Say in one sentence how the refitted model compares with the naive forecasts.

    Args:
        report: The finished study.

    Returns:
        Plain text. Its first word is "WORSE" when the model loses to any baseline, by however
        little, or has no finite score.
    """
    compared = comparisons(report)
    if not math.isfinite(_standardised_rmse(report.test)):
        return "WORSE than any naive forecast: the refitted model has no finite test score."
    figure = f"{number(shown_rmse(report, report.test), 3)} {_in_units(report)}"
    if not compared:
        return f"Test RMSE {figure}; there is no naive forecast to compare it with."
    if any(comparison.lost for comparison in compared):
        return _losing_verdict(figure, compared)
    best, *others = compared
    parts = [_against(best, f"the best naive forecast ({_named(best)})"), *map(_against, others)]
    return f"Test RMSE {figure}: {'; '.join(parts)}."


def headline(report: StudyReport) -> str:
    """Say the verdict in the few words that a plot's title has room for."""
    compared = comparisons(report)
    if not math.isfinite(_standardised_rmse(report.test)):
        return "WORSE than any naive forecast: no finite test score"
    lost = [baseline_label(comparison.baseline) for comparison in compared if comparison.lost]
    if lost:
        return f"WORSE than {listed(lost)} on the test set"
    if not compared:
        return f"Test RMSE {number(shown_rmse(report, report.test), 3)} {_in_units(report)}"
    best = compared[0]
    name = baseline_label(best.baseline)
    if best.level:
        return f"About level with the best naive forecast ({name}) on the test set"
    return f"Test RMSE {percent(best.change)} below the best naive forecast ({name})"


def _losing_verdict(figure: str, compared: tuple[Comparison, ...]) -> str:
    lost = [comparison for comparison in compared if comparison.lost]
    beaten = [comparison for comparison in compared if not comparison.lost]
    names = listed([baseline_label(comparison.baseline) for comparison in lost])
    parts = [_against(comparison) for comparison in [*lost, *beaten]]
    return f"WORSE than {names}: test RMSE {figure}, {'; '.join(parts)}."


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
