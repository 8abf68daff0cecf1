"""What metadata.json says, as plain frozen data, and how it is read and written.

Readers ignore keys that they do not know, so that a key can be added without a new schema; the schema
number rises when the meaning of a key changes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from reports.bundle.calendar import calendar_names
from reports.bundle.errors import BundleError

SCHEMA = 1
METADATA_FILE = "metadata.json"
Task = Literal["forecast", "classification"]
Format = Literal["onnx", "keras", "saved_model", "litert"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of the model.

    A dimension of `shape` is a number, or a name where it is free ("batch", and "timesteps" for
    sequences of any length); the `dtype` is NumPy's, or "string". The input is "window" (batch,
    timesteps, columns), or "text" (batch,). The outputs of a forecast are "forecast" (batch, horizon,
    targets) and, of a model trained on quantiles, also "quantiles" (batch, horizon, targets, quantiles);
    the output of a classification is "probabilities" (batch, classes).
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    units: str


@dataclass(frozen=True)
class Column:
    """An input column, in the order of the input's last axis, and how it was distributed in training.

    `bin_shares` are the shares of the training rows below the first of `bin_edges`, between two of them
    (the upper one included), and above the last: one more than there are edges. `unit` is what the
    column is measured in, None where nobody said.
    """

    name: str
    target: bool
    minimum: float
    maximum: float
    mean: float
    deviation: float
    bin_edges: tuple[float, ...]
    bin_shares: tuple[float, ...]
    unit: str | None = None


@dataclass(frozen=True)
class TimeAxis:
    """How rows follow each other.

    `column` names the column of timestamps (None without one), `step` is the time between two rows as
    an ISO 8601 duration, `frequency` pandas' name of a calendar whose steps vary ("MS" for months), and
    `zone` is "UTC" where timestamps have UTC offsets.
    """

    column: str | None
    step: str | None
    frequency: str | None
    zone: str | None


@dataclass(frozen=True)
class Preprocessing:
    """What the graph does with raw values; for the reader, since nobody needs to repeat it.

    The network sees (value - `center`) / `scale`, one number for each column, and its `output` is the
    "level" to forecast, the "change" from the last row, or "probabilities". Missing cells must be filled
    before, as `fill` says.
    """

    kind: str
    center: tuple[float, ...]
    scale: tuple[float, ...]
    output: str
    fill: str | float


@dataclass(frozen=True)
class SequenceRows:
    """How rows of a table make up the sequences that are classified.

    Rows of one `id` are a sequence, in the order of the time column where there is one. With a `length`
    the rows are one stream instead, of which every window of so many rows is classified, `stride` rows
    apart; where the rows have a column `group`, no window reaches from one group into another. `label`
    is the column of the truth, which fresh rows need not have. With a `text` every row is a sequence by
    itself, of the words in that column.
    """

    id: str
    label: str
    group: str
    length: int | None
    stride: int | None
    text: str | None = None


@dataclass(frozen=True)
class TestScores:
    """Scores on the test set: the model's, and by name those of each naive forecast or baseline.

    Forecasts are scored in the data's units. What cannot be told is None.
    """

    model: Mapping[str, float | None]
    naive: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class Provenance:
    """Where the model comes from.

    `seeds` has the study's and the trial's. `data` says from which rows: the "fingerprint" of them all
    and, where they have timestamps, "fitted_until", that of the last row that the model was fitted on;
    of labelled sequences also "rows_hashes", of all their rows and of those that it was fitted on.
    `model` is the SHA-256 of the Keras file that the study tested, in hexadecimal.
    """

    study: str
    trial: int
    hyperparameters: Mapping[str, Any]
    seeds: Mapping[str, int]
    members: int
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    model: str = ""


@dataclass(frozen=True)
class Artefact:
    """A file (or folder) of the bundle that holds the model.

    `greatest_difference` to the Keras model was found on `windows` windows, in units of the target's
    deviation in training (or of probability).
    """

    file: str
    greatest_difference: float
    windows: int


@dataclass(frozen=True)
class Metadata:
    """Everything that a user of the model must know.

    `version` counts the exports of one study. `quantiles` are the levels of the output "quantiles" and
    `labels` the classes of "probabilities", in order; both are empty where there is no such output.
    `intervals` is what the study measured of its forecasts' errors, None where it did not. `categories`
    are those of each column whose indicators ("wind=NW") are among the `columns`: rows of data have the
    column "wind" instead. The last columns are those of the `calendar`, "day", "week" or "year", which
    are told from the timestamps of the rows.

    A classifier has no targets and the horizon 0. It is fed the last `timesteps` rows of a sequence; in
    front of a shorter one stand rows that have the value `padding` in every column, which the graph
    leaves out of account. Where `padding` is None the model was trained without, and shorter sequences
    cannot be classified. `class_shares` are those of the `labels` among the sequences that the model was
    trained on, and `sequences` says how rows make up sequences. `temperature` divides the networks'
    logits inside the graph, None where these are not calibrated. `linear` has the "share" in the
    probabilities of a logistic regression on all values, which is inside the graph too, and its
    "inverse_penalty"; None where there is none.
    """

    schema: int
    name: str
    version: int
    created: str
    task: Task
    input: Tensor
    outputs: tuple[Tensor, ...]
    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    timesteps: int
    horizon: int
    time: TimeAxis
    preprocessing: Preprocessing
    test: TestScores
    provenance: Provenance
    artefacts: Mapping[str, Artefact]
    quantiles: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    class_shares: tuple[float, ...] = ()
    sequences: SequenceRows | None = None
    temperature: float | None = None
    linear: Mapping[str, float] | None = None
    intervals: Mapping[str, Any] | None = None
    padding: float | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    calendar: tuple[str, ...] = ()

    @property
    def numeric_columns(self) -> tuple[str, ...]:
        """The columns that rows of data have as they are, in the order of the input."""
        made = {f"{name}={label}" for name, labels in self.categories.items() for label in labels}
        made |= {*calendar_names(self.calendar)}
        return tuple(column.name for column in self.columns if column.name not in made)

    @property
    def text_column(self) -> str | None:
        """The column of a table that has the texts; None where the model does not take texts."""
        return None if self.sequences is None else self.sequences.text

    @property
    def difference_unit(self) -> str:
        """What the greatest differences of the artefacts are counted in."""
        return "of probability" if self.task == "classification" else "deviations"

    def output(self, name: str) -> Tensor | None:
        """The output of this name, None where the model has none."""
        return next((tensor for tensor in self.outputs if tensor.name == name), None)

    def as_json(self) -> str:
        """Write as strict JSON."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        return text + "\n"


@cache
def _adapter() -> TypeAdapter[Metadata]:
    return TypeAdapter(Metadata)  # takes tens of milliseconds, which not everybody needs to wait


def read_metadata(text: str | bytes, source: str) -> Metadata:
    """Read metadata.json; `source` is how messages name the bundle.

    Raises:
        BundleError: it is of a newer schema, not JSON, or a key is missing or of a wrong kind.
    """
    try:
        schema = json.loads(text)["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{source}: {METADATA_FILE} is not the metadata of a bundle ({error}): export it again"
        ) from None
    if schema != SCHEMA:
        raise BundleError(
            f"{source}: {METADATA_FILE} has schema {schema!r}, and this version reads {SCHEMA}: "
            "install the lstm-search that wrote it, or export it again"
        )
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{source}: {METADATA_FILE}: {where}: {first['msg']}: export it again"
        ) from None
