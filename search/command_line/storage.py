"""Commands about a database of studies: `lstm-search storage`."""

from pathlib import Path
from typing import Annotated

import typer

from search.command_line.exit_codes import exit_with
from search.command_line.options import OutOption, StorageOption

app = typer.Typer(help="Look after a database of studies.", no_args_is_help=True)

UrlArgument = Annotated[
    str | None,
    typer.Argument(help="Database URL; else $LSTM_SEARCH_STORAGE, else runs/studies.db."),
]


@app.command(name="check", epilog="Example: `lstm-search storage check postgresql://host/db`")
def check_storage(url: UrlArgument = None) -> None:
    """Tell whether a database answers, how fast it writes, and for how many workers it suffices."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import existing_url  # noqa: PLC0415

        return command.check(existing_url(url, None))

    exit_with(carry_out)


@app.command(name="upgrade")
def upgrade_storage(url: UrlArgument = None) -> None:
    """Bring the tables of an older Optuna to the version that is installed."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import existing_url  # noqa: PLC0415

        return command.upgrade(existing_url(url, None))

    exit_with(carry_out)


@app.command(name="backup", epilog="Example: `lstm-search storage backup studies_2026.db`")
def back_up_storage(
    file: Annotated[Path, typer.Argument(help="SQLite file to make.")],
    storage: StorageOption = None,
    out: OutOption = None,
) -> None:
    """Copy every study into a new SQLite file, whatever database they are in.

    The trials' weights stay where they are; `storage copy` with --artifacts copies them too.
    """

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import existing_url  # noqa: PLC0415

        return command.backup(existing_url(storage, out), file)

    exit_with(carry_out)


@app.command(name="restore", epilog="Example: `lstm-search storage restore studies_2026.db`")
def restore_storage(
    file: Annotated[Path, typer.Argument(help="What `storage backup` made.")],
    url: UrlArgument = None,
) -> None:
    """Copy every study of a backup into a database; studies that are there already are refused."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import url_or_default  # noqa: PLC0415

        return command.restore(file, url_or_default(url, None))

    exit_with(carry_out)


@app.command(
    name="copy",
    epilog="Example: `lstm-search storage copy sqlite:///runs/studies.db mysql://host/db`",
)
def copy_storage(
    source: Annotated[str, typer.Argument(help="Database URL to copy from.")],
    target: Annotated[str, typer.Argument(help="Database URL to copy to.")],
    names: Annotated[list[str] | None, typer.Argument(help="Studies; else all.")] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(
            help="Folder or s3://bucket/prefix to copy the trials' weights to; "
            "else the copies share them with the originals."
        ),
    ] = None,
) -> None:
    """Copy studies between databases, with all of their trials."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415

        return command.copy(source, target, tuple(names or ()), artifacts)

    exit_with(carry_out)
