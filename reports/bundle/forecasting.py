"""What a model makes of a series: forecasts with their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.bundle.drift import measure_drift
from reports.bundle.intervals import interval_ends
from reports.bundle.onnx_model import OnnxModel
from reports.bundle.series import Series
from reports.bundle.timeline import Times

_BATCH = 256  # windows at once, so that memory does not grow with the rows


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's outputs for windows of a series, in the data's units.

    `origins` (windows,) are the rows after each window. `outputs` are those of `OnnxModel.run`; `lower`
    and `upper` (windows, horizon, targets) the ends of the intervals, None where none were asked for.
    """

    series: Series
    origins: NDArray[np.int64]
    outputs: dict[str, NDArray[np.float32]]
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None

    @property
    def target_rows(self) -> NDArray[np.int64]:
        """The row of each step, (windows, horizon), counted as those of the series."""
        return self.origins[:, None] + np.arange(self.series.about.horizon)

    @property
    def target_times(self) -> Times | None:
        """The timestamp of each step, (windows, horizon); None where rows have none."""
        return None if self.series.times is None else self.series.times[self.target_rows]

    @property
    def warnings(self) -> list[str]:
        """What someone who relies on the answers should know about the rows, a line each."""
        series = self.series
        used = series.values[int(self.origins[0]) - series.about.timesteps :]
        drifts = measure_drift(used, series.about)
        found = [*series.unknown, *(str(drift) for drift in drifts if drift.notable)]
        if series.filled:
            rule = series.about.preprocessing.fill
            cells = f"{series.filled} missing cell{'s' * (series.filled > 1)}"
            found.insert(0, f"{cells} filled as in training ({rule})")
        return [f"{series.source}: {line}" for line in found]


def answer(
    model: OnnxModel,
    series: Series,
    origins: NDArray[np.int64],
    *,
    interval: float | None = None,
) -> Answers:
    """Feed a model windows of a series.

    Args:
        model: its metadata tell what the series must be like.
        series: rows made for it.
        origins: the rows after each window, (windows,), in order; see `Series.origins`.
        interval: how often intervals shall hold the truth, such as 0.9; None for no intervals.

    Raises:
        BundleError: a hole in the windows, or no such intervals.
    """
    batches = [
        model.run(series.windows(origins[start : start + _BATCH]))
        for start in range(0, len(origins), _BATCH)
    ]
    outputs = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    if interval is None:
        return Answers(series, origins, outputs)
    return Answers(series, origins, outputs, *interval_ends(model.metadata, outputs, interval))
