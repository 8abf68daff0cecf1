"""Optuna's own plots of a study, as plain data for a page that knows nothing of Optuna."""

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.importance import get_param_importances
from optuna.trial import TrialState
from optuna.visualization import (
    plot_contour,
    plot_intermediate_values,
    plot_optimization_history,
    plot_param_importances,
    plot_slice,
)
from plotly.graph_objects import Figure

from storage.records import STATE_NAMES

MOST_CROSSINGS = (
    200  # trials of which the contour is drawn: its grid has the square of that in cells
)
MOST_CURVES = 60  # trials whose curves are drawn; more than these nobody can tell apart
_ROOM = 1.2  # of the longest bar
_COLOURS = {"complete": "--model", "pruned": "--second", "running": "--muted"}


def importances(study: optuna.Study) -> dict[str, float]:
    """The share of each hyperparameter in the differences between trials, the largest first.

    Empty where there are too few complete trials, or nothing varies, to tell.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shares = get_param_importances(study)
    except (ValueError, RuntimeError, ZeroDivisionError):
        return {}
    return dict(shares) if any(shares.values()) else {}


def study_figures(study: optuna.Study, shares: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Draw a study: name → plotly.js's "data" and "layout", without Optuna's colours.

    "history", "importances", "slice" and "contour" of the two most important hyperparameters, and
    "intermediate" for the latest trials. What cannot be drawn of this study is left out. `shares` are
    what `importances` gives.
    """
    two = list(shares)[:2]
    metric = (study.metric_names or ["objective"])[0]
    drawn: dict[str, Callable[[], Figure]] = {
        "history": lambda: plot_optimization_history(study, target_name=metric)
    }
    if shares:
        room = [0, _ROOM * max(shares.values())]  # beside the longest bar, for its figure
        drawn["importances"] = lambda: plot_param_importances(study).update_layout(xaxis_range=room)
        drawn["slice"] = lambda: plot_slice(study, two, target_name=metric)
    if len(two) == 2 and all(_varies(study, name) for name in two):
        drawn["contour"] = lambda: plot_contour(_sample(study), two, target_name=metric)
    drawn["intermediate"] = lambda: _by_state(plot_intermediate_values(study), study, metric)
    return {name: plain for name, draw in drawn.items() if (plain := _plain(draw)) is not None}


def _varies(study: optuna.Study, name: str) -> bool:
    """Whether complete trials have several values of a hyperparameter: else Optuna complains."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return len({trial.params[name] for trial in trials if name in trial.params}) > 1


def _sample(study: optuna.Study) -> optuna.Study:
    """The study itself, or one in memory with complete trials spread over the search."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    apart = -(-len(trials) // MOST_CROSSINGS)
    if apart < 2:
        return study
    sample = optuna.create_study(direction=study.direction)
    sample.add_trials(trials[::apart])
    return sample


def _by_state(figure: Figure, study: optuna.Study, metric: str) -> Figure:
    """Colour trials' curves by what became of them; keep some of many, spread over the search."""
    traces = list(figure.data)
    apart = max(1, -(-len(traces) // MOST_CURVES))
    states = {f"Trial{t.number}": STATE_NAMES[t.state] for t in study.get_trials(deepcopy=False)}
    kept = traces[::apart]
    told: set[str] = set()
    for trace in kept:
        state = states[trace.name]
        trace.update(
            mode="lines",
            legendgroup=state,
            showlegend=state not in told,
            hovertext=trace.name,
            name=state,
        )
        told.add(state)
    figure.data = kept
    figure.update_layout(showlegend=True, xaxis_title="Epoch", yaxis_title=metric)
    return figure


def _plain(draw: Callable[[], Figure]) -> dict[str, Any] | None:
    """Draw, and leave out Optuna's title and template: the page has its own."""
    try:
        with warnings.catch_warnings():  # of few trials, which the page shows
            warnings.simplefilter("ignore")
            figure = draw()
    except (ValueError, RuntimeError, ZeroDivisionError):  # too few trials, or nothing varies
        return None
    if not figure.data:
        return None
    plain: dict[str, Any] = json.loads(figure.to_json())
    for trace in plain["data"]:
        if trace.get("legendgroup") in _COLOURS:
            trace["line"] = {"color": _COLOURS[trace["legendgroup"]], "width": 1}
            trace["opacity"] = 0.7
        if "colorscale" in trace.get("marker", {}):
            trace["marker"]["colorscale"] = [[0, "--rule"], [1, "--model"]]
    plain["layout"].pop("template", None)
    plain["layout"].pop("title", None)
    return plain
