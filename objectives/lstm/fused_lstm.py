"""One LSTM layer on TensorFlow's fused CPU kernel, with a backward pass that is right.

The gradient that TensorFlow 2.21 registers for BlockLSTMV2 calls the kernel of the first version, whose
gate order differs. BlockLSTMGradV2 is the one that belongs to it.
"""

from typing import Any

import tensorflow as tf


def fused_lstm(inputs: Any, weights: Any, states: Any, *, whole: bool) -> tuple[Any, Any]:
    """All time steps of one LSTM layer in one operation.

    Args:
        inputs: (batch, timesteps, features).
        weights: kernel (features, 4 * units) with gates in the order i, f, c, o like Keras, recurrent
            kernel (units, 4 * units) and bias (4 * units,).
        states: the first hidden and the first cell state, each (batch, units).
        whole: whether every step's hidden state is wanted or only the last one's.

    Returns:
        The hidden states (batch, timesteps, units) or the last one (batch, units), and the last cell
        state (batch, units).
    """
    kernel, recurrent_kernel, bias = weights

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any, bias: Any, state: Any, carry: Any) -> tuple[Any, Any]:
        operands = _operands(inputs, kernel, bias, state, carry)
        saved = tf.raw_ops.BlockLSTMV2(**operands, cell_clip=0.0, use_peephole=False)

        def gradient(hidden_gradient: Any, carry_gradient: Any) -> Any:
            return _gradient(operands, saved, (hidden_gradient, carry_gradient), whole)

        return (saved.h if whole else saved.h[-1], saved.cs[-1]), gradient

    both = tf.concat([kernel, recurrent_kernel], axis=0)
    steps_first = (1, 0, 2)  # as the kernel wants them
    hidden, carry = run(tf.transpose(inputs, steps_first), both, bias, *states)
    return tf.transpose(hidden, steps_first) if whole else hidden, carry


def _operands(inputs: Any, kernel: Any, bias: Any, state: Any, carry: Any) -> dict[str, Any]:
    peephole = tf.zeros(tf.shape(bias)[:1] // 4, bias.dtype)
    return {
        "seq_len_max": tf.shape(inputs, out_type=tf.int64)[0],
        "x": inputs,
        "cs_prev": carry,
        "h_prev": state,
        "w": kernel,
        "wci": peephole,
        "wcf": peephole,
        "wco": peephole,
        "b": bias,
    }


def _gradient(
    operands: dict[str, Any], saved: Any, received: tuple[Any, Any], whole: bool
) -> tuple[Any, ...]:
    hidden_gradient, carry_gradient = received
    found = tf.raw_ops.BlockLSTMGradV2(
        **operands,
        i=saved.i,
        cs=saved.cs,
        f=saved.f,
        o=saved.o,
        ci=saved.ci,
        co=saved.co,
        h=saved.h,
        cs_grad=_at_last_step(carry_gradient, saved.h),
        h_grad=hidden_gradient if whole else _at_last_step(hidden_gradient, saved.h),
        use_peephole=False,
    )
    return found.x_grad, found.w_grad, found.b_grad, found.h_prev_grad, found.cs_prev_grad


def _at_last_step(gradient: Any, hidden: Any) -> Any:
    """A gradient (batch, units) of the last step as one of all (timesteps, batch, units)."""
    return tf.pad(gradient[None], [[tf.shape(hidden)[0] - 1, 0], [0, 0], [0, 0]])
