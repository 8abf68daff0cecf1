"""The network that classifies sequences, and the model that is deployed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import (
    NETWORKS_ALONE,
    PADDING,
    Ending,
    LinearPart,
    SequenceHyperparameters,
    TextHyperparameters,
)
from objectives.lstm.network import dropout_layer, recurrent_layer
from objectives.scaling import Scaling

Weights = Sequence[NDArray[np.float32]]
TEMPERATURE = "temperature"  # what the names of layers begin with that calibrate
LINEAR, LINEAR_SHARE = "linear", "share_of_linear"  # names of layers


@dataclass(frozen=True)
class Layout:
    """What a network must fit: `features` of a row, `classes`, and whether sequences are `padded`.

    Of texts there are `words` ids, 0 where rows are measurements.
    """

    features: int
    classes: int
    padded: bool
    words: int = 0


def build_network(
    hyperparameters: SequenceHyperparameters, layout: Layout, *, fast: bool
) -> keras.Model:
    """Build the network that maps scaled sequences to logits (batch, classes).

    The input is (batch, timesteps, features), or of texts (batch, timesteps) of ids; where sequences
    are padded there is a second one, (batch, timesteps) of bool, False on the padding before a
    sequence's first row, which changes nothing. Two classes have one logit, that of the second; the
    first's is 0, so that softmax is a sigmoid. The linear skip path starts at zero. `fast` allows
    the CPU's ways to compute an LSTM where they are exact; weights fit either.
    """
    window, seen = _input(hyperparameters, layout)
    inputs, mask = window, {}
    if hyperparameters.noise:
        seen = keras.layers.GaussianNoise(hyperparameters.noise, name="noise")(seen)
    if layout.padded:
        present = keras.Input((hyperparameters.timesteps,), dtype="bool", name="present")
        inputs, mask = [window, present], {"mask": present}
        seen = _zero_padding(seen, present)
    hidden = seen
    for layer, units in enumerate(hyperparameters.units, start=1):
        last = layer == hyperparameters.depth
        recurrent = recurrent_layer(hyperparameters, units, layer, last, fast)
        hidden = recurrent(hidden, **mask)
        hidden = dropout_layer(hyperparameters.dropout, layer)(hidden)
    outputs = 1 if layout.classes == 2 else layout.classes
    logits = keras.layers.Dense(outputs, name="head")(hidden)
    if hyperparameters.skip == "linear":
        skip = keras.layers.EinsumDense(
            "btf,tfo->bo", output_shape=(outputs,), kernel_initializer="zeros", name="skip"
        )
        logits = keras.layers.Add(name="with_skip")([logits, skip(seen)])
    if layout.classes == 2:
        logits = keras.layers.ZeroPadding1D((1, 0), name="both")(logits[:, :, None])[:, :, 0]
    return keras.Model(inputs, logits, name="network")


def _input(hyperparameters: SequenceHyperparameters, layout: Layout) -> tuple[Any, Any]:
    """The first input, and what LSTM layers see of it (batch, timesteps, features)."""
    if not isinstance(hyperparameters, TextHyperparameters):
        window = keras.Input((hyperparameters.timesteps, layout.features), name="window")
        return window, window
    ids = keras.Input((hyperparameters.timesteps,), dtype="int64", name="ids")
    # `mask_zero` would tell the layers that follow, but neither the fused ones nor the skip path.
    embedding = keras.layers.Embedding(
        layout.words, hyperparameters.embedding_dim, name="embedding"
    )
    return ids, embedding(ids)


def build_deployable(
    hyperparameters: SequenceHyperparameters,
    members: Sequence[Weights],
    scaling: Scaling,
    layout: Layout,
    ending: Ending = NETWORKS_ALONE,
) -> keras.Model:
    """Build a model of plain Keras layers from raw sequences to probabilities, scaling inside.

    `members` are weights of `build_network` in order, one or several, whose probabilities are averaged.
    The input `window` is (batch, timesteps, features) in the data's units, a sequence's last rows; where
    sequences are padded, every value of a row before the first one is `PADDING`. The output
    `probabilities` is (batch, classes), which `ending` leads to.
    """
    window = keras.Input((hyperparameters.timesteps, layout.features), name="window")
    seen, others = window, []
    if layout.padded:
        # keras.layers.Masking would tell the LSTM layers alone; the skip path must know as well.
        present = keras.ops.any(keras.ops.not_equal(window, PADDING), axis=-1)
        seen, others = _zero_padding(window, present), [present]
    centred = keras.layers.Rescaling(1.0, offset=(-scaling.center).tolist(), name="centre")(seen)
    scaled = keras.layers.Rescaling((1.0 / scaling.scale).tolist(), name="scale")(centred)
    inputs = [scaled, *others]
    found = mean_probabilities(hyperparameters, members, layout, inputs, ending.temperature)
    if ending.linear is not None:
        linear = _linear_probabilities(scaled, ending.linear, scaling)
        found = _mixture(found, linear, ending.linear.share)
    return keras.Model(window, {"probabilities": found}, name="classifier")


def mean_probabilities(
    hyperparameters: SequenceHyperparameters,
    members: Sequence[Weights],
    layout: Layout,
    inputs: list[Any],
    temperature: float | None,
) -> Any:
    """The mean of the probabilities (batch, classes) that networks of these weights give `inputs`."""
    still = replace(hyperparameters, dropout=0.0, recurrent_dropout=0.0, noise=0.0)
    found: list[Any] = []
    for number, weights in enumerate(members, start=1):
        network = build_network(still, layout, fast=False)
        network.set_weights(weights)
        network.name = f"network_{number}" if len(members) > 1 else "network"
        logits = network(inputs if len(inputs) > 1 else inputs[0])
        if temperature is not None:
            layer = keras.layers.Rescaling(1.0 / temperature, name=f"{TEMPERATURE}_{number}")
            logits = layer(logits)
        found.append(keras.layers.Softmax(name=f"softmax_{number}")(logits))
    return found[0] if len(found) == 1 else keras.layers.Average(name="mean")(found)


def _linear_probabilities(scaled: Any, part: LinearPart, scaling: Scaling) -> Any:
    """Probabilities (batch, classes) by logistic regression on scaled windows."""
    # In these units, so that float32 does not subtract large numbers from each other.
    kernel = part.kernel * scaling.scale[:, None]
    bias = part.bias + np.tensordot(scaling.center, part.kernel.sum(axis=0), axes=1)
    layer = keras.layers.Dense(len(bias), name=LINEAR)
    logits = layer(keras.layers.Flatten(name="values")(scaled))
    layer.set_weights([kernel.reshape(-1, len(bias)), bias])
    return keras.layers.Softmax(name=f"softmax_{LINEAR}")(logits)


def _mixture(networks: Any, linear: Any, share: float) -> Any:
    """Probabilities (batch, classes) of both, those of the linear part having a `share`."""
    others = keras.layers.Rescaling(1.0 - share, name="share_of_networks")(networks)
    mine = keras.layers.Rescaling(share, name=LINEAR_SHARE)(linear)
    return keras.layers.Add(name="mixture")([others, mine])


def _zero_padding(values: Any, present: Any) -> Any:
    """Values (batch, timesteps, features) with zeros where `present` (batch, timesteps) is False."""
    return values * keras.ops.cast(keras.ops.expand_dims(present, -1), values.dtype)
