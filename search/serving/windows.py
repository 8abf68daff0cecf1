"""From the JSON of a request to windows that the model may be fed."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from search.serving.errors import RequestError

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
    """Turn nested lists of numbers into an array.

    Raises:
        RequestError: a list of another length among its neighbours, or something that is no number;
            the message says where.
    """
    try:
        found = np.asarray(data)
    except (ValueError, RecursionError):
        raise RequestError(f"{where}: lists side by side differ in length or depth") from None
    if found.dtype.kind not in "fiu":
        raise RequestError(_what_is_no_number(data, where))
    return found.astype(np.float64, copy=False)


def shown(value: Any) -> str:
    """A received value, as short as a message can bear."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with the keys {shown(', '.join(value))}"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _what_is_no_number(data: Any, where: str) -> str:
    for place, value in _leaves(data):
        if isinstance(value, bool) or not isinstance(value, int | float):
            path = "".join(f"[{index}]" for index in place)
            return f"{where}{path}: expected a number. Received: {shown(value)}"
    return f"{where}: expected numbers that fit 64 bits in lists of one length and depth"


def _leaves(data: Any) -> Iterator[tuple[Sequence[int], Any]]:
    """What is in nested lists, with its place; without recursion, since a request may nest deeply."""
    waiting: list[tuple[tuple[int, ...], Any]] = [((), data)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, list):
            numbered = [((*place, index), item) for index, item in enumerate(value)]
            waiting.extend(reversed(numbered))
        else:
            yield place, value
