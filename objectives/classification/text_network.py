"""The model of texts that is deployed: from strings to probabilities."""

from collections.abc import Sequence
from typing import Any

import keras

from objectives.classification.messages import TextHyperparameters
from objectives.classification.network import Layout, Weights, mean_probabilities
from objectives.classification.vocabulary import PADDING_ID, Vocabulary

FROM_IDS = "from_ids"  # the part that comes after the words
_WORDS = "words"


def build_text_classifier(
    hyperparameters: TextHyperparameters,
    members: Sequence[Weights],
    vocabulary: Vocabulary,
    layout: Layout,
    temperature: float | None = None,
) -> keras.Model:
    """Build a model of plain Keras layers from texts to probabilities, the vocabulary inside.

    `members` are weights of `build_network` in order, one or several, whose probabilities are averaged.
    The input `text` is (batch,) of strings, of which the last `timesteps` words are seen; the output
    `probabilities` is (batch, classes), as `build_deployable` has it.
    """
    ids = keras.Input((hyperparameters.timesteps,), dtype="int64", name="ids")
    present = keras.ops.not_equal(ids, PADDING_ID)
    mean = mean_probabilities(hyperparameters, members, layout, [ids, present], temperature)
    from_ids = keras.Model(ids, {"probabilities": mean}, name=FROM_IDS)
    text = keras.Input((), dtype="string", name="text")
    words = keras.layers.TextVectorization(
        standardize="lower", split="whitespace", vocabulary=list(vocabulary.words), name=_WORDS
    )
    last = _last(words(text), hyperparameters.timesteps)
    return keras.Model(text, from_ids(last), name="classifier")


def known_words(model: keras.Model) -> list[str]:
    """The words that such a model knows, in the order of their ids, which begin with 2."""
    vocabulary: list[str] = model.get_layer(_WORDS).get_vocabulary(include_special_tokens=False)
    return vocabulary


def _last(ids: Any, timesteps: int) -> Any:
    """The last ids (batch, timesteps) of texts (batch, longest), the padding moved to the front."""
    lengths = keras.ops.sum(keras.ops.cast(keras.ops.not_equal(ids, PADDING_ID), "int64"), axis=1)
    longer = keras.ops.pad(ids, [[0, 0], [timesteps, 0]], constant_values=PADDING_ID)
    steps = keras.ops.expand_dims(lengths, 1) + keras.ops.arange(timesteps, dtype="int64")
    return keras.ops.take_along_axis(longer, steps, axis=1)
