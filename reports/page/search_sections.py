"""The sections about the search, which are there before any test."""

from collections.abc import Mapping
from typing import Any

from reports.page.confirmation_figures import candidates_figure, optimism_figure
from reports.page.search_figures import curve_figures, study_figures
from reports.page.section import Section
from reports.page.tables import candidates_table, effort_table, params_table
from reports.wording import counted, duration, number


def search_sections(
    numbers: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Any]]
) -> list[Section]:
    """The winner, its confirmation and the search, in the order of the page."""
    winner = [] if numbers["best"] is None else [_winner(numbers)]
    return [*winner, _confirmation(numbers), _search(numbers, drawn)]


def _winner(numbers: Mapping[str, Any]) -> Section:
    best, refit = numbers["best"], numbers.get("refit")
    text = f"Trial {best['trial']}: validation {numbers['metric']} {number(best['value'])}."
    if refit:
        text += (
            f" It was then retrained in {number(refit['epochs'], 3)} passes through train+validation, "
            f"{counted(refit['updates'], 'update')}, in {duration(refit['seconds'])}: {refit['rule']}."
        )
    tables = [params_table(best["params"])]
    return Section("winner", "The winner", text, tables, curve_figures(numbers["curves"]))


def _confirmation(numbers: Mapping[str, Any]) -> Section:
    confirmation, metric = numbers.get("confirmation"), numbers["metric"]
    optimism = optimism_figure(numbers["optimism"], metric) if "optimism" in numbers else None
    figures = [] if optimism is None else [optimism]
    title = "Confirmation and optimism"
    if confirmation is None:
        return Section("confirmation", title, figures=figures)
    figures.insert(0, candidates_figure(confirmation, metric))
    tables = [candidates_table(confirmation)]
    return Section("confirmation", title, confirmation["decision"], tables, figures)


def _search(numbers: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Any]]) -> Section:
    pruning, text = numbers["pruning"], ""
    if pruning:
        text = (
            f"Pruning spared about {number(pruning['epochs_saved'], 3)} epochs, or "
            f"{duration(pruning['seconds_saved'])} of training, if pruned trials had gone on for as "
            "long as complete ones do in the median."
        )
    return Section("search", "The search", text, [effort_table(numbers)], study_figures(drawn))
