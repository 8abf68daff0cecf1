"""The passes of one LSTM layer on arrays that are kept from one batch to the next."""

import numpy as np

from objectives.lstm.kernel.layer_code import GATES
from objectives.lstm.kernel.machine_code import machine_code, sizes_for
from objectives.lstm.kernel.packing import (
    Floats,
    empty,
    pack,
    packed_back,
    sequences_first,
    unpack,
    zeros,
)

_SEQUENCES_AT_ONCE = 64  # without gradients; their states stay in the cache


class ForwardPass:
    """All steps of a layer for some sequences, at most as many as there is room for.

    Args:
        timesteps: steps of a sequence, at most.
        room: sequences.
        features: inputs of a step.
        units: width of the layer.
        kept: whether the gates and cells of every step are kept, as a backward pass needs them.
    """

    def __init__(self, timesteps: int, room: int, features: int, units: int, *, kept: bool) -> None:
        self._units, self._kept, self._steps = units, kept, 0
        self._sizes = sizes = sizes_for(features, units)
        self._code = machine_code(sizes)
        self._rows = rows = -(-room // sizes.tile) * sizes.tile
        self._operands = zeros(timesteps + 1, rows, sizes.stride)
        self._operands[:, :room, sizes.width] = 1.0  # what the bias is multiplied with
        steps = timesteps if kept else 1
        self._gates = zeros(steps, sizes.panels, rows, GATES, sizes.lanes)
        self._cells = zeros(steps + 1, rows, sizes.width)
        self._weights = zeros(sizes.panels, sizes.stride, GATES, sizes.lanes)

    def load(self, kernel: Floats, bias: Floats) -> None:
        """Take weights (features + units, 4 * units) and (4 * units,), gates in the order i, f, c, o."""
        sizes = self._sizes
        first = sizes.width + 1
        pack(kernel[sizes.features :], self._weights[:, : self._units])
        pack(bias[None], self._weights[:, sizes.width : first])
        pack(kernel[: sizes.features], self._weights[:, first : sizes.depth])

    def run(self, inputs: Floats, state: Floats, carry: Floats) -> tuple[Floats, Floats]:
        """Compute all steps.

        Args:
            inputs: (sequences, timesteps, features); fewer steps may come than there can be.
            state: the first hidden state (sequences, units).
            carry: the first cell state (sequences, units).

        Returns:
            The hidden states (timesteps, sequences, units) and the last cell state (sequences, units),
            both until the next run.
        """
        sizes, count = self._sizes, len(state)
        self._steps = steps = inputs.shape[1]
        hidden = self._operands[: steps + 1, :count, : self._units]
        cells = self._cells[:, :count, : self._units]
        self._operands[:steps, :count, sizes.width + 1 : sizes.depth] = inputs.swapaxes(0, 1)
        hidden[0], cells[0] = state, carry
        planes = (sizes.stride, sizes.gates, sizes.width)
        wanted = (True, self._kept, self._kept)
        apart = [self._rows * size * keep for size, keep in zip(planes, wanted, strict=True)]
        rows = -(-count // sizes.tile) * sizes.tile
        arrays = (self._operands, self._weights, self._gates, self._cells)
        self._code.call("forward", *arrays, steps, rows, *apart)
        return hidden[1:], cells[steps if self._kept else 0]


class CompiledLayer(ForwardPass):
    """A forward pass, then the backward pass that belongs to it, then the next forward pass.

    Args:
        timesteps: steps of a sequence, at most.
        batch: sequences of every batch.
        features: inputs of a step.
        units: width of the layer.
        whole: whether every step's hidden state is wanted or only the last one's.
    """

    def __init__(
        self, timesteps: int, batch: int, features: int, units: int, *, whole: bool
    ) -> None:
        super().__init__(timesteps, batch, features, units, kept=True)
        sizes, rows = self._sizes, self._rows
        self._batch, self._whole = batch, whole
        self._gradient = zeros(sizes.panels, sizes.stride, GATES, sizes.lanes)
        self._received = zeros(timesteps if whole else 1, rows, sizes.width)
        self._hidden, self._carry = zeros(rows, sizes.width), zeros(rows, sizes.width)
        self._passes = 0

    def forward(
        self, inputs: Floats, kernel: Floats, bias: Floats, state: Floats, carry: Floats
    ) -> tuple[Floats, Floats, np.int64]:
        """Compute all steps; see `load` and `run`.

        Returns:
            The hidden states (batch, timesteps, units) or the last one (batch, units), the last cell
            state (batch, units), and the number of this pass.
        """
        self.load(kernel, bias)
        hidden, last = self.run(inputs, state, carry)
        self._passes += 1
        found = sequences_first(hidden) if self._whole else hidden[-1].copy()
        return found, last.copy(), np.int64(self._passes)

    def backward(
        self, number: np.int64, kernel: Floats, hidden: Floats, carry: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Backpropagation through time (Werbos 1990) of the latest forward pass, which is `number`.

        Args:
            number: of the forward pass.
            kernel: the weights it was made with, see `load`.
            hidden: gradient of its first result.
            carry: gradient of its second result.

        Returns:
            The gradients of kernel, bias, first hidden and first cell state.

        Raises:
            RuntimeError: another forward pass came in between.
        """
        if number != self._passes:
            raise RuntimeError(
                f"gradients of forward pass {number} of an LSTM layer are gone: pass {self._passes} "
                "has overwritten them; take gradients before the layer is called again"
            )
        batch, units, sizes = self._batch, self._units, self._sizes
        apart = self._rows * sizes.width if self._whole else 0
        self._hidden.fill(0.0)
        if self._whole:
            self._received[: self._steps, :batch, :units] = hidden.swapaxes(0, 1)
        else:
            self._hidden[:batch, :units] = hidden
        self._carry[:batch, :units] = carry
        flowing = (self._received, self._hidden, self._carry)
        back = packed_back(kernel[sizes.features :], sizes)
        self._gradient.fill(0.0)
        arrays = (self._operands, self._gates, self._cells, back, self._gradient, *flowing)
        self._code.call("backward", *arrays, self._steps, self._rows, apart)
        found = unpack(self._gradient, units)
        parts = (found[sizes.width + 1 : sizes.depth], found[:units])
        states = [array[:batch, :units].copy() for array in flowing[1:]]
        return np.concatenate(parts), found[sizes.width].copy(), states[0], states[1]

    def inputs_gradient(self, kernel: Floats) -> Floats:
        """The gradient of the inputs (batch, timesteps, features), after the backward pass."""
        sizes = self._sizes
        shape = (self._steps, self._rows, sizes.feature_vectors * sizes.lanes)
        found = empty(*shape)
        back = packed_back(kernel[: sizes.features], sizes)
        self._code.call("inputs", self._gates, back, found, self._steps, self._rows)
        return sequences_first(found[:, : self._batch, : sizes.features])


def states_of_many(
    inputs: Floats, kernel: Floats, bias: Floats, state: Floats, carry: Floats, *, whole: bool
) -> tuple[Floats, Floats]:
    """The results of `CompiledLayer.forward` for any number of sequences, nothing kept for gradients."""
    count, timesteps, features = inputs.shape
    units = state.shape[1]
    layer = ForwardPass(
        timesteps, min(_SEQUENCES_AT_ONCE, max(1, count)), features, units, kept=False
    )
    layer.load(kernel, bias)
    hidden = empty(count, timesteps if whole else 1, units)
    last = empty(count, units)
    for start in range(0, count, _SEQUENCES_AT_ONCE):
        part = slice(start, start + _SEQUENCES_AT_ONCE)
        found, last[part] = layer.run(inputs[part], state[part], carry[part])
        hidden[part] = (found if whole else found[-1:]).swapaxes(0, 1)
    return (hidden if whole else hidden[:, 0]), last
