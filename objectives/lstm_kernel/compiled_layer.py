"""The passes of one LSTM layer over batches of one size, on arrays that are kept from batch to batch."""

import numpy as np

from objectives.lstm_kernel.layer_code import GATES
from objectives.lstm_kernel.machine_code import machine_code, sizes_for
from objectives.lstm_kernel.packing import Floats, pack, packed_back, unpack, zeros


class CompiledLayer:
    """A forward pass, then the backward pass that belongs to it, then the next forward pass.

    Args:
        timesteps: steps of a sequence, at most.
        batch: sequences of a batch.
        features: inputs of a step.
        units: width of the layer.
        whole: whether every step's hidden state is wanted or only the last one's.
    """

    def __init__(
        self, timesteps: int, batch: int, features: int, units: int, *, whole: bool
    ) -> None:
        self._batch, self._units, self._whole = batch, units, whole
        self._sizes = sizes = sizes_for(features, units)
        self._code = machine_code(sizes)
        self._rows = rows = -(-batch // sizes.tile) * sizes.tile
        self._operands = zeros(timesteps + 1, rows, sizes.stride)
        self._operands[:, :batch, sizes.width] = 1.0  # what the bias is multiplied with
        self._gates = zeros(timesteps, rows, sizes.panels, GATES, sizes.lanes)
        self._cells = zeros(timesteps + 1, rows, sizes.width)
        self._weights = zeros(sizes.panels, sizes.stride, GATES, sizes.lanes)
        self._gradient = zeros(sizes.panels, sizes.stride, GATES, sizes.lanes)
        self._received = zeros(timesteps if whole else 1, rows, sizes.width)
        self._hidden, self._carry = zeros(rows, sizes.width), zeros(rows, sizes.width)
        self._steps, self._passes = 0, 0  # of the latest pass, and of all

    def forward(
        self, inputs: Floats, kernel: Floats, bias: Floats, state: Floats, carry: Floats
    ) -> tuple[Floats, Floats, np.int64]:
        """Compute all steps.

        Args:
            inputs: (timesteps, batch, features); fewer steps may come than there can be.
            kernel: (features + units, 4 * units), gates in the order i, f, c, o.
            bias: (4 * units,).
            state: the first hidden state (batch, units).
            carry: the first cell state (batch, units).

        Returns:
            The hidden states (timesteps, batch, units) or the last one (batch, units), the last cell
            state (batch, units), and the number of this pass.
        """
        sizes, batch, units = self._sizes, self._batch, self._units
        self._steps = steps = len(inputs)
        hidden = self._operands[: steps + 1, :batch, :units]
        self._operands[:steps, :batch, sizes.width + 1 : sizes.depth] = inputs
        hidden[0] = state
        self._cells[0, :batch, :units] = carry
        pack(kernel[sizes.features :], self._weights[:, :units])
        pack(bias[None], self._weights[:, sizes.width : sizes.width + 1])
        pack(kernel[: sizes.features], self._weights[:, sizes.width + 1 : sizes.depth])
        arrays = (self._operands, self._weights, self._gates, self._cells)
        apart = [self._rows * size for size in (sizes.stride, sizes.gates, sizes.width)]
        self._code.call("forward", *arrays, steps, self._rows, *apart)
        self._passes += 1
        wanted = hidden[1:] if self._whole else hidden[-1]
        return wanted.copy(), self._cells[steps, :batch, :units].copy(), np.int64(self._passes)

    def backward(
        self, number: np.int64, kernel: Floats, hidden: Floats, carry: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Backpropagation through time (Werbos 1990) of the latest forward pass, which is `number`.

        Args:
            number: of the forward pass.
            kernel: as there.
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
        target = self._received[: self._steps] if self._whole else self._hidden
        target[..., :batch, :units] = hidden
        self._carry[:batch, :units] = carry
        flowing = (self._received, self._hidden, self._carry)
        back = packed_back(kernel[sizes.features :], sizes)
        arrays = (self._gates, self._cells, back, *flowing)
        self._code.call("backward", *arrays, self._steps, self._rows, apart)
        states = [array[:batch, :units].copy() for array in flowing[1:]]
        return *self._weights_gradient(), states[0], states[1]

    def inputs_gradient(self, kernel: Floats) -> Floats:
        """The gradient of the inputs (timesteps, batch, features), after the backward pass."""
        sizes = self._sizes
        shape = (self._steps, self._rows, sizes.feature_vectors * sizes.lanes)
        found = np.empty(shape, np.float32)
        back = packed_back(kernel[: sizes.features], sizes)
        self._code.call("inputs", self._gates, back, found, self._steps * self._rows)
        return np.ascontiguousarray(found[:, : self._batch, : sizes.features])

    def _weights_gradient(self) -> tuple[Floats, Floats]:
        sizes = self._sizes
        self._gradient.fill(0.0)
        arrays = (self._operands, self._gates, self._gradient)
        self._code.call("weights", *arrays, self._steps, self._rows)
        found = unpack(self._gradient, self._units)
        parts = (found[sizes.width + 1 : sizes.depth], found[: self._units])
        return np.concatenate(parts), found[sizes.width].copy()
