"""The hyperparameters of one trial, resolved: nothing left to choose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Hyperparameters:
    """Everything that distinguishes one trial from another, except its seed.

    `timesteps` counts the rows of a window; `units` holds the width of each LSTM layer from input to
    output, so its length is the depth. `dropout` acts between layers and before the head,
    `recurrent_dropout` on the state; both are shares of units. `l2` is the penalty on LSTM kernels.
    `output` "change" forecasts the difference from the last observed value, "level" the value itself.
    `skip` "linear" adds a linear path from the window to the forecast. `scaling` is "standard",
    "min-max" or "none". `window_normalization` "standard" divides what is seen of each window by the
    window's own deviations (and, with output "level", takes its means off), and undoes it in the
    forecast.
    """

    timesteps: int
    units: tuple[int, ...]
    dropout: float
    batch_size: int
    learning_rate: float
    recurrent_dropout: float
    l2: float
    optimizer: str
    activation: str
    bidirectional: bool
    output: str
    skip: str
    scaling: str
    window_normalization: str = "none"

    @property
    def depth(self) -> int:
        """Number of LSTM layers."""
        return len(self.units)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with `depth`, and `units` as one number where all layers are alike."""
        return with_depth(asdict(self))


def with_depth(values: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters as they are stored: the widths of alike layers become one number."""
    units = values["units"]
    stored = units[0] if len(set(units)) == 1 else list(units)
    return {**values, "units": stored, "depth": len(units)}
