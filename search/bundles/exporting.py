"""A study's tested winner made into a bundle, which takes its place whole or not at all."""

import json
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.export.messages import Format, input_name
from reports.bundle import BundleError, Metadata, load_bundle
from reports.bundle.metadata import Column
from reports.bundle.writing import complete_bundle
from reports.files import put_folder
from search.bundles.artefacts import ArtefactOrder, Made, make_in_worker
from search.bundles.bundle_draft import read_draft, same_model
from search.bundles.comparison_windows import comparison_windows
from search.bundles.registry import enter_bundle
from search.selection.refitting import MODEL, file_hash
from storage.database import Database
from storage.models import list_models

BUNDLE = "bundle"
_UNFINISHED = ".unfinished_bundle"
_GOLDEN = 8  # of the windows compared on are kept in the bundle
_FLOAT32_BEARS = 1e4  # deviations between a column's mean and zero
Make = Callable[[ArtefactOrder], Made]
_CONVERTERS = ("numpy", "onnx", "onnxruntime", "tf2onnx")


@dataclass(frozen=True)
class Exported:
    """What came of an export.

    `bundle` is the folder, None where there is no sound one; `problems` say why formats are missing, and
    `warnings` what its users must know, a line each.
    """

    bundle: Path | None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def export_if_changed(
    storage: Database, directory: Path, formats: Sequence[Format], make: Make = make_in_worker
) -> Exported:
    """Export as `export_study` does, unless the bundle is this winner's and says all that is known.

    Without formats nothing is exported.
    """
    if not formats:
        return Exported(None)
    bundle, draft = directory / BUNDLE, read_draft(directory)
    try:
        known = load_bundle(bundle).metadata
    except BundleError:
        return export_study(storage, directory, formats, make)
    if same_model(known, draft) and set(_with_onnx(formats)) <= known.artefacts.keys():
        return Exported(bundle, warnings=_precision_warnings(draft.columns))
    return export_study(storage, directory, formats, make)


def export_study(
    storage: Database, directory: Path, formats: Sequence[Format], make: Make = make_in_worker
) -> Exported:
    """Make a study's bundle anew and register it as a candidate; the caller keeps other exports away.

    A bundle has model.onnx always, since all that reads it runs that. Where a format fails, the others
    are exported; where ONNX does, the bundle that was there stays.

    Args:
        storage: the database that the study is in.
        directory: the study's folder.
        formats: what else it shall hold.
        make: makes the model in its formats and compares them.

    Raises:
        InputError: there is no tested winner, or its files are not those that were tested.
        storage.errors.StorageError: the study is not in the database, or that does not answer.
    """
    draft = read_draft(directory)
    registered = list_models(storage, draft.name)
    draft = replace(
        draft,
        version=max((model.version for model in registered), default=0) + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    work = directory / _UNFINISHED
    folder = work / BUNDLE
    shutil.rmtree(work, ignore_errors=True)  # what a killed export left
    try:
        folder.mkdir(parents=True)
        windows = comparison_windows(directory, draft)
        np.save(work / "windows.npy", windows, allow_pickle=False)
        made = make(_order(directory, draft, formats))
        problems = tuple(f"{name}: {problem}" for name, problem in made.problems.items())
        if "onnx" not in made.artefacts:
            return Exported(None, problems)
        complete_bundle(folder, _finished(draft, made), _golden(windows, made))
        put_folder(folder, directory / BUNDLE)
    except OSError as error:
        return Exported(None, (f"{folder}: cannot be written: {error.strerror}",))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    enter_bundle(storage, directory / BUNDLE, directory.parent)
    return Exported(directory / BUNDLE, problems, _precision_warnings(draft.columns))


def _with_onnx(formats: Sequence[Format]) -> tuple[Format, ...]:
    return tuple(dict.fromkeys(("onnx", *formats)))


def _order(directory: Path, draft: Metadata, formats: Sequence[Format]) -> ArtefactOrder:
    """What to make of the model in the study's folder, which must be the one that was tested."""
    model = directory / MODEL
    if not model.exists() or file_hash(model) != draft.provenance.model:
        raise InputError(
            f"{model}: is not the model that was tested; `lstm-search run` with the study's file makes "
            "that again"
        )
    work = (directory / _UNFINISHED).resolve()
    return ArtefactOrder(
        model=model.resolve(),
        folder=work / BUNDLE,
        formats=_with_onnx(formats),
        windows=work / "windows.npy",
        units=_units(draft),
        properties={
            "study": draft.name,
            "version": str(draft.version),
            "trial": str(draft.provenance.trial),
            "columns": json.dumps([column.name for column in draft.columns]),
            "labels" if draft.labels else "targets": json.dumps(draft.labels or draft.targets),
        },
    )


def _units(draft: Metadata) -> dict[str, NDArray[np.float64]]:
    """In what differences are counted: a target's deviation, or probability as it is."""
    if draft.task == "classification":
        return {"probabilities": np.ones(1)}
    spread = np.array([column.deviation or 1.0 for column in draft.columns if column.target])
    return {"forecast": spread, "quantiles": spread[:, None]}


def _golden(windows: NDArray[Any], made: Made) -> dict[str, NDArray[Any]]:
    every = slice(None, None, len(windows) // _GOLDEN)
    return {
        input_name(windows): windows[every],
        **{name: out[every] for name, out in made.outputs.items()},
    }


def _finished(draft: Metadata, made: Made) -> Metadata:
    """The draft with what came of the conversion."""
    used = {name: version(name) for name in _CONVERTERS} | {"python": platform.python_version()}
    provenance = replace(draft.provenance, versions={**draft.provenance.versions, **used})
    return replace(draft, provenance=provenance, artefacts=made.artefacts)


def _precision_warnings(columns: Sequence[Column]) -> tuple[str, ...]:
    """Columns so far from zero that single precision cannot tell their values apart well."""
    return tuple(
        f"column {column.name!r} lies {ratio:.0e} deviations from zero, too far for float32: subtract a "
        "constant from it"
        for column in columns
        if column.deviation and (ratio := abs(column.mean) / column.deviation) > _FLOAT32_BEARS
    )
