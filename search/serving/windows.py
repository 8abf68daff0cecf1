"""From the JSON of a request to windows or texts that the model may be fed."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from reports.bundle import Metadata
from reports.bundle.metadata import Tensor
from search.serving.errors import RequestError

_MOST_NUMBERS = 2**23  # after padding; a body within its limit has about as many without
_MOST_WORDS = 2**20  # as many as the model sees of each text; one takes some hundred bytes
_SHOWN = 80  # characters of what was received that a message repeats


def parse(body: bytes | bytearray) -> dict[str, Any]:
    """Read a body that must be a JSON object.

    Raises:
        RequestError: it is not JSON (which has no NaN), or no object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = " (JSON has no NaN or Infinity)" if b"NaN" in body or b"Infinity" in body else ""
        raise RequestError(f"the body is not JSON: {error}{hint}") from None
    if not isinstance(found, dict):
        raise RequestError(f"the body must be a JSON object. Received: {shown(found)}")
    return found


def as_numbers(data: Any, where: str) -> NDArray[np.float64]:
    """Turn nested lists of numbers into an array; true is 1 and false 0.

    Raises:
        RequestError: a list of another length among its neighbours, or something that is no number;
            the message says where.
    """
    if isinstance(data, np.ndarray):
        return data
    shape: list[int] = []
    level = [data]  # not for NumPy as it is: beside one text it makes every cell as long as that
    try:
        while level and isinstance(level[0], list):
            if set(map(type, level)) != {list} or len(lengths := set(map(len, level))) > 1:
                raise RequestError(_uneven(where))
            shape += lengths
            level = list(chain.from_iterable(level))
        return np.asarray(array("d", level)).reshape(shape)
    except (TypeError, ValueError):  # no number, or more dimensions than NumPy knows
        raise RequestError(_what_is_no_number(level, shape, where)) from None


def taken(about: Metadata) -> Tensor:
    """The input as requests may have it: with fewer time steps too where the model knows padding."""
    if about.padding is None:
        return about.input
    batch, _, columns = about.input.shape
    return replace(about.input, shape=(batch, "timesteps", columns))


def as_inputs(data: Any, where: str, about: Metadata) -> NDArray[Any]:
    """Turn lists into what the model takes, windows or texts; see `as_windows` and `as_text_batch`."""
    if about.text_column is not None:
        return as_text_batch(data, where, about)
    return as_windows(data, where, about)


def as_text_batch(data: Any, where: str, about: Metadata) -> NDArray[np.object_]:
    """Turn a list of strings into texts, (batch,).

    Raises:
        RequestError: it is something else, or there are more of them than memory should be taken for.
    """
    if not isinstance(data, list):
        raise RequestError(f"{where}: expected a list of texts. Received: {shown(data)}")
    for place, text in enumerate(data):
        if not isinstance(text, str):
            raise RequestError(f"{where}[{place}]: expected a text. Received: {shown(text)}")
    if len(data) * about.timesteps > _MOST_WORDS:
        most = _MOST_WORDS // about.timesteps
        raise RequestError(f"{where}: expected at most {most} texts at once. Received: {len(data)}")
    return np.array(data, np.object_)


def as_windows(data: Any, where: str, about: Metadata) -> NDArray[np.float64]:
    """Turn lists of windows into what the model takes, (batch, timesteps, columns).

    Where the model knows padding each of them may have fewer time steps.

    Raises:
        RequestError: as `as_numbers`, or one has more time steps or other columns than the model takes,
            or there are more of them than memory should be taken for.
    """
    if about.padding is None or not isinstance(data, list | np.ndarray):
        return as_numbers(data, where)
    size = (len(data), about.timesteps, len(about.columns))
    if math.prod(size) > _MOST_NUMBERS:
        raise RequestError(f"{where}: too many sequences at once. Received: {len(data)}")
    windows = np.full(size, about.padding)
    for place, each in enumerate(data):
        sequence = _sequence(each, f"{where}[{place}]", about)
        windows[place, about.timesteps - len(sequence) :] = sequence
    return windows


def _sequence(data: Any, where: str, about: Metadata) -> NDArray[np.float64]:
    found, columns = as_numbers(data, where), len(about.columns)
    if found.ndim != 2 or found.shape[1] != columns or not 0 < len(found) <= about.timesteps:
        raise RequestError(
            f"{where}: expected 1 to {about.timesteps} time steps of {columns} columns. "
            f"Received: shape {found.shape}"
        )
    return found


def shown(value: Any) -> str:
    """A received value, as short as a message can bear."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with the keys {shown(', '.join(value))}"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _what_is_no_number(level: Sequence[Any], shape: Sequence[int], where: str) -> str:
    for at, value in enumerate(level):
        if isinstance(value, list):
            break
        if not isinstance(value, int | float):
            path = "".join(f"[{index}]" for index in np.unravel_index(at, tuple(shape)))
            return f"{where}{path}: expected a number. Received: {shown(value)}"
    return _uneven(where)


def _uneven(where: str) -> str:
    return f"{where}: lists side by side differ in length or depth"
