"""`lstm-search export`: the tested winner as a bundle that runs without us."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from objectives.errors import InputError
from objectives.export.messages import Format
from objectives.trials.trial_process import warm_up
from reports.bundle.loading import load_bundle
from search.commands.opening import open_existing, results_folder
from search.workers.processes import submit, workers_ended
from storage.studies import find_study

if TYPE_CHECKING:
    from search.bundles.exporting import Exported
    from storage.database import Database


def execute(name: str, formats: str, storage: str | None, out: Path | None) -> int:
    """Export a study's tested winner, and say where it is and what is wrong with it."""
    wanted = _formats(formats)
    directory = results_folder(out) / name
    if not directory.is_dir():
        find_study(open_existing(storage, out), name)
        raise InputError(f"{directory}: has no files of study {name!r}; name its folder with --out")
    with workers_ended():
        submit(warm_up, workers=1)
        exported = _export(open_existing(storage, out), name, directory, wanted)
    print_complaints(exported.problems, exported.warnings)
    if exported.bundle is not None:
        _print(exported.bundle)
    return 1 if exported.problems else 0


def _export(
    database: "Database", name: str, directory: Path, formats: Sequence[Format]
) -> "Exported":
    from search.bundles.exporting import export_study  # noqa: PLC0415  (imports for a second: TensorFlow's beside it)
    from search.selection.refitting import alone  # noqa: PLC0415

    find_study(database, name)
    with alone(directory):
        return export_study(database, directory, formats)


def print_complaints(problems: Sequence[str], warnings: Sequence[str]) -> None:
    """Say what failed and what to beware of, a line each."""
    for line in problems:
        print(f"lstm-search: not exported: {line}", file=sys.stderr)
    for line in warnings:
        print(f"lstm-search: warning: {line}", file=sys.stderr)


def _print(bundle: Path) -> None:
    about = load_bundle(bundle).metadata
    print(f"bundle {about.version} of study {about.name} is a candidate: {bundle}")
    for name, artefact in about.artefacts.items():
        print(
            f"{artefact.file:>14}  {name}, within {artefact.greatest_difference:.1e} "
            f"{about.difference_unit} of Keras on {artefact.windows} windows"
        )


def _formats(text: str) -> tuple[Format, ...]:
    known = get_args(Format)
    given = [part.strip() for part in text.split(",")]
    for part in given:
        if part not in known:
            raise InputError(f"--format: expected some of {', '.join(known)}. Received: {part!r}")
    if "litert" in given and find_spec("ai_edge_litert") is None:
        raise InputError("--format litert: pip install 'lstm-search[litert]' first")
    return tuple(cast(Format, part) for part in given)
