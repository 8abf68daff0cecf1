"""`POST /forecast`: rows by column name go in, forecasts by target name come out."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from reports.bundle import Bundle, Metadata
from reports.bundle.forecasting import Answers, answer
from reports.bundle.series import make_series
from reports.bundle.timeline import as_texts
from search.serving.errors import RequestError
from search.serving.rows import check_keys, read_labels, read_numbers, read_rows, read_times
from search.serving.windows import shown


def forecast(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /forecast`; gives the answer and how many windows it took, which is one.

    Of the rows, which are in the order of time, the last `timesteps` are the window.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    about = bundle.metadata
    if about.task != "forecast":
        raise RequestError(f"the model {about.name!r} does not forecast", 404)
    check_keys(asked, "rows", "interval")
    rows = read_rows(asked.get("rows"), about)
    numbers = {name: read_numbers(rows, name) for name in about.numeric_columns}
    labels = {name: read_labels(rows, name) for name in about.categories}
    series = make_series(numbers, labels, read_times(rows, about), about, "rows")
    found = answer(bundle, series, series.origins(rolling=False), interval=_interval(asked))
    said = found.warnings
    return {
        "model": about.name,
        "version": about.version,
        "forecast": _steps(found),
        **({"warnings": said} if said else {}),
    }, 1


def _interval(asked: Mapping[str, Any]) -> float | None:
    level = asked.get("interval")
    if level is None:
        return None
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise RequestError(f"interval: expected a number between 0 and 1. Received: {shown(level)}")
    return float(level)


def _steps(found: Answers) -> list[dict[str, Any]]:
    about, times = found.series.about, found.target_times
    texts = None if times is None else as_texts(times[0], about.time.zone)
    steps = []
    for step in range(about.horizon):
        answered: dict[str, Any] = {"step": step + 1}
        if texts is not None and about.time.column is not None:
            answered[about.time.column] = texts[step]
        answered |= _by_target(about, found.outputs["forecast"][0, step])
        if found.lower is not None and found.upper is not None:
            answered["lower"] = _by_target(about, found.lower[0, step])
            answered["upper"] = _by_target(about, found.upper[0, step])
        if "quantiles" in found.outputs:
            quantiles = found.outputs["quantiles"][0, step]  # (targets, quantiles)
            answered["quantiles"] = {
                f"{level:g}": _by_target(about, quantiles[:, place])
                for place, level in enumerate(about.quantiles)
            }
        steps.append(answered)
    return steps


def _by_target(about: Metadata, values: NDArray[Any]) -> dict[str, Any]:
    return dict(zip(about.targets, values, strict=True))
