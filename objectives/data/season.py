"""The period of the seasonal naive forecast, found in training rows alone."""

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from objectives.errors import InputError

_SPANS = tuple(pd.Timedelta(days=days) for days in (1, 7, 365))
_PER_YEAR = {"M": 12, "BM": 12, "Q": 4, "BQ": 4}
_LARGEST_LAG = 10_000


def natural_periods(step: pd.Timedelta | None, frequency: str | None = None) -> tuple[int, ...]:
    """Periods in rows that people live by: a day, a week, a year.

    Args:
        step: time between two rows, None where it is unknown or not constant.
        frequency: calendar frequency as pandas names it ("MS", "QE-DEC", "B"), for calendars.

    Returns:
        The periods of at least 2 rows, ascending. A day and a week count only where they are a
        whole number of rows; a year is 365 days, rounded to rows.
    """
    if step is not None and step > pd.Timedelta(0):
        day, week, year = _SPANS
        whole = [int(span / step) for span in (day, week) if span % step == pd.Timedelta(0)]
        return tuple(period for period in (*whole, round(year / step)) if period >= 2)
    name = (frequency or "").split("-")[0]
    if name == "D":  # days of 23 to 25 hours, by the local calendar
        return natural_periods(pd.Timedelta(days=1))
    if name in {"B", "C"}:
        return (5, 261)
    rows = _PER_YEAR.get(name[:-1])  # "MS" and "ME" are months, by their starts and by their ends
    return () if rows is None else (rows,)


def find_season(
    values: NDArray[np.float64],
    step: pd.Timedelta | None,
    given: int | None,
    frequency: str | None = None,
) -> int:
    """Find the period that the seasonal naive forecast should use.

    Candidates are the natural periods of the time step, and the most prominent peak of the
    autocorrelation of the first target, differenced (detrended where the differences show none).
    The one wins whose forecast y[t - period] has the lowest mean absolute error over the
    standardised targets, all of them judged on the same rows.

    Args:
        values: targets on the training rows only (rows, targets), finite.
        step: time between two rows, or None.
        given: the period that the user asked for; returned as it is.
        frequency: calendar frequency where `step` is None.

    Returns:
        The period in rows; 1 (repeat the last value) where the rows show no period of 2 or more.

    Raises:
        InputError: the period asked for is not shorter than the training rows.
    """
    if given is not None:
        if given >= len(values):
            raise InputError(
                f"[data] season = {given}: the training part has {len(values)} rows: give a shorter "
                "period, or leave it out to have one found"
            )
        return given
    half = len(values) // 2  # two full periods at least, so that one can be checked on the other
    found = {period for period in natural_periods(step, frequency) if period <= half}
    first = values[:, 0]  # (rows,)
    if len(first) >= 8:
        peak = _peak(np.diff(first)) or _peak(scipy.signal.detrend(first))
        # 23 hours is a day seen through noise, and wins unfairly because 23 is nearer than 24
        if peak is not None and all(abs(peak - period) > 0.1 * period for period in found):
            found.add(peak)
    if not found:
        return 1
    deviation = values.std(axis=0)  # (targets,)
    scaled = values / np.where(deviation > 0, deviation, 1.0)  # (rows, targets)
    start = max(found)
    errors = {
        period: np.abs(scaled[start:] - scaled[start - period : -period]).mean()
        for period in sorted(found)
    }
    return min(errors, key=errors.__getitem__)


def _peak(series: NDArray[np.float64]) -> int | None:
    """Find the lag at which the autocorrelation of `series` (rows,) peaks, None if none stands out.

    Of the peaks nearly as prominent as the most prominent one the first is taken, since the multiples
    of a period peak about as high as the period itself.
    """
    rows = len(series)
    largest = min(rows // 3, _LARGEST_LAG)
    centred = series - series.mean()
    spectrum = scipy.fft.rfft(centred, scipy.fft.next_fast_len(2 * rows, real=True))
    covariance = scipy.fft.irfft(np.abs(spectrum) ** 2)[: largest + 2]  # (largest + 2,)
    if covariance[0] <= 0:
        return None
    # a peak of pure noise is about as high as this
    least = max(0.1, 2 / np.sqrt(rows))
    # prominence, not height: noise makes lag 2 high beside lag 1, without a trough before it
    lags, measures = scipy.signal.find_peaks(
        covariance[1:] / covariance[0], height=least, prominence=least
    )
    if len(lags) == 0:
        return None
    prominences = measures["prominences"]  # (peaks,)
    return int(lags[prominences >= 0.9 * prominences.max()][0]) + 1
