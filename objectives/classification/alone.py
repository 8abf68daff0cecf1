"""A saved classifier made anew for sequences of one length, which need no padding."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from objectives.classification.messages import (
    Ending,
    SequenceHyperparameters,
    TextHyperparameters,
)
from objectives.classification.network import (
    TEMPERATURE,
    Layout,
    Weights,
    build_deployable,
    build_network,
)
from objectives.classification.text_network import FROM_IDS, build_text_classifier, known_words
from objectives.classification.vocabulary import Vocabulary
from objectives.scaling import Scaling


def without_padding(
    model: keras.Model, hyperparameters: SequenceHyperparameters, timesteps: int
) -> keras.Model:
    """Build a saved model again from its weights, for sequences of `timesteps` rows alone.

    Its networks see no padding and, of measurements, no mask; the linear skip path keeps its last steps.

    Args:
        model: as `build_deployable` or `build_text_classifier` has built it.
        hyperparameters: what it was built with.
        timesteps: rows, or words, of a sequence; as many as the model keeps, at most.
    """
    shorter = replace(hyperparameters, timesteps=timesteps)
    classes = model.outputs[0].shape[1]
    if isinstance(shorter, TextHyperparameters):
        words = Vocabulary(tuple(known_words(model)), np.zeros(0, np.int32))
        inner = model.get_layer(FROM_IDS)
        layout = Layout(1, classes, padded=True, words=words.size)
        members = _members(inner, shorter, layout)
        return build_text_classifier(shorter, members, words, layout, _temperature(inner))
    layout = Layout(model.input_shape[2], classes, padded=False)
    centre, scale = model.get_layer("centre").offset, model.get_layer("scale").scale
    scaling = Scaling(-np.asarray(centre, np.float64), 1.0 / np.asarray(scale, np.float64))
    members = _members(model, shorter, layout)
    return build_deployable(shorter, members, scaling, layout, Ending(_temperature(model)))


def _members(model: keras.Model, shorter: SequenceHyperparameters, layout: Layout) -> list[Weights]:
    """The weights of each network in a model; of what goes by step only the last steps'."""
    shapes = [weights.shape for weights in build_network(shorter, layout, fast=False).get_weights()]
    networks = (layer for layer in model.layers if isinstance(layer, keras.Model))
    return [
        [weights[-shape[0] :] for weights, shape in zip(network.get_weights(), shapes, strict=True)]
        for network in networks
    ]


def _temperature(model: keras.Model) -> float | None:
    found: list[Any] = [each for each in model.layers if each.name.startswith(TEMPERATURE)]
    return 1.0 / float(found[0].scale) if found else None
