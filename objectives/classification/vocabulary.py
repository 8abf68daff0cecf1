"""Words of texts, their numbers in the data, and the ids by which a network knows them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_ID, UNKNOWN_ID = 0, 1  # as `keras.layers.TextVectorization` has them
_FIRST_ID = 2


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words that a network knows, in the order of their ids, which begin with 2.

    `ids` (words of the data,) int32 holds the id of each word of the data, `UNKNOWN_ID` for those that
    are not among `words`.
    """

    words: tuple[str, ...]
    ids: NDArray[np.int32]

    @property
    def size(self) -> int:
        """How many ids there are, with those of padding and of unknown words."""
        return _FIRST_ID + len(self.words)


def words_of(text: str) -> list[str]:
    """The words of a text, as TextVectorization with "lower" and "whitespace" finds them.

    Only letters of ASCII are lowered and only ASCII's whitespace parts words: all that runtimes do
    alike.
    """
    return [word.decode() for word in text.encode().lower().split()]


def numbered(
    texts: Sequence[Sequence[str]],
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The words that occur, sorted, and their numbers (words, 1) in all texts, laid end to end."""
    words = tuple(sorted({word for text in texts for word in text}))
    numbers = {word: number for number, word in enumerate(words)}
    found = [numbers[word] for text in texts for word in text]
    return words, np.array(found, np.float64)[:, None]


def fit_vocabulary(numbers: NDArray[np.float64], words: Sequence[str], most: int) -> Vocabulary:
    """Know the words that are most frequent.

    Args:
        numbers: those of training texts' words, (words,).
        words: what the numbers mean, sorted; of equally frequent words the first are known.
        most: how many are known, at most.
    """
    counts = np.bincount(numbers.astype(np.int64), minlength=len(words))
    known = np.argsort(-counts, kind="stable")[: min(most, np.count_nonzero(counts))]
    ids = np.full(len(words), UNKNOWN_ID, np.int32)
    ids[known] = np.arange(_FIRST_ID, _FIRST_ID + len(known))
    return Vocabulary(tuple(words[number] for number in known), ids)


def joined_texts(
    rows: NDArray[np.float64],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    words: Sequence[str],
) -> list[str]:
    """Texts that have the words of sequences; `rows` (rows, 1) are numbers of `words`."""
    return [
        " ".join(words[int(number)] for number in rows[end - length : end, 0])
        for end, length in zip(ends, lengths, strict=True)
    ]
