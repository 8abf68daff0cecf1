"""Commands that begin a search, join it, or prepare for it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from search.command_line.exit_codes import exit_with
from search.command_line.options import (
    ArtifactsOption,
    JsonOption,
    NameArgument,
    OutOption,
    ShareGpuOption,
    StorageOption,
    TestDataOption,
    ThreadsOption,
    WorkersOption,
)

app = typer.Typer()


@app.command(
    epilog="Examples: `lstm-search run` · `lstm-search run study.toml --trials 100 --workers 4` · "
    "`lstm-search run --data power.csv --target load --time date --horizon 24` · "
    "`lstm-search run --task classification --data train.ts --test-data test.ts`"
)
def run(
    study: Annotated[
        Path | None,
        typer.Argument(help="Study file (TOML). Without it and --data: the embedded example."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="CSV or Parquet file of the series.")] = None,
    task: Annotated[
        str | None, typer.Option(help="forecasting or classification [forecasting].")
    ] = None,
    test_data: Annotated[
        Path | None, typer.Option(help="Official test set of labelled sequences, a second file.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Column to forecast; repeat for several.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of timestamps.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Rows to forecast ahead.")] = None,
    trials: Annotated[int | None, typer.Option(help="Total trials the study shall reach.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial is begun.")
    ] = None,
    until: Annotated[
        float | None, typer.Option(help="End once validation is as good as this.")
    ] = None,
    no_improvement: Annotated[
        int | None, typer.Option(help="End after so many complete trials without a better one.")
    ] = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    share_gpu: ShareGpuOption = False,
    backend: Annotated[
        str | None, typer.Option(help="Where trials run: local, dask or ray [local].")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the Dask scheduler or Ray cluster.")
    ] = None,
    storage: StorageOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the study.")] = None,
    artifacts: ArtifactsOption = None,
    out: OutOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random number.")] = None,
    enqueue: Annotated[
        list[str] | None,
        typer.Option(help="""A point to try first, as JSON: '{"units": 64}'; repeat for more."""),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    json: JsonOption = False,
) -> None:
    """Search, retrain the winner, test it once, report and save it; or go on where it stopped."""
    changes: dict[str, dict[str, Any]] = {
        "data": {
            "task": task,
            "path": None if data is None else str(data),
            "test_path": None if test_data is None else str(test_data),
            "targets": target or None,
            "time": time,
            "horizon": horizon,
        },
        "study": {
            "trials": trials,
            "timeout": timeout,
            "until": until,
            "no_improvement": no_improvement,
            "workers": workers,
            "threads": threads,
            "share_gpu": share_gpu or None,
            "backend": backend,
            "scheduler": scheduler,
            "storage": storage,
            "name": name,
            "seed": seed,
        },
        "output": {"directory": None if out is None else str(out), "artifacts": artifacts},
    }

    def carry_out() -> int:
        from search.commands import run as command  # noqa: PLC0415

        return command.execute(study, changes, enqueue or [], quiet=quiet, as_json=json)

    exit_with(carry_out)


@app.command(
    epilog="Example: `lstm-search worker power --storage postgresql://host/studies --data power.csv`"
)
def worker(
    name: NameArgument,
    storage: StorageOption = None,
    data: Annotated[
        Path | None,
        typer.Option(help="This machine's copy of the data [the path the study was begun with]."),
    ] = None,
    test_data: TestDataOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    share_gpu: ShareGpuOption = False,
    artifacts: ArtifactsOption = None,
    out: OutOption = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the study to be begun.", min=0.0)
    ] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Join a study begun on another machine, and leave when it needs no more trials."""

    def carry_out() -> int:
        from search.commands import worker as command  # noqa: PLC0415
        from search.commands.opening import results_folder  # noqa: PLC0415
        from search.joining import Place  # noqa: PLC0415

        own = (artifacts, workers, threads, share_gpu, wait)
        place = Place(data, results_folder(out), test_data, *own)
        return command.execute(name, storage, place, quiet=quiet)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search init power.csv --target load --horizon 24`")
def init(
    data: Annotated[Path, typer.Argument(help="CSV or Parquet file of the series.")],
    target: Annotated[
        list[str] | None, typer.Option(help="Column to forecast; repeat for several.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of timestamps.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Rows to forecast ahead.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the study file [DATA's name .toml].")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Look at a table and write a commented study file for it, ready for `run`."""

    def carry_out() -> int:
        from search.commands import init as command  # noqa: PLC0415

        return command.execute(data, tuple(target or ()), time, horizon, out, force)

    exit_with(carry_out)


@app.command(epilog="Example: `lstm-search check study.toml`")
def check(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    data: Annotated[Path | None, typer.Option(help="Another data file.")] = None,
) -> None:
    """Validate a study file and its data, and show what would be searched; nothing is trained."""

    def carry_out() -> int:
        from search.commands import check as command  # noqa: PLC0415

        return command.execute(study, data)

    exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search doctor` · `lstm-search doctor --storage postgresql://host/studies`"
)
def doctor(storage: StorageOption = None, out: OutOption = None, json: JsonOption = False) -> None:
    """Tell what would be fast on this machine and what is missing, and train a trial to be sure."""

    def carry_out() -> int:
        from search.commands import doctor as command  # noqa: PLC0415

        return command.execute(storage, out, as_json=json)

    exit_with(carry_out)
