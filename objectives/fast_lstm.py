"""The LSTM layer that trials train with: the plain Keras layer's variables, computed the fastest way."""

from typing import Any

import keras
import tensorflow as tf

from objectives.front_padding import padding_moved_last, reversed_rows, with_closed_gates
from objectives.fused_lstm import Backward, fused_lstm

# Milliseconds of a layer's forward and backward pass on one thread (48 time steps, 7 features): plain
# Keras / fused forward and backward / fused forward and compiled backward.
#
#   units   batch 32              batch 64              batch 128
#      32    2.5 /  0.9 /  0.8     3.1 /  1.5 /  1.5     4.9 /  3.0 /  2.8
#      64    3.8 /  2.0 /  1.7     5.5 /  3.6 /  3.1     9.2 /  8.0 /  7.1
#     128    8.8 /  9.5 /  5.1    12.5 / 14.0 / 10.8    21.6 / 24.4 / 19.3
#     256   23.2 / 42.3 / 16.2    37.6 / 59.6 / 32.8    64.6 / 93.6 / 61.1
#
_LARGEST_FUSED_UNITS = 48  # the draws go to the fused kernel: compiling costs a third of a second


def fastest_backward(units: int, batch: int | None) -> Backward:
    """How to compute a layer's gradients; nothing can be compiled for an unknown batch (None)."""
    return "fused" if units <= _LARGEST_FUSED_UNITS or batch is None else "compiled"


@keras.saving.register_keras_serializable("lstm_search")
class FastLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` computed by a fused kernel: the same variables, results and gradients.

    Only for tanh activation, sigmoid gates and no recurrent dropout, on a CPU; `recurrent_layer` sees to
    that. A mask must be one of padding before the rows, and the first states zero with it. Models are
    saved with the plain layer, never with this.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the layer over `sequences` (batch, timesteps, features), as `keras.layers.RNN` asks."""
        del training
        inputs = tf.transpose(sequences, (1, 0, 2))  # (timesteps, batch, features)
        present = None if mask is None else tf.transpose(mask)  # (timesteps, batch)
        if self.go_backwards:
            inputs = reversed_rows(inputs, present)
        kernel, recurrent_kernel, bias = (
            v.value for v in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        if present is not None:
            inputs, kernel = with_closed_gates(inputs, kernel, present)
        hidden, carry = fused_lstm(
            inputs,
            (kernel, recurrent_kernel, bias),
            initial_state,
            whole=self.return_sequences,
            backward=fastest_backward(self.units, inputs.shape[1]),
        )
        if not self.return_sequences:
            return hidden, hidden[None], [hidden, carry]
        last = hidden[-1]
        if self.go_backwards and present is not None:
            hidden = padding_moved_last(hidden, present)
        return last, tf.transpose(hidden, (1, 0, 2)), [last, carry]
