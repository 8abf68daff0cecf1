"""A layer's machine code as operations of TensorFlow with a gradient."""

from functools import partial
from typing import Any

import tensorflow as tf

from objectives.lstm.fused_lstm import fused_lstm
from objectives.lstm.kernel.compiled_layer import CompiledLayer, states_of_many


def native_lstm(
    inputs: Any, weights: Any, states: Any, *, whole: bool, most: int
) -> tuple[Any, Any]:
    """All time steps of one LSTM layer, for training; every shape but the steps' must be known.

    Args:
        inputs: (batch, timesteps, features).
        weights: kernel (features, 4 * units) with gates in the order i, f, c, o like Keras, recurrent
            kernel (units, 4 * units) and bias (4 * units,).
        states: the first hidden and the first cell state, each (batch, units).
        whole: whether every step's hidden state is wanted or only the last one's.
        most: time steps that there can be.

    Returns:
        The hidden states (batch, timesteps, units) or the last one (batch, units), and the last cell
        state (batch, units).
    """
    kernel, recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    size, timesteps, features = inputs.shape
    layer = CompiledLayer(most, size, features, units, whole=whole)
    batch = (size, units)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any, bias: Any, state: Any, carry: Any) -> tuple[Any, Any]:
        operands = [inputs, kernel, bias, state, carry]
        kinds = [tf.float32, tf.float32, tf.int64]
        hidden, last, number = tf.numpy_function(layer.forward, operands, kinds)

        def gradient(hidden_gradient: Any, carry_gradient: Any) -> tuple[Any, ...]:
            received = [number, kernel, hidden_gradient, carry_gradient]
            found = tf.numpy_function(layer.backward, received, [tf.float32] * 4)
            # Without state, so that it is left out where nobody asks for this gradient.
            needed = [kernel, found[0]]
            into = tf.numpy_function(
                lambda kernel, _: layer.inputs_gradient(kernel), needed, tf.float32, stateful=False
            )
            return tuple(
                tf.ensure_shape(value, like.shape)
                for value, like in zip((into, *found), operands, strict=True)
            )

        shape = (size, timesteps, units) if whole else batch
        return (tf.ensure_shape(hidden, shape), tf.ensure_shape(last, batch)), gradient

    both = tf.concat([kernel, recurrent_kernel], axis=0)
    found: tuple[Any, Any] = run(inputs, both, bias, *states)
    return found


def native_states(inputs: Any, weights: Any, states: Any, *, whole: bool) -> tuple[Any, Any]:
    """The results of `native_lstm` for any number of sequences, without keeping anything for gradients.

    Who asks for them all the same pays for another forward pass, by TensorFlow's fused kernel.
    """
    units = weights[1].shape[0]
    batch = (inputs.shape[0], units)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, *others: Any) -> tuple[Any, Any]:
        kernel, recurrent_kernel, bias, state, carry = others
        both = tf.concat([kernel, recurrent_kernel], axis=0)
        operands = [inputs, both, bias, state, carry]
        hidden, last = tf.numpy_function(
            partial(states_of_many, whole=whole), operands, [tf.float32] * 2, stateful=False
        )

        def gradient(*received: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([inputs, *others])
                found = fused_lstm(inputs, others[:3], others[3:], whole=whole)
            return tape.gradient(found, [inputs, *others], output_gradients=received)

        shape = (*inputs.shape[:2], units) if whole else batch
        return (tf.ensure_shape(hidden, shape), tf.ensure_shape(last, batch)), gradient

    found: tuple[Any, Any] = run(inputs, *weights, *states)
    return found
