"""Scaled rows in a file beside the rows: written by the first trial that needs them, mapped by all."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.scaling import Scaling, fit_scaling
from objectives.split import Part
from objectives.trials.messages import ForecastTask

_AT_ONCE = 65_536  # rows, so that scaling a long series needs little memory of its own


def scaled_rows(task: ForecastTask, kind: str, fitted: Part) -> tuple[Scaling, NDArray[np.float32]]:
    """The rows as the network sees them, held once by the system for all trials that map them.

    Args:
        task: names the rows.
        kind: of scaling, as `fit_scaling` takes it.
        fitted: the part on whose rows the scaling is fitted.

    Returns:
        The scaling and the rows, (rows, columns) float32; changes to the rows stay in this process.
    """
    values = task.load_rows()
    scaling = fit_scaling(kind, values[fitted.first : fitted.end])
    path = scaled_file(task.rows, kind, fitted)
    with suppress(
        OSError
    ):  # a folder that cannot be written to; then every trial scales for itself
        if not path.exists():
            _write(path, scaling, values)
        return scaling, np.load(path, mmap_mode="c", allow_pickle=False)
    return scaling, scaling.apply(values)


def scaled_file(rows: Path, kind: str, fitted: Part) -> Path:
    """Where the scaled rows lie, beside the file of `rows`."""
    return rows.with_name(f"{rows.stem}_{kind}_{fitted.first}_{fitted.end}.npy")


def _write(path: Path, scaling: Scaling, values: NDArray[np.float64]) -> None:
    """Write under a name of this process's own, then rename: several trials may come here at once."""
    unfinished = path.with_name(f"unfinished_{os.getpid()}_{path.name}")
    try:
        # Not mapped: on a full disk a write into mapped memory kills the process.
        with unfinished.open("wb") as file:
            kind = np.lib.format.dtype_to_descr(np.dtype(np.float32))
            header = {"descr": kind, "fortran_order": False, "shape": values.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(values), _AT_ONCE):
                scaled = scaling.apply(values[start : start + _AT_ONCE])
                file.write(np.ascontiguousarray(scaled, np.float32).data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
