"""Where commands print what people read."""

import sys
from collections.abc import Container, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text


def open_console(*, highlight: bool = True, soft_wrap: bool = False) -> Console:
    """Standard output, where names may hold brackets and colons: only a Text has styles inside.

    Args:
        highlight: colour numbers and paths.
        soft_wrap: leave it to the terminal to break lines.
    """
    # A file or a pipe has no width to fit into.
    width = None if sys.stdout.isatty() else 300
    return Console(width=width, markup=False, emoji=False, highlight=highlight, soft_wrap=soft_wrap)


def make_table(*heads: str | Text, whole: Container[str] = ()) -> Table:
    """A table whose cells are folded where they have no room, those under `whole` last, and not cut."""
    columns = (Column(head, overflow="fold", no_wrap=head in whole) for head in heads)
    return Table(*columns, header_style="bold")


def fits(table: Table, console: Console) -> bool:
    """Whether no word has to be broken."""
    unlimited = console.options.update(max_width=10**6)
    return Measurement.get(console, unlimited, table).minimum <= console.width


def turned_where_wide(
    heads: Sequence[str], rows: Sequence[Sequence[str | Text]], console: Console
) -> Table:
    """A table of these rows, or one with a column for each of them where that has no room."""
    table = make_table(*heads)
    for cells in rows:
        table.add_row(*cells)
    if fits(table, console):
        return table
    head, *others = zip(heads, *rows, strict=True)
    table = make_table(*head)
    for cells in others:
        table.add_row(*cells)
    return table
