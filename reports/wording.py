"""How figures, shares and names are put into words, the same in every format of the report."""

import math
from typing import Any

from reports.contents import Ledger, StudyReport

NO_FIGURE = "-"
_CLASSIFIERS = {
    "majority_class": "the majority class",
    "linear_summary": "logistic regression on summary statistics",
    "linear_flattened": "logistic regression on flattened sequences",
    "linear_bag_of_words": "logistic regression on bags of words",
    "linear_tfidf": "logistic regression on TF-IDF",
    "dtw_nearest_neighbour": "the nearest neighbour by DTW",
}


def number(value: float | None, digits: int = 4) -> str:
    """Write `value` with `digits` significant digits, a hyphen where there is no finite figure."""
    if value is None or not math.isfinite(value):
        return NO_FIGURE
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 < magnitude < 7:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - magnitude)}f}"


def percent(share: float) -> str:
    """Write the size of `share` (0.23 for 23 %), finer the smaller it is, without its sign."""
    size = abs(share) * 100
    if size < 0.05:
        return "less than 0.1 %"
    return f"{size:.0f} %" if size >= 9.95 else f"{size:.1f} %"


def duration(seconds: float | None) -> str:
    """Write a stretch of time in the two largest units that it fills."""
    if seconds is None or not math.isfinite(seconds):
        return NO_FIGURE
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def setting(value: Any) -> str:
    """Write the value of a hyperparameter; report.json keeps every digit of it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def baseline_label(name: str) -> str:
    """Give a baseline's name to the reader: "seasonal_naive" is "seasonal naive"."""
    return _CLASSIFIERS.get(name, name.replace("_", " "))


def listed(names: list[str]) -> str:
    """Join names as a sentence does: "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun in the right number: "1 trial", "2 trials"."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def studies(count: int) -> str:
    """Write how many studies there are: "1 study", "2 studies"."""
    return counted(count, "study", "studies")


def several_targets(report: StudyReport) -> bool:
    """Say whether targets of unlike units share a score, so that only standardised ones compare."""
    return len(report.forecasts.targets) > 1


def unit_name(report: StudyReport) -> str:
    """Name the units that comparisons are made in: the data's for one target alone."""
    return "standardised units" if several_targets(report) else "data units"


def looks_in_words(ledger: Ledger) -> str:
    """How often the test set was opened and, loudly, whether for other winners than this one."""
    times = counted(len(ledger.openings), "time")
    looks = f"Test set opened {times} for this study."
    if not ledger.other_winners:
        return looks
    names = [f"trial {trial}" for trial in dict.fromkeys(t for t, _ in ledger.other_winners)]
    return (
        f"CAUTION: NOT A FIRST LOOK. {looks} Other winners ({listed(names)}) were tested on the same "
        "data, so that choosing among them by these figures would be choosing on the test set."
    )
