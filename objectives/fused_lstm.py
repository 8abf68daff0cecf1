"""An LSTM layer on TensorFlow's fused CPU kernel, with the variables of the plain Keras layer."""

from typing import Any

import keras
import tensorflow as tf


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _block_lstm(inputs: Any, kernel: Any, bias: Any, state: Any, carry: Any) -> tuple[Any, Any]:
    """All time steps of one LSTM layer in one operation.

    The gradient that TensorFlow 2.21 registers for BlockLSTMV2 calls the kernel of the first version,
    whose gate order differs; BlockLSTMGradV2 is the one that belongs to it.

    Args:
        inputs: (timesteps, batch, features), time-major as the kernel wants it.
        kernel: (features + units, 4 * units), gates in the order i, f, c, o like Keras.
        bias: (4 * units,).
        state: (batch, units), the first hidden state.
        carry: (batch, units), the first cell state.

    Returns:
        The hidden and the cell state of every step, each (timesteps, batch, units), and the gradient.
    """
    peephole = tf.zeros(tf.shape(bias)[:1] // 4, bias.dtype)
    length = tf.shape(inputs, out_type=tf.int64)[0]
    operands = {
        "seq_len_max": length,
        "x": inputs,
        "cs_prev": carry,
        "h_prev": state,
        "w": kernel,
        "wci": peephole,
        "wcf": peephole,
        "wco": peephole,
        "b": bias,
    }
    gate_i, cells, gate_f, gate_o, cell_input, cell_out, hidden = tf.raw_ops.BlockLSTMV2(
        **operands, cell_clip=0.0, use_peephole=False
    )

    def gradient(hidden_gradient: Any, cells_gradient: Any) -> tuple[Any, ...]:
        found = tf.raw_ops.BlockLSTMGradV2(
            **operands,
            i=gate_i,
            cs=cells,
            f=gate_f,
            o=gate_o,
            ci=cell_input,
            co=cell_out,
            h=hidden,
            cs_grad=cells_gradient,
            h_grad=hidden_gradient,
            use_peephole=False,
        )
        return found.x_grad, found.w_grad, found.b_grad, found.h_prev_grad, found.cs_prev_grad

    return (hidden, cells), gradient


@keras.saving.register_keras_serializable("lstm_search")
class FusedLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM` computed by the fused kernel: the same variables, results and gradients.

    Only for tanh activation, sigmoid gates, no mask and no recurrent dropout, on a CPU; `build_network`
    sees to that. Models are saved with the plain layer, never with this one.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the layer over `sequences` (batch, timesteps, features), as `keras.layers.RNN` asks."""
        inputs = tf.transpose(sequences, (1, 0, 2))  # (timesteps, batch, features)
        if self.go_backwards:
            inputs = tf.reverse(inputs, axis=(0,))
        kernel = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0)
        state, carry = initial_state
        hidden, cells = _block_lstm(inputs, kernel, self.cell.bias.value, state, carry)
        outputs = tf.transpose(hidden, (1, 0, 2)) if self.return_sequences else hidden[-1:]
        return hidden[-1], outputs, [hidden[-1], cells[-1]]
