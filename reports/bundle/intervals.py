"""Prediction intervals around forecasts: from errors on validation, or from a model's own quantiles."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reports.bundle.errors import BundleError
from reports.bundle.metadata import Metadata

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


def interval_ends(
    about: Metadata, outputs: Mapping[str, NDArray[np.float32]], level: float
) -> Ends:
    """Find the lower and upper ends of intervals, (windows, horizon, targets) each.

    Split-conformal intervals, which are symmetric, come first: their share of truths held was measured.
    A model trained on quantiles has intervals between any two of them that are equally far from the
    median.

    Args:
        about: the model's metadata.
        outputs: what it answered.
        level: how often they shall hold the truth, between 0 and 1.

    Raises:
        BundleError: the bundle knows no intervals of this level.
    """
    measured = _half_widths(about)
    if level in measured:
        forecast = outputs["forecast"].astype(np.float64)
        return forecast - measured[level], forecast + measured[level]
    own = _between_quantiles(about)
    if level in own:
        low, high = own[level]
        quantiles = outputs["quantiles"].astype(np.float64)
        return quantiles[..., low], quantiles[..., high]
    known = ", ".join(f"{each:g}" for each in sorted(measured.keys() | own.keys()))
    raise BundleError(
        f"the model {about.name!r} has no intervals of level {level:g}: "
        + (f"it has {known}" if known else "validation had too few windows to measure them")
    )


def _half_widths(about: Metadata) -> dict[float, NDArray[np.float64]]:
    """How far intervals of each level reach to either side, (horizon, targets) each."""
    found = (about.intervals or {}).get("half_widths", {})
    return {float(level): np.asarray(widths, np.float64) for level, widths in found.items()}


def _between_quantiles(about: Metadata) -> dict[float, tuple[int, int]]:
    """The places of the two quantiles that enclose each level."""
    levels = about.quantiles
    return {
        round(high - low, 6): (levels.index(low), levels.index(high))
        for low in levels
        for high in levels
        if low < high and abs(low + high - 1) < 1e-6
    }
