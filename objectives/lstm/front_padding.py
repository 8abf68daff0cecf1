"""Sequences of unequal length in one batch, padded before their first rows, for the fused LSTM kernel.

The kernel knows no mask. What takes its place is one more input, 1 on padding and 0 on rows, that shuts
the input gates: both states are then still zero when the first row comes, exactly, and no gradient
passes the padding. The last step is every sequence's last row.
"""

from typing import Any

import tensorflow as tf

_SHUT = -1e4  # exp(-1e4) is 0 in float32


def with_closed_gates(inputs: Any, kernel: Any, present: Any) -> tuple[Any, Any]:
    """Inputs and kernel of a layer whose states stay zero on padding.

    Args:
        inputs: (batch, timesteps, features), finite on padding too.
        kernel: (features, 4 * units), the gates in the order i, f, c, o.
        present: (batch, timesteps), False on padding.

    Returns:
        Inputs (batch, timesteps, features + 1) and kernel (features + 1, 4 * units).
    """
    padding = tf.cast(~present, inputs.dtype)[:, :, None]
    units = kernel.shape[1] // 4
    shut = tf.concat([tf.fill([1, units], _SHUT), tf.zeros([1, 3 * units])], axis=1)
    return tf.concat([inputs, padding], axis=2), tf.concat([kernel, shut], axis=0)


def padding_of_all(present: Any) -> Any:
    """How many steps come before the first row of any sequence; `present` is (batch, timesteps)."""
    return tf.reduce_sum(tf.cast(~tf.reduce_any(present, axis=0), tf.int32))


def with_zeros(steps: Any, before: Any, after: Any, timesteps: int) -> Any:
    """Steps (batch, some, units) as (batch, timesteps, units): states on padding are zero."""
    whole = tf.pad(steps, [[0, 0], [before, after], [0, 0]])
    return tf.ensure_shape(whole, (steps.shape[0], timesteps, steps.shape[2]))


def reversed_rows(inputs: Any, present: Any) -> Any:
    """Inputs (batch, timesteps, features) in reverse, the padding still before the rows.

    Without padding `present` is None.
    """
    backwards = tf.reverse(inputs, axis=(1,))
    if present is None:
        return backwards
    return tf.reverse(_first_rows_reversed(backwards, present), axis=(1,))


def padding_moved_last(steps: Any, present: Any) -> Any:
    """Steps (batch, timesteps, units) in the same order, the padding after the rows."""
    return _first_rows_reversed(tf.reverse(steps, axis=(1,)), present)


def _first_rows_reversed(steps: Any, present: Any) -> Any:
    lengths = tf.reduce_sum(tf.cast(present, tf.int32), axis=1)  # (batch,)
    return tf.reverse_sequence(steps, lengths, seq_axis=1, batch_axis=0)
