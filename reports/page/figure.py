"""Plotly figures as plain data: what plotly.js takes, with colours named after the page's own.

A string such as "--model" stands for a CSS variable of the page, which differs between light and dark;
the page's script puts the colour in when it draws.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRUTH, MODEL, MUTED, ACCENT, SECOND = "--truth", "--model", "--muted", "--accent", "--second"
TEXT, CELL = "--text", "--cell"
NAIVE = (
    ("--naive-1", "dash"),
    ("--naive-2", "dot"),
    ("--naive-3", "dashdot"),
    ("--naive-4", "longdash"),
)
_FEW = 12  # ticks that have room beside each other on a phone
SHARED = "shared"


@dataclass(frozen=True)
class PageFigure:
    """One plot: `name` is its anchor, `title` says what to see and `note` how to read it.

    `data` and `layout` are plotly.js's traces and layout.
    """

    name: str
    title: str
    note: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]

    @property
    def json(self) -> str:
        """Traces and layout as JSON that may stand inside an HTML element, figures kept short."""
        first = self.data[0].get("x")
        # Times are long and shared by many lines; the page's script puts them back.
        data = [self.data[0], *(_sharing(trace, first) for trace in self.data[1:])]
        text = json.dumps(
            {"data": _short(data), "layout": _short(self.layout)},
            allow_nan=False,
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return text.replace("<", "\\u003c")


def line(
    name: str, x: Sequence[Any], y: Sequence[Any], colour: str, dash: str = "solid"
) -> dict[str, Any]:
    """A line through points; a None in `y` interrupts it."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": {"color": colour, "dash": dash, "width": 2 if dash == "solid" else 1.5},
    }


def dots(
    name: str, x: Sequence[Any], y: Sequence[Any], colour: str, symbol: str = "circle"
) -> dict[str, Any]:
    """Points that no line joins."""
    marker = {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.75}
    return {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker}


def bars(name: str, x: Sequence[Any], y: Sequence[Any], colour: str) -> dict[str, Any]:
    """Bars from zero."""
    return {"type": "bar", "name": name, "x": x, "y": y, "marker": {"color": colour}}


def axes(x: str, y: str, *, logarithmic: bool = False, counted: int = 0) -> dict[str, Any]:
    """A layout that names its axes; parameter names may hold anything, so they are escaped.

    `counted` epochs or steps lie along the x axis: few of them would get ticks at halves too.
    """
    vertical: dict[str, Any] = {"title": {"text": plain(y)}}
    if logarithmic:
        vertical["type"] = "log"
    whole = {"dtick": 1} if 0 < counted <= _FEW else {}
    return {"xaxis": {"title": {"text": plain(x)}, **whole}, "yaxis": vertical}


def plain(text: str) -> str:
    """Text as plotly.js shows it unchanged: it reads a few HTML elements in labels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sharing(trace: Mapping[str, Any], x: Any) -> Mapping[str, Any]:
    return {**trace, "x": SHARED} if x is not None and trace.get("x") is x else trace


def _short(value: Any) -> Any:
    """Six significant digits are more than a screen shows; what is not finite is left out."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _short(content) for key, content in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_short(content) for content in value]
    return value
