"""The backward pass of an LSTM layer, written by hand and compiled by XLA for its sizes.

The weights' gradients are one matrix product over all steps at the end, and XLA turns the rest of a step
into a matrix product and a few loops over memory that is still in the cache.
"""

from typing import Any

import tensorflow as tf


@tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
def compiled_gradient(
    inputs: Any,
    kernel: Any,
    first: tuple[Any, Any],
    saved: Any,
    received: tuple[Any, Any],
    whole: bool,
) -> tuple[Any, ...]:
    """Backpropagation through time (Werbos 1990); every shape must be known when the graph is traced.

    Args:
        inputs: (timesteps, batch, features).
        kernel: (features + units, 4 * units), gates in the order i, f, c, o.
        first: the hidden and the cell state before the first step, each (batch, units).
        saved: what BlockLSTMV2 gave: the gates after their activations i, f, ci and o, the cell states
            cs, their tanh co and the hidden states h, each (timesteps, batch, units).
        received: the gradients of the hidden states (timesteps, batch, units), or of the last one alone
            (batch, units) where not `whole`; and of the last cell state (batch, units).
        whole: see `received`.

    Returns:
        The gradients of the inputs, the kernel, the bias (4 * units,) and the first states.
    """
    timesteps, batch, features = inputs.shape
    units = kernel.shape[1] // 4
    hidden_gradient, carry_gradient = received
    earlier_cells = tf.concat([first[1][None], saved.cs[:-1]], axis=0)
    per_step = [saved.i, saved.f, saved.ci, saved.o, saved.co, earlier_cells]
    arrays = [_unstacked(values) for values in per_step]
    added = _unstacked(hidden_gradient) if whole else None
    back = tf.transpose(kernel[features:])

    def step(done: Any, hidden: Any, cell: Any, found: Any) -> tuple[Any, ...]:
        number = timesteps - 1 - done
        i, f, new, o, squashed, earlier = (array.read(number) for array in arrays)
        if added is not None:
            hidden += added.read(number)
        cell += hidden * o * (1.0 - squashed * squashed)
        slopes = tf.concat(
            [
                cell * new * i * (1.0 - i),
                cell * earlier * f * (1.0 - f),
                cell * i * (1.0 - new * new),
                hidden * squashed * o * (1.0 - o),
            ],
            axis=1,
        )  # (batch, 4 * units)
        return done + 1, tf.matmul(slopes, back), cell * f, found.write(number, slopes)

    last = tf.zeros((batch, units), inputs.dtype) if whole else hidden_gradient
    _, state, carry, found = tf.while_loop(
        lambda done, *_: done < timesteps,
        step,
        (tf.constant(0), last, carry_gradient, _array(timesteps, batch, 4 * units)),
        maximum_iterations=timesteps,
    )
    slopes = tf.reshape(found.stack(), (timesteps * batch, 4 * units))
    earlier_states = tf.concat([first[0][None], saved.h[:-1]], axis=0)
    kernels = [
        tf.matmul(tf.reshape(seen, (timesteps * batch, -1)), slopes, transpose_a=True)
        for seen in (inputs, earlier_states)
    ]
    inputs_gradient = tf.matmul(slopes, kernel[:features], transpose_b=True)
    return (
        tf.reshape(inputs_gradient, (timesteps, batch, features)),
        tf.concat(kernels, axis=0),
        tf.reduce_sum(slopes, axis=0),
        state,
        carry,
    )


def _array(length: int, *shape: int) -> Any:
    return tf.TensorArray(tf.float32, length, element_shape=shape)


def _unstacked(values: Any) -> Any:
    return _array(*values.shape).unstack(values)
