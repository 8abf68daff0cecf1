"""Dropout with fewer random bits than Keras's: drawing them takes longer than all else of it."""

from typing import Any

import keras
import tensorflow as tf

_CHOICES = 2**16  # of a random number, two of which come at once


@keras.saving.register_keras_serializable("lstm_search")
class FastDropout(keras.layers.Dropout):  # type: ignore[misc]
    """`keras.layers.Dropout` without a `noise_shape`, its rate rounded to a multiple of 1/65536.

    Models are saved with the plain layer, never with this.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs (..., units) in training with some of them zero, the others that much larger."""
        dropped = round(self.rate * _CHOICES)
        if not training or not dropped:
            return inputs
        units = inputs.shape[-1]
        before = tf.shape(inputs)[:-1]
        pairs = -(-units // 2)
        drawn = tf.random.stateless_uniform(
            tf.concat([before, [pairs]], axis=0),
            seed=tf.cast(self.seed_generator.next(), tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.int32,
        )
        choices = tf.bitcast(drawn, tf.uint16)  # (..., pairs, 2)
        choices = tf.reshape(choices, tf.concat([before, [2 * pairs]], axis=0))
        if units % 2:
            choices = choices[..., :units]
        kept = tf.cast(choices >= dropped, inputs.dtype)
        return inputs * tf.ensure_shape(kept * (_CHOICES / (_CHOICES - dropped)), inputs.shape)
