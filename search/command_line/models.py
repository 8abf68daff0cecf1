"""Commands about exported models."""

from pathlib import Path
from typing import Annotated

import typer

from search.command_line.exit_codes import exit_with
from search.command_line.options import JsonOption, NameArgument, OutOption, StorageOption

app = typer.Typer()


@app.command(
    epilog="Examples: `lstm-search predict runs/power/bundle power.csv --interval 0.9` · "
    "`lstm-search predict runs/power/bundle - --rolling --out forecasts.parquet < power.csv`"
)
def predict(
    bundle: Annotated[Path, typer.Argument(help="Folder or archive that `export` made.")],
    data: Annotated[
        str,
        typer.Argument(
            help="CSV or Parquet file of the latest rows, or - for one on stdin; of sequences a .ts or "
            ".npz file too."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV or Parquet file to write, instead of printing CSV.")
    ] = None,
    interval: Annotated[
        float | None, typer.Option(help="Give intervals that hold the truth so often, as 0.9.")
    ] = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="Answer for every window, not the last one alone.")
    ] = False,
) -> None:
    """Forecast what follows the last rows of a file with an exported model, or classify sequences."""

    def carry_out() -> int:
        from search.commands import predict as command  # noqa: PLC0415

        return command.execute(bundle, data, out, interval, rolling=rolling)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search export power --format onnx,keras,litert`")
def export(
    name: NameArgument,
    formats: Annotated[
        str,
        typer.Option("--format", help="Of onnx (always there), keras, saved_model, litert."),
    ] = "onnx,keras",
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Make a bundle of a study's tested winner again, compared with Keras, and register it."""

    def carry_out() -> int:
        from search.commands import export as command  # noqa: PLC0415

        return command.execute(name, formats, storage, out)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search serve runs/power/bundle --workers 2`")
def serve(
    bundle: Annotated[Path, typer.Argument(help="Folder or archive that `export` made.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)] = 1,
    body_limit: Annotated[
        int, typer.Option(help="MiB that a request may have.", min=1, max=1024)
    ] = 16,
    access_log: Annotated[
        bool, typer.Option("--access-log/--no-access-log", help="Log every request.")
    ] = True,
) -> None:
    """Answer requests for forecasts over HTTP; SIGHUP or changed files bring the new bundle in."""

    def carry_out() -> int:
        from search.commands import serve as command  # noqa: PLC0415
        from search.serving.settings import Serving  # noqa: PLC0415

        settings = Serving(bundle, host, port, workers, body_limit * 2**20, access_log)
        return command.execute(settings)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search models power`")
def models(
    name: Annotated[str | None, typer.Argument(help="Study; else all.")] = None,
    storage: StorageOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """List registered bundles: candidates, the one in production, retired ones."""

    def carry_out() -> int:
        from search.commands import models as command  # noqa: PLC0415

        return command.show(name, storage, out, as_json=json)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search register runs/power/bundle`")
def register(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Keep a bundle and enter it in the registry as a candidate of its study."""

    def carry_out() -> int:
        from search.commands import models as command  # noqa: PLC0415

        return command.register(bundle, storage, out)

    exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search promote power 2` · "
    "`lstm-search promote power --if-better since_training.csv`"
)
def promote(
    name: NameArgument,
    version: Annotated[int | None, typer.Argument(help="Version [the newest candidate].")] = None,
    if_better: Annotated[
        str | None,
        typer.Option(
            help="CSV or Parquet file of rows newer than both models' training data: promote only "
            "where the model forecasts them better than the one in production; else end with code 1."
        ),
    ] = None,
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Put a registered bundle into production, and retire the one that was there."""

    def carry_out() -> int:
        from search.commands import models as command  # noqa: PLC0415

        return command.promote(name, version, if_better, storage, out)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search retire power 1`")
def retire(
    name: NameArgument,
    version: Annotated[int, typer.Argument(help="Version of the model.")],
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Retire a registered bundle."""

    def carry_out() -> int:
        from search.commands import models as command  # noqa: PLC0415

        return command.retire(name, version, storage, out)

    exit_with(carry_out)
