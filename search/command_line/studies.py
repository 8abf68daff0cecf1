"""Commands that look at studies, or change what they are to do."""

from typing import Annotated, Literal

import typer

from search.command_line.exit_codes import exit_with
from search.command_line.options import (
    CsvOption,
    JsonOption,
    NameArgument,
    OutOption,
    StorageOption,
)

app = typer.Typer()


@app.command(name="list", epilog="Example: `lstm-search list --storage postgresql://host/studies`")
def list_studies(
    storage: StorageOption = None, out: OutOption = None, json: JsonOption = False
) -> None:
    """List the studies in a database."""

    def carry_out() -> int:
        from search.commands import list as command  # noqa: PLC0415

        return command.execute(storage, out, as_json=json)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search show power --csv > trials.csv`")
def show(
    name: NameArgument,
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw history and best curves in the terminal.")
    ] = False,
) -> None:
    """Show the trials of a study: state, value, parameters, epochs, duration, reason of failure."""

    def carry_out() -> int:
        from search.commands import show as command  # noqa: PLC0415

        return command.execute(name, storage, out, as_json=json, as_csv=csv, plot=plot)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search best power --json`")
def best(
    name: NameArgument,
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Show the best trial of a study so far, with its hyperparameters."""

    def carry_out() -> int:
        from search.commands import best as command  # noqa: PLC0415

        return command.execute(name, storage, out, as_json=json)

    exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search report power --open` · `lstm-search report power --format md`"
)
def report(
    name: NameArgument,
    storage: StorageOption = None,
    out: OutOption = None,
    browse: Annotated[
        bool, typer.Option("--open", help="Show report.html in the browser.")
    ] = False,
    format: Annotated[  # noqa: A002  (the option's name)
        Literal["html", "md", "json", "png"] | None,
        typer.Option(help="Write this one only.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a study's report again from stored forecasts, or that of a search so far."""
    if browse and format not in (None, "html"):
        raise typer.BadParameter(f"only html is shown in the browser. Received: --format {format}")

    def carry_out() -> int:
        from search.commands import report as command  # noqa: PLC0415

        return command.execute(name, storage, out, format, browse=browse, as_json=json)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search dashboard power`")
def dashboard(
    name: Annotated[str | None, typer.Argument(help="The study to open first.")] = None,
    storage: StorageOption = None,
    out: OutOption = None,
    port: Annotated[
        int, typer.Option(help="Where to listen; 0 for any free port.", min=0, max=65535)
    ] = 8080,
    browse: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Show studies in optuna-dashboard, on this machine alone, while they run or afterwards."""

    def carry_out() -> int:
        from search.commands import dashboard as command  # noqa: PLC0415

        return command.execute(name, storage, out, port, browse=browse)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search watch power --storage postgresql://host/studies`")
def watch(name: NameArgument, storage: StorageOption = None, out: OutOption = None) -> None:
    """Follow a study that runs elsewhere, until it needs no more trials."""

    def carry_out() -> int:
        from search.commands import watch as command  # noqa: PLC0415

        return command.execute(name, storage, out)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search compare power power_folds`")
def compare(
    names: Annotated[list[str], typer.Argument(help="Studies, two or more.")],
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Show studies side by side, ranked where their targets are the same."""

    def carry_out() -> int:
        from search.commands import compare as command  # noqa: PLC0415

        return command.execute(names, storage, out, as_json=json, as_csv=csv)

    exit_with(carry_out)


@app.command(epilog="""Example: `lstm-search enqueue power '{"units": 64}'`""")
def enqueue(
    name: NameArgument,
    point: Annotated[str, typer.Argument(help="Hyperparameters as a JSON object.")],
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Queue a point that the study's workers try next."""

    def carry_out() -> int:
        from search.commands import enqueue as command  # noqa: PLC0415

        return command.execute(name, point, storage, out)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search delete power --yes`")
def delete(
    name: NameArgument,
    storage: StorageOption = None,
    out: OutOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_files: Annotated[
        bool,
        typer.Option("--keep-files", help="Leave the trials' weights and the folder of results."),
    ] = False,
) -> None:
    """Delete a study from the database, its trials' weights and its folder of results."""

    def carry_out() -> int:
        from search.commands import delete as command  # noqa: PLC0415

        return command.execute(name, storage, out, confirmed=yes, keep_files=keep_files)

    exit_with(carry_out)
