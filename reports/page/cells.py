"""Cells of the page's tables: text for the eye, and the figure behind it to sort by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.certainty import p_in_words, span
from reports.wording import number


@dataclass(frozen=True)
class Cell:
    """What a cell shows; `order` is what it is sorted by where that is a figure, `best` marks it."""

    text: str
    order: float | None = None
    best: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table with a caption; rows begin with what they are about."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def numeric(self) -> set[int]:
        """The columns that hold figures."""
        return {i for row in self.rows for i, cell in enumerate(row) if cell.order is not None}


def figure_cell(value: float | None, digits: int = 4, *, best: float | None = None) -> Cell:
    """A figure, marked where it is the `best` one."""
    return Cell(number(value, digits), value, value is not None and value == best)


def share_cells(*shares: float) -> list[Cell]:
    """Shares to a tenth of a percent, since 99.9 % is not 100 %."""
    return [Cell(f"{100 * share:.1f} %", share) for share in shares]


def p_cell(value: float) -> Cell:
    """A p-value under a heading that says so."""
    return Cell(p_in_words(value).removeprefix("p = ").removeprefix("p "), value)


def estimate_cells(ends: Mapping[str, float | None]) -> list[Cell]:
    """A figure, and its interval in words."""
    low, high = ends["low"], ends["high"]
    words = number(None) if low is None or high is None else span(low, high)
    return [figure_cell(ends["figure"]), Cell(words)]


def best_of(column: Sequence[float | None], *, highest: bool) -> float | None:
    """The best figure of a column, None where it holds none."""
    known = [value for value in column if value is not None]
    if not known:
        return None
    return max(known) if highest else min(known)
