"""What is wrong with a study file, in one line of its own terms."""

import difflib
import json
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from objectives.search_space.ranges import RealRange

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "tuple_type": 'a list, such as [1, 2] or ["a", "b"]',
    "model_type": "a table of keys and values",
    "dict_type": "a table of keys and values",
    "too_short": "at least {min_length} in the list",
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-', the first a letter or a digit",
    "string_too_long": "at most {max_length} characters",
}


def first_error(error: ValidationError, kind: type[BaseModel]) -> str:
    """The most telling of the errors that pydantic found in a study of `kind`."""
    details = error.errors(include_url=False)
    # A misspelt key is unknown, and the one that was meant is missing: the first says more.
    details.sort(key=lambda about: about["type"] != "extra_forbidden")
    first = details[0]["loc"][:2]
    about = max((d for d in details if d["loc"][:2] == first), key=_telling)
    location = _keys(about)
    where = ""
    if location:
        where = f"[{location[0]}]" + (f" {'.'.join(location[1:])}" if location[1:] else "") + ": "
    if about["type"] == "extra_forbidden":
        return f"{where}unknown key{_alternatives(location, kind)}"
    if about["type"] == "missing":
        return f"{where}this key is missing; it must be given"
    message = _message(about)
    received = "" if "eceived" in message or not location else f". Received: {_shown(about)}"
    return f"{where}{message}{received}"


def _message(about: ErrorDetails) -> str:
    expected = _EXPECTED.get(about["type"])
    if expected is None:
        return about["msg"].removeprefix("Value error, ")
    several = ", or a list or range of such" if _whole_entry_of_space(about) else ""
    return f"expected {expected.format(**about.get('ctx', {}))}{several}"


def _whole_entry_of_space(about: ErrorDetails) -> bool:
    """Whether it is about an entry of [space] that could be a range, rather than a part of one."""
    section, last = about["loc"][0], about["loc"][-1]
    part = isinstance(last, int) or last in RealRange.model_fields
    return section == "space" and about["type"] in ("int_type", "float_type") and not part


def _telling(about: ErrorDetails) -> tuple[bool, bool, int]:
    """Prefer, among the branches of a union, the one that the user's value was meant for."""
    value, kind = about["input"], about["type"]
    in_list = any(isinstance(part, int) for part in about["loc"][-1:])
    meant = in_list or not (
        (kind in ("model_type", "tuple_type", "dict_type", "string_type"))
        or (kind.startswith(("int", "float", "bool", "literal")) and isinstance(value, dict | list))
        or (kind == "literal_error" and isinstance(value, int | float))
    )
    return meant, kind == "extra_forbidden", len(about["loc"])


def _keys(about: ErrorDetails) -> list[str]:
    """The user's part of pydantic's location: section and key, and a range's own key below it."""
    parts = [str(part) for part in about["loc"]]
    if len(parts) > 2 and about["type"] in ("extra_forbidden", "missing"):
        return [*parts[:2], parts[-1]]
    return parts[:2]


def _alternatives(location: list[str], kind: type[BaseModel]) -> str:
    model: Any = kind
    if len(location) > 1:
        model = getattr(kind.model_fields.get(location[0]), "annotation", kind)
    known = sorted(RealRange.model_fields if len(location) > 2 else model.model_fields)
    close = difflib.get_close_matches(location[-1], known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (allowed: {', '.join(known)})"


def _shown(about: ErrorDetails) -> str:
    try:
        return json.dumps(about["input"])
    except TypeError:
        return repr(about["input"])
