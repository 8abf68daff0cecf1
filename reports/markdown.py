"""report.md: the page that a reader opens first, the verdict at its top."""

from collections.abc import Mapping, Sequence

from reports.audit import audit_in_words, audit_lines
from reports.certainty import TOO_SHORT, difference_rows, method_in_words, score_rows
from reports.classification.contents import ClassificationReport
from reports.classification.markdown import class_sections
from reports.contents import COMMAND, ForecastScores, Ledger, SearchReport, StudyReport
from reports.counts import trial_counts
from reports.intervals import interval_rows, intervals_in_words
from reports.markdown_parts import markdown_figure, markdown_table, without_html
from reports.optimism import decision_in_words, optimism, optimism_in_words
from reports.verdict import verdict
from reports.wording import (
    baseline_label,
    counted,
    duration,
    looks_in_words,
    number,
    setting,
    several_targets,
    unit_name,
)

MOST_STEPS = 12


def report_markdown(report: SearchReport, figures: Mapping[str, str]) -> str:
    """Lay the report out as a Markdown page.

    Args:
        report: The study, finished or not. The fact named "command", where there is one, is shown as the
            command that runs the study again.
        figures: Paths of the plots by name, relative to the page; a plot that is missing here is
            left out.

    Returns:
        The page's text.
    """
    top = [_untested(report)]
    if isinstance(report, StudyReport):
        top = [
            _top(report, figures),
            _test_scores(report),
            _certainty(report),
            _steps(report),
            _intervals(report),
        ]
    if isinstance(report, ClassificationReport):
        top = [_top(report, {}), *class_sections(report, figures)]
    sections = [
        *top,
        _winner(report, figures),
        _confirmation(report),
        _search(report, figures),
        _facts(report),
        _audit(report),
    ]
    filled = [without_html(section) for section in sections if section]
    return "\n\n".join([*filled, _files(report)]) + "\n"


def _untested(report: SearchReport) -> str:
    return f"# {report.study.name}\n\nThe search so far: {report.task}. Nothing has been tested."


def _top(report: StudyReport | ClassificationReport, figures: Mapping[str, str]) -> str:
    alt = "Forecasts on the test set against the truth and the naive forecasts"
    lines = [f"# {report.study.name}", f"**{verdict(report)}**", _looks(report.ledger)]
    if any(not check.passed for check in report.audit):
        lines.append(f"**{audit_in_words(report.audit)}**")
    return "\n\n".join(lines + markdown_figure(figures, "forecasts", alt))


def _looks(ledger: Ledger) -> str:
    """How often the test set was opened; what a reader must know before the figures."""
    looks = looks_in_words(ledger)
    return f"**{looks}**" if ledger.other_winners else looks


def _test_scores(report: StudyReport) -> str:
    rows = [
        ("**refitted model**", report.test),
        ("winner before the refit (train only)", report.train_only),
        *((baseline_label(name), scores) for name, scores in report.baselines.items()),
    ]
    heads = ["Forecast", "RMSE", "MAE", "R²", "MASE", "RMSE, std.", "MAE, std.", "MSE, std."]
    table = markdown_table(heads, [[name, *_score_cells(scores)] for name, scores in rows])
    validation = report.validation.standardised.overall
    note = (
        "RMSE and MAE are in data units; “std.” columns divide each target by its deviation over "
        "the training rows. For comparison, the winner's RMSE on validation was "
        f"{number(validation.get('rmse'))} (std.): it was chosen for that figure, so only the test "
        "columns are unbiased."
    )
    return f"## Scores on the test set\n\n{table}\n\n{note}"


def _score_cells(scores: ForecastScores) -> list[str]:
    data, standardised = scores.data_units.overall, scores.standardised.overall
    cells = [number(data.get(name)) for name in ("rmse", "mae", "r2", "mase")]
    return cells + [number(standardised.get(name)) for name in ("rmse", "mae", "mse")]


def _certainty(report: StudyReport) -> str:
    title, uncertainty = "## How certain the scores are", report.uncertainty
    if uncertainty is None:
        return f"{title}\n\n{TOO_SHORT} It has fewer than five stretches of independent windows."
    heads = ["Refitted model", "Test", "95 % interval", "Test, std.", "95 % interval"]
    scores = markdown_table(heads, score_rows(uncertainty))
    heads = ["RMSE less that of", "Difference", "95 % interval", "DM", "p", "p, adjusted"]
    differences = markdown_table([*heads, "The model is"], difference_rows(report, uncertainty))
    return "\n\n".join([title, scores, differences, method_in_words(uncertainty)])


