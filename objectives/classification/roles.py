"""The columns of a table that are no measurements, and what they say of sequences."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.classification.labels import label_text, plain_text
from objectives.classification.settings import SequenceSettings
from objectives.data.reading import listed
from objectives.errors import InputError

# Each sequence may be a group, and so may equal texts, or what single rows have at one time.
_SHARED = {("id", "group"), ("text", "group"), ("time", "group")}


@dataclass(frozen=True)
class Roles:
    """The columns that are no measurements, None where there is none."""

    label: str
    text: str | None
    id: str | None
    time: str | None
    group: str | None
    split: str | None

    def names(self) -> set[str]:
        """Those there are, of the columns that a table of steps has."""
        columns = (self.label, self.id, self.time, self.group, self.split)
        return {name for name in columns if name is not None}


def roles_of(frame: pd.DataFrame, settings: SequenceSettings, source: str) -> Roles:
    """Find the columns that the settings name, and those that have the usual names.

    Raises:
        InputError: a column that is named is not there, or is named for two purposes.
    """
    columns = list(frame.columns)

    def found(name: str | None, usual: str) -> str | None:
        return usual if name is None and usual in columns else name

    steps = settings.text is None  # a row is a step, not a text
    roles = Roles(
        label=settings.label,
        text=settings.text,
        id=settings.id if steps and settings.timesteps is None else None,
        time=found(settings.time, "time") if steps else None,
        group=found(settings.group, "group"),
        split=None if settings.test_path is not None else found(settings.split, "split"),
    )
    taken: dict[str, str] = {}
    for role in ("text", "label", "id", "time", "group", "split"):
        name = getattr(roles, role)
        if name is None:
            continue
        if name not in columns:
            hint = ", or give timesteps to cut one labelled stream" if role == "id" else ""
            raise InputError(
                f"{source}: no column {name!r}: name the {role} column in [data] {role}{hint}; the "
                f"columns are {listed(columns)}"
            )
        other = taken.setdefault(name, role)
        if other != role and (other, role) not in _SHARED:
            raise InputError(
                f"{source}: column {name!r} is both the {other} and the {role}: name another one in "
                f"[data] {other} or {role}, or rename it"
            )
    return roles


def check_inputs(features: Iterable[str], roles: Roles, source: str) -> None:
    """Check the inputs that are asked for.

    Raises:
        InputError: one of them is a column with a role, such as the label that is to be found out.
    """
    for role, name in vars(roles).items():
        if name in features:
            raise InputError(
                f"{source}: column {name!r} (asked for in features) is the {role}, not an input: "
                f"leave it out of features, or name another column in [data] {role}"
            )


def labels_of(column: "pd.Series[Any]", rows: NDArray[np.int64], source: str) -> list[str]:
    """The labels in some rows as texts; InputError where one is missing."""
    picked = column.iloc[rows].tolist()
    return [
        label_text(value, f"{source}: column {column.name!r}, row {row}")
        for row, value in zip(rows, picked, strict=True)
    ]


def groups_of(column: "pd.Series[Any]", rows: NDArray[np.int64], source: str) -> list[str]:
    """The groups in some rows as texts; InputError where one is missing."""
    missing = column.isna().to_numpy(np.bool_)
    if missing.any():
        raise InputError(
            f"{source}: column {column.name!r}, row {missing.argmax()}: no value: give every row one"
        )
    picked = column.iloc[rows]
    if picked.dtype.kind == "M":
        picked = picked.astype(str)  # days without hours, as a CSV file has them
    return [plain_text(value) for value in picked.tolist()]


def is_test(column: "pd.Series[Any]", rows: NDArray[np.int64], source: str) -> NDArray[np.bool_]:
    """Which of some rows are test ones; InputError where one is neither that nor a train one."""
    texts = column.astype(str).str.strip().str.lower()
    unknown = ~texts.isin(["train", "test"]).to_numpy(np.bool_)
    if unknown.any():
        row = int(unknown.argmax())
        raise InputError(
            f"{source}: column {column.name!r}, row {row}: expected train or test, received "
            f"{column.iloc[row]!r}"
        )
    return (texts.iloc[rows] == "test").to_numpy(np.bool_)
