"""The machine code of an LSTM layer, for every kind of vector, against formulas in float64."""

import numpy as np
import pytest

from objectives.lstm.kernel import compiled_layer
from objectives.lstm.kernel.compiled_layer import CompiledLayer, states_of_many
from objectives.lstm.kernel.layer_code import Sizes

VECTORS = ((16, 4), (8, 2), (4, 4))  # LLVM splits those that the processor does not have


def draw(timesteps: int, batch: int, features: int, units: int) -> list[np.ndarray]:
    """Inputs, kernel, bias and first states."""
    generator = np.random.default_rng(units)
    shapes = (
        (batch, timesteps, features),
        (features + units, 4 * units),
        (4 * units,),
        (batch, units),
        (batch, units),
    )
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


def states(inputs, kernel, bias, hidden, cell):
    """Hidden states of all steps and the last cell state, in float64."""
    found = []
    for step in inputs.astype(np.float64).swapaxes(0, 1):
        into, forget, new, out = np.split(np.hstack([step, hidden]) @ kernel + bias, 4, axis=1)
        cell = cell / (1 + np.exp(-forget)) + np.tanh(new) / (1 + np.exp(-into))
        hidden = np.tanh(cell) / (1 + np.exp(-out))
        found.append(hidden)
    return np.stack(found, axis=1), cell


@pytest.mark.parametrize(("lanes", "tile"), VECTORS)
@pytest.mark.parametrize("sizes", [(5, 3, 1, 1), (4, 6, 20, 37)])
def test_every_vector_gives_the_states_and_their_gradients(monkeypatch, lanes, tile, sizes):
    monkeypatch.setattr(
        compiled_layer, "sizes_for", lambda *sizes: Sizes(*sizes, lanes=lanes, tile=tile)
    )
    drawn = draw(*sizes)
    layer = CompiledLayer(*sizes, whole=True)
    hidden, carry, number = layer.forward(*drawn)
    expected_hidden, expected_carry = states(*drawn)
    np.testing.assert_allclose(hidden, expected_hidden, atol=3e-6)
    np.testing.assert_allclose(carry, expected_carry, atol=3e-6)
    kernels, *others = layer.backward(number, drawn[1], np.ones_like(hidden), np.ones_like(carry))
    gradients = [layer.inputs_gradient(drawn[1]), kernels, *others]
    generator = np.random.default_rng(0)
    for place, gradient in enumerate(gradients):
        direction = generator.normal(size=drawn[place].shape)
        ends = []
        for sign in (1, -1):
            moved = [value.astype(np.float64) for value in drawn]
            moved[place] += sign * 1e-5 * direction
            ends.append(sum(value.sum() for value in states(*moved)))
        slope = (ends[0] - ends[1]) / 2e-5
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("count", [0, 1, 150])
def test_any_number_of_sequences_gives_the_states_of_each(count, whole):
    drawn = draw(4, count, 2, 20)
    hidden, carry = states_of_many(*drawn, whole=whole)
    expected_hidden, expected_carry = states(*drawn)
    np.testing.assert_allclose(
        hidden, expected_hidden if whole else expected_hidden[:, -1], atol=3e-6
    )
    np.testing.assert_allclose(carry, expected_carry, atol=3e-6)


def test_gradients_of_an_overwritten_pass_are_refused():
    sizes = (3, 2, 1, 4)
    drawn, layer = draw(*sizes), CompiledLayer(*sizes, whole=False)
    hidden, carry, first = layer.forward(*drawn)
    layer.forward(*drawn)
    with pytest.raises(RuntimeError, match=r"pass 1 .* pass 2 has overwritten"):
        layer.backward(first, drawn[1], hidden, carry)


def test_what_is_not_a_number_is_not_lost():
    inputs, *others = draw(3, 2, 1, 4)
    inputs[0, 1] = np.nan
    hidden, _, _ = CompiledLayer(3, 2, 1, 4, whole=True).forward(inputs, *others)
    assert np.isnan(hidden[0, 1:]).all()
    assert np.isfinite(hidden[1]).all()
    assert np.isfinite(hidden[:, 0]).all()


def test_closed_gates_are_exactly_zero():
    inputs, kernel, bias, hidden, cell = draw(3, 2, 1, 4)
    bias[:4] = -1e4
    found, carry, _ = CompiledLayer(3, 2, 1, 4, whole=True).forward(
        inputs, 0 * kernel, bias, 0 * hidden, 0 * cell
    )
    assert not found.any()
    assert not carry.any()
