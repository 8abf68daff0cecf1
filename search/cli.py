"""The command line: puts the commands of `search.command_line` together.

Every command is imported only when it is called, so that help answers at once.
"""

import atexit
import gc
from importlib.metadata import version
from typing import Annotated

import typer

from search.command_line import models, searching, storage, studies, verifying

app = typer.Typer(
    name="lstm-search",
    help="Find the best LSTM for a time series, with a test figure that can be believed.",
    epilog="Start with `lstm-search run` (an example), or `lstm-search init DATA.csv`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for theme in (searching, studies, verifying, models):
    app.add_typer(theme.app)
app.add_typer(storage.app, name="storage")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"lstm-search {version('lstm-search')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before a command."""


def main() -> None:
    """Run the command line."""
    # else garbage is looked for in all that was imported, for half a second
    atexit.register(gc.freeze)
    app()
