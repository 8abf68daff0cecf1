"""What a study in the database was begun with."""

from collections.abc import Mapping
from typing import Any

from objectives.errors import InputError

NAIVE = "naive_validation"  # attribute: name → validation score of each naive forecast
TARGET_VALUES = "target_values"  # attribute: a hash, equal where scores can be compared


def stored_identity(name: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sections of a study's configuration that all of its runs share.

    Args:
        name: the study's, for the message.
        attributes: its user attributes.

    Raises:
        InputError: the study was not made by lstm-search.
    """
    identity: Mapping[str, Any] | None = attributes.get("identity")
    if identity is None:
        raise InputError(f"study {name!r} was not made by lstm-search; its settings are not known")
    return identity
