"""Reading labelled sequences from NumPy's .npz files."""

import zlib
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.classification.labels import label_text, plain_text
from objectives.classification.recordings import Recordings, whole
from objectives.errors import InputError


def read_npz(path: Path, source: str, *, labelled: bool = True) -> Recordings:
    """Read `x` (samples, timesteps, features) or (samples, timesteps), `y` and, where there, `groups`.

    `y` and `groups` are (samples,).

    Steps at the end of a sequence that are NaN in every feature are padding of sequences of unequal
    length, and left out.

    Args:
        path: the file; Python objects in it are refused.
        source: how messages name it.
        labelled: whether `y` must be there; labels are "" where it is not.

    Raises:
        InputError: no such arrays, or of other shapes or types, a sequence of padding alone, or one
            without a label or a group.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files if name in ("x", "y", "groups")}
    except (
        OSError,
        ValueError,
        EOFError,
        BadZipFile,
        zlib.error,
        AttributeError,
        TypeError,
    ) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{source}: cannot be read as an .npz file of numbers: {reason}") from None
    for name in ("x", "y") if labelled else ("x",):
        if name not in found:
            raise InputError(
                f"{source}: has no array {name!r}: save x (samples, timesteps, features) and y"
            )
    x = _inputs(found["x"], source)  # (samples, timesteps, features)
    labels = _labels(found["y"], len(x), source) if labelled else [""] * len(x)
    features = tuple(f"feature_{number}" for number in range(1, x.shape[2] + 1))
    names = [f"sample {number}" for number in range(len(x))]
    sequences = whole([_unpadded(sample) for sample in x], labels, names, features, source)
    if "groups" not in found:
        return sequences
    return replace(sequences, groups=_groups(found["groups"], len(x), source))


def _inputs(x: NDArray[np.generic], source: str) -> NDArray[np.float64]:
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3 or x.dtype.kind not in "biuf" or 0 in (x.shape[0], x.shape[2]):
        raise InputError(
            f"{source}: x must hold numbers (samples, timesteps, features) or (samples, timesteps). "
            f"Received: {x.dtype} {x.shape}"
        )
    return x.astype(np.float64)


def _labels(y: NDArray[np.generic], samples: int, source: str) -> list[str]:
    values = _for_each(y, "y", samples, source).tolist()
    return [label_text(value, f"{source}: y, sample {row}") for row, value in enumerate(values)]


def _groups(groups: NDArray[np.generic], samples: int, source: str) -> list[str]:
    values = _for_each(groups, "groups", samples, source)
    missing = pd.isna(values)  # (samples,)
    if missing.any():
        raise InputError(
            f"{source}: groups, sample {missing.argmax()}: no value: give every sample one"
        )
    return [plain_text(value) for value in values.tolist()]


def _for_each(
    array: NDArray[np.generic], name: str, samples: int, source: str
) -> NDArray[np.generic]:
    if array.shape not in ((samples,), (samples, 1)):
        raise InputError(
            f"{source}: {name} must hold one entry for each of {samples} samples. "
            f"Received: {array.shape}"
        )
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array.astype(np.bytes_), "utf-8")
        except UnicodeDecodeError:
            raise InputError(
                f"{source}: {name} holds bytes that are no UTF-8: save it as texts"
            ) from None
    return array.reshape(samples)


def _unpadded(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    held = np.flatnonzero(~np.isnan(sample).all(axis=1))
    return sample[: held[-1] + 1] if len(held) else sample[:0]