def _steps(report: StudyReport) -> str:
    """Show RMSE by step; of a long horizon about a dozen steps, its first and last among them."""
    forecasts = {"refitted model": report.test, **report.baselines}
    steps = {name: _step_figures(report, scores) for name, scores in forecasts.items()}
    horizon = len(steps["refitted model"])
    if horizon < 2:
        return ""
    shown = _spread_steps(horizon)
    rows = [
        [str(step), *(number(v[step - 1]) if len(v) == horizon else "" for v in steps.values())]
        for step in shown
    ]
    table = markdown_table(["Step", *map(baseline_label, steps)], rows)
    return f"## RMSE by forecast step ({unit_name(report)})\n\n{table}"


def _intervals(report: StudyReport) -> str:
    title, words = "## Prediction intervals", intervals_in_words(report.intervals)
    if not report.intervals.levels:
        return f"{title}\n\n{words}"
    heads = ["Level", "Reached on test", "First step", "Last step"]
    rows = interval_rows(report, report.intervals)
    table = markdown_table([*heads, f"Mean width ({unit_name(report)})"], rows)
    return "\n\n".join([title, table, words])


def _step_figures(report: StudyReport, scores: ForecastScores) -> Sequence[float]:
    unit = scores.standardised if several_targets(report) else scores.data_units
    return unit.per_step.get("rmse", ())


def _spread_steps(horizon: int) -> list[int]:
    if horizon <= MOST_STEPS:
        return list(range(1, horizon + 1))
    apart = (horizon - 1) / (MOST_STEPS - 1)
    return [1 + round(index * apart) for index in range(MOST_STEPS)]


def _winner(report: SearchReport, figures: Mapping[str, str]) -> str:
    winner = report.winner
    if winner is None:
        return ""
    table = markdown_table(
        ["Hyperparameter", "Value"],
        [[f"`{name}`", setting(value)] for name, value in winner.params.items()],
    )
    lines = [
        f"## The winner: trial {winner.trial}",
        f"Validation {report.metric} {number(winner.value)}.",
        table,
    ]
    if isinstance(report, StudyReport | ClassificationReport):
        refit = report.refit
        lines.append(
            f"**Refit.** {refit.rule}: {number(refit.epochs, 3)} passes, "
            f"{counted(refit.updates, 'update')}, {duration(refit.seconds)}."
        )
    alt = "Training loss and validation metric of the winner by epoch"
    return "\n\n".join(lines + markdown_figure(figures, "loss_curves", alt))


def _confirmation(report: SearchReport) -> str:
    """Every candidate's spread over the seeds, who led before and after, and the optimism."""
    found, confirmation = optimism(report), report.confirmation
    lines = [] if found is None else [optimism_in_words(found, report.metric)]
    if confirmation is not None:
        rows = [
            [
                f"trial {each.trial}",
                number(each.search),
                number(each.mean),
                number(each.deviation),
                ", ".join("failed" if score is None else number(score) for score in each.scores),
            ]
            for each in confirmation.candidates
        ]
        heads = ["Candidate", "Search", "Mean", "Deviation", "Fresh seeds"]
        lines = [decision_in_words(confirmation), markdown_table(heads, rows), *lines]
    return "\n\n".join(["## Confirmation", *lines]) if lines else ""


def _search(report: SearchReport, figures: Mapping[str, str]) -> str:
    counts = trial_counts(report.study)
    states = ", ".join(f"{counts[state]} {state}" for state in ("complete", "pruned", "failed"))
    search, total = (duration(report.seconds.get(name)) for name in ("search", "total"))
    text = f"{counted(counts['total'], 'trial')}: {states}. Search {search}, in total {total}."
    alt = "Validation metric of every trial in order"
    return "\n\n".join(["## The search", text, *markdown_figure(figures, "history", alt)])


def _facts(report: SearchReport) -> str:
    """List how the data were kept apart: what makes the figures above worth believing."""
    facts = [f"- **{name}**: {text}" for name, text in report.facts.items() if name != COMMAND]
    if not facts:
        return ""
    return "\n".join(["## How validation and test are kept honest", "", *facts])


def _audit(report: SearchReport) -> str:
    if not isinstance(report, StudyReport | ClassificationReport) or not report.audit:
        return ""
    lines = [f"- {line}" for line in audit_lines(report.audit)]
    return "\n".join(["## The leakage audit", "", audit_in_words(report.audit), "", *lines])


def _files(report: SearchReport) -> str:
    lines = [
        "## Files",
        markdown_table(["What", "Where"], [[n, f"`{p}`"] for n, p in report.paths.items()]),
    ]
    if COMMAND in report.facts:
        lines.append(f"Run it again:\n\n```sh\n{report.facts[COMMAND]}\n```")
    return "\n\n".join(lines)
