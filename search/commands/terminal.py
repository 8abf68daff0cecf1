"""Where commands print what people read."""

import sys

from rich.console import Console


def open_console(*, highlight: bool = True, soft_wrap: bool = False) -> Console:
    """Standard output, where names may hold brackets and colons: only a Text has styles inside.

    Args:
        highlight: colour numbers and paths.
        soft_wrap: leave it to the terminal to break lines.
    """
    # A file or a pipe has no width to fit into.
    width = None if sys.stdout.isatty() else 300
    return Console(width=width, markup=False, emoji=False, highlight=highlight, soft_wrap=soft_wrap)
