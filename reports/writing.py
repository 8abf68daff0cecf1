"""Writing a whole report into a folder."""

import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from reports.contents import SearchReport, StudyReport
from reports.figures import draw_figures
from reports.files import atomically, write_text_atomically
from reports.markdown import report_markdown
from reports.numbers import report_json, report_numbers
from reports.page.page import render_page

__all__ = ["atomically", "write_report", "write_text_atomically"]

FORMATS = ("html", "md", "json", "png")
DOTS_PER_INCH = 200


def write_report(
    report: SearchReport,
    directory: Path,
    drawn: Mapping[str, Mapping[str, Any]] | None = None,
    formats: Collection[str] = FORMATS,
) -> dict[str, Path]:
    """Write report.json, report.md, report.html and figures/*.png, each whole or not at all.

    The pages come last, so that report.md never shows a plot that is not there.

    Args:
        report: The study, finished or not.
        directory: The folder to write into, made where it is missing.
        drawn: Optuna's plots of the study for the page, each plotly.js's "data" and "layout".
        formats: Those of `FORMATS` that are wanted; "md" brings the plots along that it shows.

    Returns:
        The path of each file written: "json", "markdown", "html" and the name of each plot
        ("forecasts", "confusion", "reliability", "history", "loss_curves").
    """
    directory.mkdir(parents=True, exist_ok=True)
    plots = {"md", "png"} & set(formats)
    written = write_figures(report, directory / "figures") if plots else {}
    figures = {name: path.relative_to(directory).as_posix() for name, path in written.items()}
    if "json" in formats:
        written["json"] = directory / "report.json"
        write_text_atomically(written["json"], report_json(report))
    if "md" in formats:
        written["markdown"] = directory / "report.md"
        write_text_atomically(written["markdown"], report_markdown(report, figures))
    if "html" in formats:
        forecasts = report.forecasts if isinstance(report, StudyReport) else None
        written["html"] = directory / "report.html"
        page = render_page(report_numbers(report), forecasts, drawn or {})
        write_text_atomically(written["html"], page)
    return written


def write_figures(report: SearchReport, directory: Path) -> dict[str, Path]:
    """Write every plot of the report as a PNG file of 1600 pixels' width; return them by name."""
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, figure in draw_figures(report).items():
        written[name] = directory / f"{name}.png"
        with atomically(written[name]) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # names in letters that the font lacks
            figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
    return written
