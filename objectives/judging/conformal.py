"""Split-conformal prediction intervals: as wide as the errors on windows that nothing was fitted on.

After Papadopoulos et al., ECML 2002, and Lei et al., Journal of the American Statistical Association 113
(2018). Were windows exchangeable, an interval would hold the truth at least as often as its level says.
Windows that overlap, and a series that changes, are so only roughly.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

LEVELS = ("0.50", "0.80", "0.90", "0.95", "0.99")  # in words, so that ranks are exact
LEAST_WINDOWS = 500


def half_widths(errors: NDArray[np.float64], level: str) -> NDArray[np.float64]:
    """How far an interval reaches to either side of a forecast.

    Args:
        errors: of forecasts for `n` windows, (n, horizon, targets).
        level: how often the interval shall hold the truth, as a decimal such as "0.90".

    Returns:
        The ⌈(n + 1) · level⌉-th smallest absolute error of each step and target, (horizon, targets).

    Raises:
        ValueError: `n` is too small for the level.
    """
    windows = len(errors)
    rank = math.ceil((windows + 1) * Fraction(level))
    if rank > windows:
        raise ValueError(f"{windows} windows are too few for intervals of level {level}")
    widths: NDArray[np.float64] = np.partition(np.abs(errors), rank - 1, axis=0)[rank - 1]
    return widths
