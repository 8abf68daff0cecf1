"""What the doctor finds: one thing looked at, and whether a search would suffer from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["fine", "slow", "missing"]
Figure = str | int | float | None
GIGABYTE = 1e9  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `section` and `name` say what, and are unique together. `mark` is "fine", "slow" (searches run, but
    take longer than they could) or "missing" (not there, or broken). `text` is the finding in words;
    `advice` what to do about it, empty where it is fine. `stops` says whether a search would fail.
    `figures` are the measured values for scripts, each key with its unit.
    """

    section: str
    name: str
    mark: Mark
    text: str
    advice: str = ""
    stops: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)
