"""The model in each format, made and then compared with Keras; what does not pass is removed."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from objectives.export.messages import (
    ComparisonRequest,
    ConversionOutcome,
    ConversionRequest,
    Format,
)
from objectives.trials.messages import Compute
from objectives.trials.trial_process import TrialFailedError, run_in_process
from reports.bundle.metadata import Artefact
from search.workers.processes import despite_losses, outcome_of

FILES: Mapping[Format, str] = {
    "onnx": "model.onnx",
    "keras": "model.keras",
    "saved_model": "saved_model/1",
    "litert": "model.tflite",
}
_Request = ConversionRequest | ComparisonRequest
CarryOut = Callable[[_Request], Any]


@dataclass(frozen=True)
class ArtefactOrder:
    """A Keras `model` to be put into a `folder` in some formats.

    `windows` is a .npy file of windows or texts to compare on, as `ConversionRequest` has it; `units`
    are those in which the differences of each output are counted, and `properties` are written into
    the ONNX file.
    """

    model: Path
    folder: Path
    formats: Sequence[Format]
    windows: Path
    units: Mapping[str, NDArray[np.float64]]
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Made:
    """The artefacts that passed, why others did not in one line each, and the Keras model's outputs."""

    artefacts: Mapping[str, Artefact]
    problems: Mapping[str, str]
    outputs: Mapping[str, NDArray[np.float32]]


def make_in_worker(order: ArtefactOrder) -> Made:
    """Make all formats in a worker, which Ctrl-C ends at once: this process would await its threads."""
    return outcome_of(partial(make_artefacts, order, _in_process))


def _in_process(request: _Request) -> Any:
    compute = Compute(threads=joblib.cpu_count())
    return despite_losses(lambda: run_in_process(request, lambda epoch: True, compute))


def make_artefacts(order: ArtefactOrder, carry_out: CarryOut) -> Made:
    """Make all formats at once: convert the model, and compare in a process that has seen no other.

    Args:
        order: what is wanted.
        carry_out: gives a request to a fresh process and waits for what comes of it; it is called from
            several threads.
    """
    with ThreadPoolExecutor(len(order.formats)) as threads:
        made = list(threads.map(lambda name: _make(name, order, carry_out), order.formats))
    artefacts: dict[str, Artefact] = {
        one.name: one.artefact for one in made if one.artefact is not None
    }
    problems: dict[str, str] = {one.name: one.problem for one in made if one.problem is not None}
    outputs = next((one.outputs for one in made if one.artefact is not None), {})
    return Made(artefacts, problems, outputs)


@dataclass(frozen=True)
class _MadeOne:
    name: Format
    outputs: Mapping[str, NDArray[np.float32]]
    artefact: Artefact | None = None
    problem: str | None = None


def _make(name: Format, order: ArtefactOrder, carry_out: CarryOut) -> _MadeOne:
    path = order.folder / FILES[name]
    try:
        converted: ConversionOutcome = carry_out(
            ConversionRequest(order.model, {name: path}, order.windows, order.properties)
        )
    except TrialFailedError as error:
        return _MadeOne(name, {}, problem=f"it cannot be made: {error}")
    outputs = converted.outputs
    if name in converted.failures:
        return _MadeOne(name, outputs, problem=converted.failures[name])
    greatest, problem = _compare(
        ComparisonRequest(name, path, order.windows, outputs, order.units), carry_out
    )
    if problem is not None:
        _remove(order.folder / FILES[name].split("/", maxsplit=1)[0])
        return _MadeOne(name, outputs, problem=problem)
    windows = len(next(iter(outputs.values())))
    return _MadeOne(name, outputs, Artefact(FILES[name], greatest, windows))


def _compare(request: ComparisonRequest, carry_out: CarryOut) -> tuple[float, str | None]:
    try:
        outcome = carry_out(request)
    except TrialFailedError as error:  # a runtime may crash
        return 0.0, f"it cannot be run: {error}"
    return outcome.greatest_difference, outcome.problem


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
