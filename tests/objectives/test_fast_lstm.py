"""The fused layer gives the plain layer's outputs and gradients, and shares its weights."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from objectives.lstm.fast_lstm import FastLSTM

pytestmark = pytest.mark.usefixtures("one_thread")

TIMESTEPS, FEATURES = 7, 3
UNITS = (1, 16, 37)  # the last two run machine code, in whole vectors and in part of one
BATCHES = (1, 7, 32)


def stacks(units: int, depth: int, **last: bool) -> tuple[list, list]:
    """As many plain and fused layers with the same weights, drawn at random, biases too."""
    generator = np.random.default_rng(units)
    kinds: tuple[list, list] = ([], [])
    for layer in range(1, depth + 1):
        options = last if layer == depth else {"return_sequences": True}
        pair = [kind(units, **options) for kind in (keras.layers.LSTM, FastLSTM)]
        for built, layers in zip(pair, kinds, strict=True):
            built.build((None, TIMESTEPS, FEATURES if layer == 1 else units))
            layers.append(built)
        weights = [generator.normal(size=w.shape, scale=0.5) for w in pair[0].get_weights()]
        pair[0].set_weights(weights)
        pair[1].set_weights(pair[0].get_weights())
    return kinds


def outputs_and_gradients(layers, inputs, states=None, *, training=True):
    """What the stack gives, and its gradients for inputs, states and weights, as one flat list."""
    inputs = tf.constant(inputs)
    states = None if states is None else [tf.constant(state) for state in states]
    watched = [inputs, *(states or [])]
    variables = [v.value for layer in layers for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        hidden = inputs
        for layer in layers[:-1]:
            hidden = layer(hidden, training=training)
        found = layers[-1](hidden, initial_state=states, training=training)
        outputs = tf.nest.flatten(found)
        # unequal weights, so that a gradient that reaches the wrong place shows
        loss = tf.add_n(
            [
                tf.reduce_sum(o * tf.reshape(tf.cos(tf.range(tf.size(o), dtype=o.dtype)), o.shape))
                for o in outputs
            ]
        )
    return [value.numpy() for value in [*outputs, *tape.gradient(loss, [*watched, *variables])]]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        np.testing.assert_allclose(our, their, rtol=0, atol=1e-5 * np.abs(their).max())


def batch_of(size: int) -> np.ndarray:
    generator = np.random.default_rng(size)
    return generator.normal(size=(size, TIMESTEPS, FEATURES)).astype(np.float32)


@pytest.mark.parametrize(
    ("units", "depth", "return_sequences"), list(itertools.product(UNITS, (1, 2), (False, True)))
)
def test_outputs_and_gradients_are_the_plain_layers(units, depth, return_sequences):
    plain, fused = stacks(units, depth, return_sequences=return_sequences)
    for size in BATCHES:
        expected = outputs_and_gradients(plain, batch_of(size))
        for training in (True, False):
            found = outputs_and_gradients(fused, batch_of(size), training=training)
            assert_same(found, expected)
        assert len(expected) == 1 + 1 + 3 * depth
        assert all(np.abs(gradient).max() > 0 for gradient in expected)


@pytest.mark.parametrize("units", [5, 37])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_states_go_in_and_come_out_in_both_directions(units, go_backwards, return_sequences):
    plain, fused = stacks(
        units, 1, go_backwards=go_backwards, return_sequences=return_sequences, return_state=True
    )
    generator = np.random.default_rng(0)
    states = [generator.normal(size=(7, units)).astype(np.float32) for _ in range(2)]
    expected = outputs_and_gradients(plain, batch_of(7), states)
    assert_same(outputs_and_gradients(fused, batch_of(7), states), expected)
    assert len(expected) == 3 + 3 + 3  # output and two states; inputs and two states; weights


@pytest.mark.parametrize("return_sequences", [False, True])
def test_bidirectional_layers_are_the_plain_ones(return_sequences):
    pair = [
        keras.layers.Bidirectional(kind(20, return_sequences=return_sequences))
        for kind in (keras.layers.LSTM, FastLSTM)
    ]
    for layer in pair:
        layer.build((None, TIMESTEPS, FEATURES))
    assert type(pair[1].backward_layer) is FastLSTM
    pair[1].set_weights(pair[0].get_weights())
    plain, fused = (outputs_and_gradients([layer], batch_of(7)) for layer in pair)
    assert_same(fused, plain)


@pytest.mark.parametrize("units", [5, 37])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("both_ways", [False, True])
def test_padding_before_the_rows_is_passed_over_as_by_the_plain_layer(
    units, return_sequences, both_ways
):
    def build(kind):
        layer = kind(units, return_sequences=return_sequences)
        layer = keras.layers.Bidirectional(layer) if both_ways else layer
        layer.build((None, TIMESTEPS, FEATURES))
        return layer

    plain, fused = build(keras.layers.LSTM), build(FastLSTM)
    fused.set_weights(plain.get_weights())
    present = np.arange(TIMESTEPS) >= TIMESTEPS - np.array([[2], [5], [TIMESTEPS]])

    def found(layer, inputs):
        inputs = tf.constant(inputs)
        variables = [v.value for v in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=tf.constant(present), training=True)
            if return_sequences:  # what stands on padding is nobody's
                outputs *= tf.cast(present, tf.float32)[:, :, None]
            loss = tf.reduce_sum(tf.sin(outputs))
        return [v.numpy() for v in (outputs, *tape.gradient(loss, [inputs, *variables]))]

    ours = found(fused, batch_of(3))
    assert_same(ours, found(plain, batch_of(3)))
    assert not ours[1][~present].any()  # no gradient reaches the padding
    other = np.where(present[:, :, None], batch_of(3), 7).astype(np.float32)
    for our, same in zip(ours, found(fused, other), strict=True):
        np.testing.assert_array_equal(our, same)  # whatever the padding holds


def test_in_a_graph_with_an_unknown_batch_size_it_is_the_same():
    plain, fused = stacks(16, 1)
    signature = [tf.TensorSpec((None, TIMESTEPS, FEATURES))]
    compiled = tf.function(fused[0].__call__, input_signature=signature)
    for size in BATCHES:
        expected = plain[0](batch_of(size)).numpy()
        np.testing.assert_allclose(compiled(batch_of(size)).numpy(), expected, atol=1e-5)


def test_weights_go_from_either_layer_to_the_other():
    plain, fused = keras.layers.LSTM(5), FastLSTM(5)
    for layer in (plain, fused):
        layer.build((None, TIMESTEPS, FEATURES))
    names = [[variable.name for variable in layer.weights] for layer in (plain, fused)]
    assert names[0] == names[1]
    before = plain(batch_of(7)).numpy()
    fused.set_weights(plain.get_weights())
    plain.set_weights([0 * weight for weight in plain.get_weights()])
    plain.set_weights(fused.get_weights())
    np.testing.assert_array_equal(plain(batch_of(7)).numpy(), before)
    np.testing.assert_allclose(fused(batch_of(7)).numpy(), before, atol=1e-6)
