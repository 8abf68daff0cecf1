"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

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
WorkersOption = Annotated[
    int | None, typer.Option(help="Trials at once [one per core].", show_default=False)
]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Threads of each trial [1].", show_default=False)
]
ShareGpuOption = Annotated[
    bool, typer.Option("--share-gpu", help="Let several trials compute on one GPU.")
]
ArtifactsOption = Annotated[
    str | None, typer.Option(help="Folder or s3://bucket/prefix of the trials' weights.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
