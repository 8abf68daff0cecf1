"""Weights of Keras in the order that a layer's code reads them in, and back."""

import numpy as np
from numpy.typing import NDArray

from objectives.lstm.kernel.layer_code import GATES, Sizes, column_blocks

Floats = NDArray[np.float32]
_ALIGNMENT = 64  # bytes, of a line of the cache and of the longest vector


def empty(*shape: int) -> Floats:
    """An array that starts with a line of the cache, as one must that TensorFlow shall not copy."""
    count = int(np.prod(shape))
    room = np.empty(count + _ALIGNMENT // 4, np.float32)
    skipped = -room.ctypes.data % _ALIGNMENT // 4
    return room[skipped : skipped + count].reshape(shape)


def zeros(*shape: int) -> Floats:
    """As `empty`, filled with zeros."""
    found = empty(*shape)
    found.fill(0.0)
    return found


def sequences_first(steps: Floats) -> Floats:
    """A copy of (timesteps, sequences, numbers) as (sequences, timesteps, numbers)."""
    timesteps, count, numbers = steps.shape
    found = empty(count, timesteps, numbers)
    found[:] = steps.swapaxes(0, 1)
    return found


def pack(matrix: Floats, packed: Floats) -> None:
    """Write (rows, 4 * units) into (panels, rows, gates, lanes), the filling untouched."""
    lanes = packed.shape[-1]
    gates = matrix.reshape(len(matrix), GATES, -1)
    for panel, target in enumerate(packed):
        part = gates[:, :, panel * lanes : (panel + 1) * lanes]
        target[:, :, : part.shape[2]] = part


def unpack(packed: Floats, units: int) -> Floats:
    """Read (panels, rows, gates, lanes) as (rows, 4 * units)."""
    rows = packed.shape[1]
    gates = packed.transpose(1, 2, 0, 3).reshape(rows, GATES, -1)
    return gates[:, :, :units].reshape(rows, -1)


def packed_back(matrix: Floats, sizes: Sizes) -> Floats:
    """Weights (columns, 4 * units) as the array `back` of `layer_code`, one row of numbers."""
    vectors = -(-len(matrix) // sizes.lanes)
    packed = zeros(sizes.panels, vectors * sizes.lanes, GATES, sizes.lanes)
    pack(matrix, packed[:, : len(matrix)])
    slopes = packed.transpose(0, 2, 3, 1).reshape(sizes.gates, -1)  # (gates, columns)
    blocks = [
        slopes[:, first * sizes.lanes : (first + count) * sizes.lanes]
        for first, count in column_blocks(vectors)
    ]
    return np.concatenate([block.reshape(-1) for block in blocks])
