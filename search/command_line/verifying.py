"""Commands that check what a study claims."""

from typing import Annotated

import typer

from search.command_line.exit_codes import exit_with
from search.command_line.options import (
    DataOption,
    JsonOption,
    NameArgument,
    OutOption,
    StorageOption,
    TestDataOption,
)

app = typer.Typer()


@app.command(
    epilog="Examples: `lstm-search audit power` · `lstm-search audit power --data power.csv`"
)
def audit(
    name: NameArgument,
    data: DataOption = None,
    test_data: TestDataOption = None,
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Check a finished study for leakage, and show the evidence; ends with code 1 if a check fails."""

    def carry_out() -> int:
        from search.commands import audit as command  # noqa: PLC0415
        from search.commands.opening import results_folder  # noqa: PLC0415
        from search.joining import Place  # noqa: PLC0415

        place = Place(data, results_folder(out), test_data)
        return command.execute(name, place, storage, as_json=json)

    exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search reproduce power --trial 3` · "
    "`lstm-search reproduce power --trial 3 --run 1`"
)
def reproduce(
    name: NameArgument,
    trial: Annotated[int, typer.Option(help="Number of the trial.", min=0)],
    run: Annotated[
        int | None,
        typer.Option(help="Of its runs with fresh seeds the first, second …", min=1),
    ] = None,
    data: DataOption = None,
    test_data: TestDataOption = None,
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Train a trial again and compare its curves; code 1 if they differ for no known reason."""

    def carry_out() -> int:
        from search.commands import reproduce as command  # noqa: PLC0415
        from search.commands.opening import results_folder  # noqa: PLC0415
        from search.joining import Place  # noqa: PLC0415

        place = Place(data, results_folder(out), test_data)
        return command.execute(command.Sought(name, trial, run), place, storage, as_json=json)

    exit_with(carry_out)
