"""The LSTM layer that trials train with: the plain Keras layer's variables, computed the fastest way."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from objectives.lstm.front_padding import (
    padding_moved_last,
    padding_of_all,
    reversed_rows,
    with_closed_gates,
    with_zeros,
)
from objectives.lstm.fused_lstm import fused_lstm
from objectives.lstm.kernel.native_lstm import native_lstm, native_states

_FEWEST_NATIVE_UNITS = 16  # below, a tenth of a second of compiling is not won back


@keras.saving.register_keras_serializable("lstm_search")
class FastLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` computed as one: the same variables, results and gradients.

    All but narrow layers run machine code of their own, those and training on batches of unknown size
    TensorFlow's fused kernel. Only for tanh, sigmoid gates and no recurrent dropout, on a CPU, as
    `recurrent_layer` sees to. A mask must be one of padding before the rows, and the first states zero
    with it; the steps that are padding in a whole batch are passed over. Models are saved with the plain
    layer, never with this.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the layer over `sequences` (batch, timesteps, features), as `keras.layers.RNN` asks."""
        inputs, present = sequences, mask
        timesteps, skipped = inputs.shape[1], 0
        if present is not None:
            skipped = padding_of_all(present)
            inputs, present = inputs[:, skipped:], present[:, skipped:]
        if self.go_backwards:
            inputs = reversed_rows(inputs, present)
        kernel, recurrent_kernel, bias = (
            v.value for v in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        if present is not None:
            inputs, kernel = with_closed_gates(inputs, kernel, present)
        native = self.units >= _FEWEST_NATIVE_UNITS
        compute: Callable[..., tuple[Any, Any]] = native_states if native else fused_lstm
        if native and training:  # for arrays that are kept the batch's size must be known
            known = inputs.shape[0] is not None
            compute = partial(native_lstm, most=timesteps) if known else fused_lstm
        hidden, carry = compute(
            inputs,
            (kernel, recurrent_kernel, bias),
            initial_state,
            whole=self.return_sequences,
        )
        if not self.return_sequences:
            return hidden, hidden[:, None], [hidden, carry]
        last = hidden[:, -1]
        if present is not None:
            before, after = skipped, 0
            if self.go_backwards:
                hidden, before, after = padding_moved_last(hidden, present), 0, skipped
            hidden = with_zeros(hidden, before, after, timesteps)
        return last, hidden, [last, carry]
