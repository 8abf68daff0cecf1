"""Putting the page together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.certainty import RATHER_SHORT, TOO_SHORT, UNCLEAR
from reports.classification.verdict import ONE_CLASS, TOO_FEW
from reports.contents import COMMAND, Forecasts
from reports.page.cells import best_of
from reports.page.class_sections import class_sections
from reports.page.search_sections import search_sections
from reports.page.section import Section
from reports.page.tables import flat, named_values, openings_table, shown_units
from reports.page.tested_sections import residuals_section, tested_sections
from reports.wording import duration, number

LOSSES = ("WORSE", "NOT BETTER")  # the first words of a verdict that says so
_CAUTIONS = (UNCLEAR, TOO_FEW, TOO_SHORT, RATHER_SHORT, ONE_CLASS.partition("{")[0])


@dataclass(frozen=True)
class Tile:
    """A figure that stands out at the top: what it is, the figure, and a word of scale."""

    label: str
    figure: str
    note: str = ""


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
        tone=_tone(numbers.get("verdict")),
        cautions=_cautions(numbers),
        tiles=_tiles(numbers),
        sections=[each for each in _sections(numbers, forecasts, drawn) if each.filled],
        style=_part("style.css"),
        script=_part("script.js"),
        plotly=_plotly(),
    )


def _tone(verdict: str | None) -> str:
    """The colour of a verdict, a class of the style sheet: what chance may have done is no success."""
    if verdict is None:
        return "open"
    if verdict.startswith(LOSSES):
        return "lost"
    return "open" if any(caution in verdict for caution in _CAUTIONS) else "won"


def _so_far(numbers: Mapping[str, Any]) -> str:
    """What can be said before the test set has been opened."""
    best = numbers["best"]
    if best is None:
        return "The search goes on: no trial is complete yet."
    found = f"validation {numbers['metric']} {number(best['value'])} (trial {best['trial']})"
    return f"Not tested yet: the best so far has a {found}."


def _cautions(numbers: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the figures."""
    ledger, checks = numbers["ledger"], numbers.get("audit", ())
    cautions = [ledger["looks"]] if ledger["other_winners"] else []
    if not all(check["passed"] for check in checks):
        cautions.append(numbers["audit_in_words"])
    return cautions


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
    if _classifies(numbers):
        others = [each["test"]["accuracy"] for each in numbers["baselines"].values()]
        return [
            Tile("Test accuracy", number(numbers["test"]["accuracy"], 3)),
            Tile(
                "Best baseline", number(best_of(others, highest=True), 3), "on the same sequences"
            ),
        ]
    key, unit = shown_units(numbers)
    naive = [scores[key].get("rmse") for scores in numbers["baselines"].values()]
    return [
        Tile("Test RMSE", number(numbers[key].get("rmse"), 3), unit),
        Tile(
            "Best naive forecast",
            number(best_of(naive, highest=False), 3),
            "RMSE on the same targets",
        ),
    ]


def _classifies(numbers: Mapping[str, Any]) -> bool:
    """Whether these are the numbers of a tested classifier."""
    return "confusion_matrix" in numbers


def _sections(
    numbers: Mapping[str, Any],
    forecasts: Forecasts | None,
    drawn: Mapping[str, Mapping[str, Any]],
) -> list[Section]:
    return [
        *(class_sections(numbers) if _classifies(numbers) else []),
        *([] if forecasts is None else tested_sections(numbers, forecasts)),
        *search_sections(numbers, drawn),
        *([] if forecasts is None else [residuals_section(numbers, forecasts)]),
        _honesty(numbers),
        _again(numbers),
    ]


def _honesty(numbers: Mapping[str, Any]) -> Section:
    ledger, audit = numbers["ledger"], numbers.get("audit_in_words", "")
    looks = ledger["looks"] if ledger["openings"] else ""
    facts = {name: text for name, text in numbers["facts"].items() if name != COMMAND}
    tables = [named_values("Data, parts and versions", facts)]
    if ledger["openings"]:
        tables.append(openings_table(ledger["openings"]))
    return Section(
        "honesty",
        "How the figures were kept honest",
        f"{looks} {audit}".strip(),
        tables,
        checks=numbers.get("audit") or (),
    )


def _again(numbers: Mapping[str, Any]) -> Section:
    command, configuration = numbers["facts"].get(COMMAND), numbers["configuration"]
    folded = [named_values("Files", numbers["paths"])]
    if configuration:
        folded.insert(0, named_values("Configuration", flat(configuration)))
    if command is None:
        return Section("again", "Do it again", folded=folded)
    text = (
        "With the same data, versions and one worker the same seed comes to the same trials, values and "
        "winner. Run it in another `--out`: where the study is finished it is only reported again."
    )
    return Section("again", "Do it again", text, folded=folded, commands=[command])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment


def _code(text: str) -> Markup:
    """Text whose parts between backticks are code, as in Markdown."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))


def _part(name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup((files("reports.page") / "templates" / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Markup:
    """plotly.js as the Python package ships it."""
    path = files("plotly") / "package_data" / "plotly.min.js"
    return Markup(path.read_text(encoding="utf-8"))
