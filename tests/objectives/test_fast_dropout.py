"""Dropout with few random bits drops as many as Keras's, independently, and passes its gradient."""

import numpy as np
import pytest
import tensorflow as tf

from objectives.lstm.fast_dropout import FastDropout


@pytest.mark.parametrize("units", [32, 33])  # an odd number leaves one of the last pair over
def test_the_share_that_is_dropped_and_the_mean_are_right(units):
    layer, inputs = FastDropout(0.3, seed=1), tf.ones((50, 60, units))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = layer(inputs, training=True)
    found, gradient = found.numpy(), tape.gradient(found, inputs).numpy()
    np.testing.assert_array_equal(gradient, found)  # of ones: the factors themselves
    dropped = found == 0
    assert dropped.mean() == pytest.approx(0.3, abs=0.01)
    assert found[~dropped] == pytest.approx(1 / 0.7, rel=1e-4)
    apart = dropped - dropped.mean()
    for axis in range(3):  # neighbours know nothing of each other
        assert abs(np.mean(apart * np.roll(apart, 1, axis))) < 0.005


def test_every_call_draws_anew_and_a_seed_the_same_again():
    inputs = tf.ones((4, 5, 16))
    first, again = (FastDropout(0.5, seed=3) for _ in range(2))
    drawn = [first(inputs, training=True).numpy() for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(again(inputs, training=True), drawn[0])


def test_nothing_is_dropped_outside_training():
    inputs = tf.ones((2, 3))
    np.testing.assert_array_equal(FastDropout(0.5)(inputs), inputs)
