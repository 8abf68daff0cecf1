"""The command line: parses and dispatches, nothing else.

Exit codes: 0 done, 1 a mistake of the user's, 2 usage, 3 a bug (with its traceback), 130 interrupted.
Every command is imported only when it is called, so that help answers at once.
"""

import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

app = typer.Typer(
    name="lstm-search",
    help="Find the best LSTM for a time series, with a test figure that can be believed.",
    epilog="Start with `lstm-search run` (an example), or `lstm-search init DATA.csv`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

StorageOption = Annotated[
    str | None,
    typer.Option(
        help="Database URL; else $LSTM_SEARCH_STORAGE, else studies.db under --out.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of results [runs].", show_default=False)
]
NameArgument = Annotated[
    str, typer.Argument(help="The study's name; `lstm-search list` shows all.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(help="Where the study's data are now; else where they were.", show_default=False),
]
TestDataOption = Annotated[
    Path | None,
    typer.Option(
        help="Where the official test set is now, if it is a file of its own.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


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
    workers: Annotated[
        int | None, typer.Option(help="Trials at once [one per core].", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each trial [1].", show_default=False)
    ] = None,
    share_gpu: Annotated[
        bool, typer.Option("--share-gpu", help="Let several trials compute on one GPU.")
    ] = False,
    backend: Annotated[
        str | None, typer.Option(help="Where trials run: local, dask or ray [local].")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the Dask scheduler or Ray cluster.")
    ] = None,
    storage: StorageOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the study.")] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Folder or s3://bucket/prefix of the trials' weights.")
    ] = None,
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

    _exit_with(carry_out)


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
    workers: Annotated[
        int | None, typer.Option(help="Trials at once [one per core].", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each trial [1].", show_default=False)
    ] = None,
    share_gpu: Annotated[
        bool, typer.Option("--share-gpu", help="Let several trials compute on one GPU.")
    ] = False,
    artifacts: Annotated[
        str | None, typer.Option(help="Folder or s3://bucket/prefix of the trials' weights.")
    ] = None,
    out: OutOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the study to be begun.")] = 0.0,
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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


@app.command(epilog="Example: `lstm-search check study.toml`")
def check(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    data: Annotated[Path | None, typer.Option(help="Another CSV or Parquet file.")] = None,
) -> None:
    """Validate a study file and its data, and show what would be searched; nothing is trained."""

    def carry_out() -> int:
        from search.commands import check as command  # noqa: PLC0415

        return command.execute(study, data)

    _exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search doctor` · `lstm-search doctor --storage postgresql://host/studies`"
)
def doctor(storage: StorageOption = None, out: OutOption = None, json: JsonOption = False) -> None:
    """Tell what would be fast on this machine and what is missing, and train a trial to be sure."""

    def carry_out() -> int:
        from search.commands import doctor as command  # noqa: PLC0415

        return command.execute(storage, out, as_json=json)

    _exit_with(carry_out)


@app.command(name="list", epilog="Example: `lstm-search list --storage postgresql://host/studies`")
def list_studies(
    storage: StorageOption = None, out: OutOption = None, json: JsonOption = False
) -> None:
    """List the studies in a database."""

    def carry_out() -> int:
        from search.commands import list as command  # noqa: PLC0415

        return command.execute(storage, out, as_json=json)

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


@app.command(epilog="Example: `lstm-search dashboard power`")
def dashboard(
    name: Annotated[str | None, typer.Argument(help="The study to open first.")] = None,
    storage: StorageOption = None,
    out: OutOption = None,
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free port.")] = 8080,
    browse: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Show studies in optuna-dashboard, on this machine alone, while they run or afterwards."""

    def carry_out() -> int:
        from search.commands import dashboard as command  # noqa: PLC0415

        return command.execute(name, storage, out, port, browse=browse)

    _exit_with(carry_out)


@app.command(epilog="Example: `lstm-search watch power --storage postgresql://host/studies`")
def watch(name: NameArgument, storage: StorageOption = None, out: OutOption = None) -> None:
    """Follow a study that runs elsewhere, until it needs no more trials."""

    def carry_out() -> int:
        from search.commands import watch as command  # noqa: PLC0415

        return command.execute(name, storage, out)

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


@app.command(
    epilog="Examples: `lstm-search predict runs/power/bundle power.csv --interval 0.9` · "
    "`lstm-search predict runs/power/bundle - --rolling --out forecasts.parquet < power.csv`"
)
def predict(
    bundle: Annotated[Path, typer.Argument(help="Folder or archive that `export` made.")],
    data: Annotated[
        str,
        typer.Argument(
            help="CSV or Parquet file of the latest rows, - for stdin; of sequences .ts or .npz too."
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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


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

    _exit_with(carry_out)


storage_app = typer.Typer(help="Look after a database of studies.", no_args_is_help=True)
app.add_typer(storage_app, name="storage")
UrlArgument = Annotated[
    str | None,
    typer.Argument(help="Database URL; else $LSTM_SEARCH_STORAGE, else runs/studies.db."),
]


@storage_app.command(
    name="check", epilog="Example: `lstm-search storage check postgresql://host/db`"
)
def check_storage(url: UrlArgument = None) -> None:
    """Tell whether a database answers, how fast it writes, and for how many workers it suffices."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import existing_url  # noqa: PLC0415

        return command.check(existing_url(url, None))

    _exit_with(carry_out)


@storage_app.command(name="upgrade")
def upgrade_storage(url: UrlArgument = None) -> None:
    """Bring the tables of an older Optuna to the version that is installed."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import existing_url  # noqa: PLC0415

        return command.upgrade(existing_url(url, None))

    _exit_with(carry_out)


@storage_app.command(name="backup", epilog="Example: `lstm-search storage backup studies_2026.db`")
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

    _exit_with(carry_out)


@storage_app.command(
    name="restore", epilog="Example: `lstm-search storage restore studies_2026.db`"
)
def restore_storage(
    file: Annotated[Path, typer.Argument(help="What `storage backup` made.")],
    url: UrlArgument = None,
) -> None:
    """Copy every study of a backup into a database; studies that are there already are refused."""

    def carry_out() -> int:
        from search.commands import storage as command  # noqa: PLC0415
        from search.commands.opening import url_or_default  # noqa: PLC0415

        return command.restore(file, url_or_default(url, None))

    _exit_with(carry_out)


@storage_app.command(
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

    _exit_with(carry_out)


def _exit_with(carry_out: Callable[[], int]) -> NoReturn:
    """Turn what a command returns or raises into an exit code and, where it failed, into words."""
    try:
        code = carry_out()
    except typer.Exit:
        raise
    except KeyboardInterrupt as error:
        print(
            f"lstm-search: {error}" if str(error) else "lstm-search: interrupted", file=sys.stderr
        )
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; Python would complain at exit
        code = 1
    except Exception as error:
        code = _explain(error)
    raise typer.Exit(code)


def _explain(error: Exception) -> int:
    from objectives.errors import InputError  # noqa: PLC0415
    from reports.bundle.errors import BundleError  # noqa: PLC0415
    from storage.errors import StorageError  # noqa: PLC0415

    if isinstance(error, InputError | BundleError | StorageError):
        print(f"lstm-search: {error}", file=sys.stderr)
        return 1
    traceback.print_exception(error)
    print("lstm-search: this is a bug; please report it with the lines above", file=sys.stderr)
    return 3


def main() -> None:
    """Run the command line."""
    app()
