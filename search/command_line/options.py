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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
