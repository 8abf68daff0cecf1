"""Lines of a TOML file that people read and change.

Two kinds of comment, so that a reader and a test can tell them apart: `# Prose.` explains, and
`#key = value` is a setting that becomes effective without its `#`.
"""

import json
import textwrap
from typing import Any

from objectives.settings import Section

_WIDTH = 100


def setting(key: str, value: Any, comment: str = "") -> str:
    """Write a setting, a long list on several lines."""
    line = f"{key} = {toml_value(value)}"
    if isinstance(value, tuple) and len(line) > _WIDTH:
        line = "\n".join([f"{key} = [", *(f"    {toml_value(item)}," for item in value), "]"])
    return f"{line}  # {comment}" if comment else line


def unused(key: str, value: Any, comment: str) -> str:
    """Write a setting that has no effect yet."""
    return f"#{key} = {toml_value(value)}" + (f"  # {comment}" if comment else "")


def prose(text: str) -> list[str]:
    """Write sentences as lines of comment."""
    # control characters end a comment or are forbidden in one, lone surrogates cannot be written
    harmless = "".join(sign if sign.isprintable() else " " for sign in text)
    lines = textwrap.wrap(harmless, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def toml_value(value: Any) -> str:
    """Write a value as TOML on one line."""
    if isinstance(value, str):
        # JSON's escapes are TOML's, but JSON leaves DEL as it is
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Section):
        return toml_value(value.model_dump(exclude_defaults=True))
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)
