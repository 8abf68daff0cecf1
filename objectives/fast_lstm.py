"""The LSTM layer that trials train with: the plain Keras layer's variables, computed the fastest way."""

from typing import Any

import keras
import tensorflow as tf

from objectives.front_padding import padding_moved_last, reversed_rows, with_closed_gates
from objectives.fused_lstm import fused_lstm
from objectives.lstm_kernel.native_lstm import native_lstm

_FEWEST_NATIVE_UNITS = 16  # below, a tenth of a second of compiling is not won back


@keras.saving.register_keras_serializable("lstm_search")
class FastLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` computed as one: the same variables, results and gradients.

    Training on batches of one known size runs machine code of its own, all else TensorFlow's fused
    kernel. Only for tanh activation, sigmoid gates and no recurrent dropout, on a CPU; `recurrent_layer`
    sees to that. A mask must be one of padding before the rows, and the first states zero with it.
    Models are saved with the plain layer, never with this.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the layer over `sequences` (batch, timesteps, features), as `keras.layers.RNN` asks."""
        inputs = tf.transpose(sequences, (1, 0, 2))  # (timesteps, batch, features)
        present = None if mask is None else tf.transpose(mask)  # (timesteps, batch)
        if self.go_backwards:
            inputs = reversed_rows(inputs, present)
        kernel, recurrent_kernel, bias = (
            v.value for v in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        if present is not None:
            inputs, kernel = with_closed_gates(inputs, kernel, present)
        native = training and inputs.shape[1] is not None and self.units >= _FEWEST_NATIVE_UNITS
        hidden, carry = (native_lstm if native else fused_lstm)(
            inputs,
            (kernel, recurrent_kernel, bias),
            initial_state,
            whole=self.return_sequences,
        )
        if not self.return_sequences:
            return hidden, hidden[None], [hidden, carry]
        last = hidden[-1]
        if self.go_backwards and present is not None:
            hidden = padding_moved_last(hidden, present)
        return last, tf.transpose(hidden, (1, 0, 2)), [last, carry]
