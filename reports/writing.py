"""Writing a whole report into a folder."""

from pathlib import Path

from reports.contents import SearchReport
from reports.figures import draw_figures
from reports.files import atomically, write_text_atomically
from reports.markdown import report_markdown
from reports.numbers import report_json

__all__ = ["atomically", "write_report", "write_text_atomically"]

DOTS_PER_INCH = 200


def write_report(report: SearchReport, directory: Path) -> dict[str, Path]:
    """Write report.json, report.md and figures/*.png, each whole or not at all.

    The pages come last, so that report.md never shows a plot that is not there.

    Args:
        report: The study, finished or not.
        directory: The folder to write into, made where it is missing.

    Returns:
        The path of each file written: "json", "markdown" and the name of each plot
        ("forecasts", "history", "loss_curves").
    """
    written = write_figures(report, directory / "figures")
    figures = {name: path.relative_to(directory).as_posix() for name, path in written.items()}
    written["json"] = directory / "report.json"
    written["markdown"] = directory / "report.md"
    write_text_atomically(written["json"], report_json(report))
    write_text_atomically(written["markdown"], report_markdown(report, figures))
    return written


def write_figures(report: SearchReport, directory: Path) -> dict[str, Path]:
    """Write every plot of the report as a PNG file of 1600 pixels' width; return them by name."""
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, figure in draw_figures(report).items():
        written[name] = directory / f"{name}.png"
        with atomically(written[name]) as temporary:
            figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
    return written
