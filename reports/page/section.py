"""A part of the page under a heading of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.page.cells import PageTable
from reports.page.figure import PageFigure


@dataclass(frozen=True)
class Section:
    """Text, tables and plots in this order; empty sections are left out of the page.

    `note` tells below them how they came about. `folded` tables are behind their captions until they
    are asked for. `checks` are those of the audit, `commands` what can be typed.
    """

    name: str
    title: str
    text: str = ""
    tables: Sequence[PageTable] = ()
    figures: Sequence[PageFigure] = ()
    note: str = ""
    folded: Sequence[PageTable] = ()
    checks: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[str] = ()

    @property
    def filled(self) -> bool:
        """Whether there is anything to show."""
        return bool(
            self.text or self.tables or self.figures or self.folded or self.checks or self.commands
        )
