"""Putting the page together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.contents import Forecasts
from reports.page.figure import PageFigure
from reports.page.forecast_figures import forecast_figures, residual_figures, step_figure
from reports.page.search_figures import curve_figures, study_figures
from reports.page.tables import (
    PageTable,
    flat,
    named_values,
    params_table,
    residuals_table,
    scores_table,
)
from reports.wording import counted, duration, number

FAILED_FIRST = "WORSE"


@dataclass(frozen=True)
class Tile:
    """A figure that stands out at the top: what it is, the figure, and a word of scale."""

    label: str
    figure: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading; empty parts are left out."""

    name: str
    title: str
    text: str = ""
    tables: list[PageTable] = field(default_factory=list)
    figures: list[PageFigure] = field(default_factory=list)
    command: str = ""
    checks: Sequence[Mapping[str, Any]] = ()


def render_page(
    numbers: Mapping[str, Any], forecasts: Forecasts | None, drawn: Mapping[str, Mapping[str, Any]]
) -> str:
    """Write report.html.

    Args:
        numbers: The content of report.json, from which every figure in words and tables comes.
        forecasts: The stored forecasts, for the plots of them; None while the test set is closed.
        drawn: Optuna's plots of the study by name, each plotly.js's "data" and "layout".

    Returns:
        An HTML page that holds all that it needs and loads nothing.
    """
    said = numbers.get("verdict") or _so_far(numbers)
    template = _environment().get_template("report.html.j2")
    return template.render(
        study=numbers["study"],
        task=numbers["task"],
        verdict=_clauses(said),
        lost=said.startswith(FAILED_FIRST),
        tiles=_tiles(numbers),
        sections=_sections(numbers, forecasts, drawn),
        style=_part("style.css"),
        script=_part("script.js"),
        plotly=_plotly(),
    )


def _so_far(numbers: Mapping[str, Any]) -> str:
    """What can be said before the test set has been opened."""
    best = numbers["best"]
    if best is None:
        return "The search goes on: no trial is complete yet."
    found = f"validation {numbers['metric']} {number(best['value'])} (trial {best['trial']})"
    return f"Not tested yet: the best so far has a {found}."


def _clauses(verdict: str) -> tuple[str, str]:
    """What the verdict comes to, up to its first colon, and the figures after it."""
    head, colon, rest = verdict.partition(":")
    return (head + colon, rest) if colon else (verdict, "")


def _tiles(numbers: Mapping[str, Any]) -> list[Tile]:
    trials, seconds, best = numbers["trials"], numbers["seconds"], numbers["best"]
    tiles = [] if "test" not in numbers else _test_tiles(numbers)
    if best is not None:
        value = number(best["value"], 3)
        tiles.append(Tile(f"Validation {numbers['metric']}", value, "of the winner"))
    states = f"{trials['complete']} complete, {trials['pruned']} pruned"
    tiles.append(Tile("Trials", str(trials["total"]), states))
    total = f"{duration(seconds['total'])} in this run" if seconds["total"] else ""
    return [*tiles, Tile("Search", duration(seconds["search"]), total)]


def _test_tiles(numbers: Mapping[str, Any]) -> list[Tile]:
    several = len(numbers["targets"]) > 1
    key, unit = ("test_standardised", "standardised units") if several else ("test", "data units")
    naive = [scores[key].get("rmse") for scores in numbers["baselines"].values()]
    best = min((rmse for rmse in naive if rmse is not None), default=None)
    return [
        Tile("Test RMSE", number(numbers[key].get("rmse"), 3), unit),
        Tile("Best naive forecast", number(best, 3), "RMSE on the same targets"),
    ]


def _sections(
    numbers: Mapping[str, Any],
    forecasts: Forecasts | None,
    drawn: Mapping[str, Mapping[str, Any]],
) -> list[Section]:
    sections = [
        *([] if forecasts is None else _tested(numbers, forecasts)),
        *([] if numbers["best"] is None else [_winner(numbers)]),
        _search(numbers, drawn),
        *([] if forecasts is None else [_residuals(numbers, forecasts)]),
        _honesty(numbers),
        _again(numbers),
    ]
    return [s for s in sections if s.text or s.tables or s.figures or s.command]


def _tested(numbers: Mapping[str, Any], forecasts: Forecasts) -> list[Section]:
    text = (
        "RMSE and MAE are in data units; columns with “std.” divide each target by its deviation over "
        "the training rows. The winner was chosen for its validation score, so only these columns are "
        "without bias. Click a heading to sort."
    )
    steps = step_figure(numbers)
    figures = [] if steps is None else [steps]
    return [
        Section("forecasts", "Forecast against truth", figures=forecast_figures(forecasts)),
        Section("scores", "Scores on the test set", text, [scores_table(numbers)], figures),
    ]


def _winner(numbers: Mapping[str, Any]) -> Section:
    best, refit = numbers["best"], numbers.get("refit")
    text = f"Trial {best['trial']}: validation {numbers['metric']} {number(best['value'])}."
    if refit:
        text += (
            f" It was then retrained on train+validation. {refit['rule']}: "
            f"{number(refit['epochs'], 3)} epochs, {counted(refit['updates'], 'update')}, "
            f"{duration(refit['seconds'])}."
        )
    tables = [params_table(best["params"])]
    return Section("winner", "The winner", text, tables, curve_figures(numbers["curves"]))


def _search(numbers: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Any]]) -> Section:
    trials, pruning = numbers["trials"], numbers["pruning"]
    text = (
        f"{counted(trials['total'], 'trial')}: {trials['complete']} complete, "
        f"{trials['pruned']} pruned, {trials['failed']} failed."
    )
    if pruning:
        text += (
            f" Pruning spared about {number(pruning['epochs_saved'], 3)} epochs, or "
            f"{duration(pruning['seconds_saved'])} of training, if pruned trials had gone on for as "
            "long as complete ones do in the median."
        )
    return Section("search", "The search", text, figures=study_figures(drawn))


def _residuals(numbers: Mapping[str, Any], forecasts: Forecasts) -> Section:
    residuals = numbers["residuals"]
    figures = residual_figures(forecasts, residuals[0])
    return Section(
        "residuals",
        "What the model misses",
        tables=[residuals_table(residuals)],
        figures=figures,
    )


def _honesty(numbers: Mapping[str, Any]) -> Section:
    openings = numbers.get("ledger", {}).get("openings", [])
    text = f"The test set was opened {counted(len(openings), 'time')}." if openings else ""
    facts = {name: text for name, text in numbers["facts"].items() if name != "command"}
    return Section(
        "honesty",
        "How the figures were kept honest",
        text,
        [named_values("Data, parts and versions", facts)],
        checks=numbers.get("audit") or (),
    )


def _again(numbers: Mapping[str, Any]) -> Section:
    tables = [named_values("Files", numbers["paths"])]
    if numbers["configuration"]:
        tables.insert(0, named_values("Configuration", flat(numbers["configuration"])))
    return Section("again", "Do it again", "", tables, command=numbers["facts"].get("command", ""))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _part(name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup((files("reports.page") / "templates" / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Markup:
    """plotly.js as the Python package ships it."""
    path = files("plotly") / "package_data" / "plotly.min.js"
    return Markup(path.read_text(encoding="utf-8"))
