"""Tables and pictures in Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in [heads, rule, *rows])


def markdown_figure(figures: Mapping[str, str], name: str, alt: str) -> list[str]:
    """A picture, of `figures` name → path, where it is there."""
    return [f"![{alt}]({figures[name]})"] if name in figures else []


def without_html(text: str) -> str:
    """Text whose names from outside no viewer takes for HTML."""
    return re.sub("<(?=[A-Za-z/!?])", r"\\<", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
