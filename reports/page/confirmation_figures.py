"""Plots of what became of the search's best trials once they were trained again."""

from collections.abc import Mapping
from typing import Any

from reports.page.figure import ACCENT, MODEL, TRUTH, PageFigure, axes, dots, line

# key of "optimism" in report.json → the moment at which the figure was seen
_SEEN = {
    "search": "search",
    "confirmed": "mean of<br>fresh seeds",
    "train_only": "test before<br>the refit",
    "test": "test",
}


def candidates_figure(confirmation: Mapping[str, Any], metric: str) -> PageFigure:
    """Draw each candidate's score in the search, its runs over fresh seeds, and their mean."""
    candidates = confirmation["candidates"]
    labels = [f"trial {each['trial']}" for each in candidates]
    runs = [
        (label, score)
        for label, each in zip(labels, candidates, strict=True)
        for score in each["scores"]
        if score is not None
    ]
    means = dots("mean", labels, [each["mean"] for each in candidates], TRUTH, "line-ew-open")
    means["marker"] |= {"size": 28, "opacity": 1, "line": {"width": 3}}
    alone = dots(
        "in the search", labels, [each["search"] for each in candidates], ACCENT, "diamond"
    )
    alone["marker"] |= {"size": 10, "opacity": 1}
    traces = [
        dots("a fresh seed", [label for label, _ in runs], [score for _, score in runs], MODEL),
        means,
        alone,
    ]
    note = "In the order of the search, which saw one run of each. The lowest mean wins."
    layout = axes("", f"Validation {metric}")
    return PageFigure("candidates", "The best trials, trained again", note, traces, layout)


def optimism_figure(optimism: Mapping[str, float | None], metric: str) -> PageFigure | None:
    """Draw how the winner's score changed from choosing it to testing it, None before a second one."""
    seen = {label: optimism[key] for key, label in _SEEN.items() if optimism[key] is not None}
    if len(seen) < 2:
        return None
    trace = line("winner", list(seen), list(seen.values()), MODEL)
    trace |= {"mode": "lines+markers", "marker": {"color": MODEL, "size": 9}}
    layout = axes("", f"{metric}, standardised")
    layout["yaxis"]["rangemode"] = "tozero"
    note = (
        "The winner's score each time that it was seen. Test and validation are different stretches of "
        "the series, so that not all of the step between them is optimism."
    )
    return PageFigure("optimism", "From the search to the test", note, [trace], layout)
