"""The study file: everything a user decides, validated in one place."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, ValidationError, model_validator

from objectives.classification.settings import (
    SequenceFinal,
    SequenceSettings,
    SequenceSplitSettings,
    SequenceTraining,
)
from objectives.classification.space import SequenceSpace, TextSpace
from objectives.errors import InputError
from objectives.export.messages import Format
from objectives.pruning import PrunerName
from objectives.settings import (
    CommonTraining,
    DataSettings,
    FinalSettings,
    Integer,
    Number,
    Section,
    SplitSettings,
    TrainingSettings,
)
from objectives.space import SearchSpace, Space, check_point
from search.study_errors import first_error
from storage.artifacts import absolute_location

BackendName = Literal["local", "dask", "ray"]
SamplerName = Literal["tpe", "random", "grid", "gp", "cmaes", "qmc"]
STORAGE_VARIABLE = "LSTM_SEARCH_STORAGE"
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # it names a folder too
ONE_FOLD = "[study] pruner hyperband cannot tell folds apart: choose another, or [split] folds = 1"
_NAMES = ("name", "storage")  # these and the next three may change while a study goes on
_BUDGETS = ("trials", "timeout", "until", "no_improvement", "enqueue")
_WORKERS = ("workers", "threads", "share_gpu", "backend", "scheduler")
_PATIENCE = ("grace_period", "checkpoint_seconds")
_DATA_SUFFIXES = (".csv", ".parquet", ".ts", ".npz")
_ARTIFACTS = "artifacts"  # the folder for artifacts beside those of the studies


class StudySettings(Section):
    """How the search goes.

    `name` identifies the study in its database, which `storage` names as a URL (None: the environment
    variable LSTM_SEARCH_STORAGE, else a SQLite file in the output directory). `trials` is the total
    the study shall reach; after `timeout` seconds of search no trial is begun (nor, after as many of
    confirmation, one of its runs), nor once a trial's value is `until` or better, nor once
    `no_improvement` complete trials in a row were no better than the best before. `workers` trials run
    at once (None: one per core, or one per GPU), each with `threads` threads; `share_gpu` lets several
    of them compute on one GPU. They are processes of this machine, or run on a cluster: `backend` "dask"
    or "ray", whose address is `scheduler`. `seed` decides every random number. `enqueue` lists points
    to try first. A trial whose worker gives no sign of life for `grace_period` seconds is lost and tried
    again, from its last checkpoint if there is one: a trial writes one every `checkpoint_seconds`, so
    that a shorter one writes none.
    """

    name: Annotated[str, Field(pattern=STUDY_NAME, max_length=100)] = "study"
    storage: Annotated[str | None, Field(repr=False)] = None
    sampler: SamplerName = "tpe"
    pruner: PrunerName = "median"
    trials: Annotated[Integer, Field(ge=1)] = 30
    timeout: Annotated[Number, Field(gt=0)] | None = None
    until: Number | None = None
    no_improvement: Annotated[Integer, Field(ge=1)] | None = None
    workers: Annotated[Integer, Field(ge=1)] | None = None
    threads: Annotated[Integer, Field(ge=1)] = 1
    share_gpu: StrictBool = False
    backend: BackendName = "local"
    scheduler: str | None = None
    seed: Annotated[Integer, Field(ge=0)] = 0
    enqueue: tuple[dict[str, Any], ...] = ()
    grace_period: Annotated[Integer, Field(ge=5)] = 300
    checkpoint_seconds: Annotated[Number, Field(gt=0)] = 60.0


class ConfirmSettings(Section):
    """How the winner is confirmed after the search.

    The best `candidates` trials, less those that nearly repeat a better one, are trained again with
    `seeds` fresh seeds each, and the mean decides. Fewer than two candidates, or no seeds, turn it off.
    """

    candidates: Annotated[Integer, Field(ge=0)] = 3
    seeds: Annotated[Integer, Field(ge=0)] = 3

    @property
    def off(self) -> bool:
        """Whether nothing is to be confirmed."""
        return self.candidates < 2 or self.seeds == 0


class OutputSettings(Section):
    """Where files go: `directory` holds one folder for each study, and the SQLite database.

    `artifacts` is where the trials' weights are kept: a folder, or s3://bucket/prefix; None for the
    folder "artifacts" in `directory`. Machines that work for one study share it where they can.
    `formats` are those of the winner's bundle, which has ONNX always; with none there is no bundle.
    """

    directory: str = "runs"
    artifacts: str | None = None
    formats: tuple[Format, ...] = ("onnx", "keras")


class TrackingSettings(Section):
    """Where else trials are shown as runs with their parameters, curves and final model.

    `tensorboard` writes event files into the folder "tensorboard" of the study's; `mlflow` is the URI of
    a tracking server, or of a database such as sqlite:///mlflow.db (None for neither). It may hold a
    password, and is not stored.
    """

    tensorboard: StrictBool = False
    mlflow: Annotated[str | None, Field(repr=False)] = None


class CommonStudy(Section):
    """What studies of all tasks share; the sections are explained in their own classes."""

    data: Section
    split: SplitSettings | SequenceSplitSettings
    space: Space[Any]
    training: CommonTraining
    study: StudySettings = StudySettings()
    final: FinalSettings = FinalSettings()
    confirm: ConfirmSettings = ConfirmSettings()
    output: OutputSettings = OutputSettings()
    tracking: TrackingSettings = TrackingSettings()

    @model_validator(mode="after")
    def _enqueued_points_fit(self) -> "CommonStudy":
        for point in self.study.enqueue:
            check_point(point, self.space)
        if len(self.study.enqueue) > self.study.trials:
            raise ValueError(
                f"[study] enqueue lists {len(self.study.enqueue)} points, but trials is "
                f"{self.study.trials}: raise trials or list fewer"
            )
        if self.study.pruner == "hyperband" and (self.split.folds or 1) > 1:
            raise ValueError(ONE_FOLD)
        if self.study.sampler == "grid" and self.space.size() is None:
            raise ValueError(
                "[study] sampler grid needs a finite space: give a step, or a list of values, to "
                f"{', '.join(self.space.continuous())} in [space]"
            )
        return self

    @model_validator(mode="after")
    def _folder_is_its_own(self) -> "CommonStudy":
        if self.study.name.lower() == _ARTIFACTS:
            raise ValueError(
                f"[study] name: {self.study.name!r} is the folder of all studies' artifacts; "
                "choose another name"
            )
        return self

    @property
    def directory(self) -> Path:
        """The folder of this study's files."""
        return Path(self.output.directory) / self.study.name

    @property
    def artifacts(self) -> str:
        """Where the trials' artifacts are kept: an absolute folder, or s3://bucket/prefix.

        Raises:
            storage.errors.StorageError: [output] artifacts is neither a folder nor a bucket.
        """
        default = Path(self.output.directory) / _ARTIFACTS
        return absolute_location(self.output.artifacts or str(default))

    @property
    def storage_url(self) -> str:
        """The database to use, as given, from the environment, or a SQLite file beside the studies."""
        given = self.study.storage or os.environ.get(STORAGE_VARIABLE)
        return given or f"sqlite:///{Path(self.output.directory) / 'studies.db'}"

    @property
    def trials(self) -> int:
        """The total number of trials: what was asked for, or all a grid has."""
        size = self.space.size() if self.study.sampler == "grid" else None
        return self.study.trials if size is None else min(size, self.study.trials)

    def identity(self) -> dict[str, Any]:
        """What two runs must share to be one study: all but names, places and budgets."""
        sections = self.model_dump(mode="json")
        del sections["output"], sections["confirm"], sections["tracking"]
        del sections["data"]["path"]
        sections["data"].pop("test_path", None)
        for key in (*_NAMES, *_BUDGETS, *_WORKERS, *_PATIENCE):
            del sections["study"][key]
        return sections


class Study(CommonStudy):
    """A study of forecasts: a whole study file."""

    data: DataSettings
    split: SplitSettings = SplitSettings()
    space: SearchSpace = SearchSpace()
    training: TrainingSettings = TrainingSettings()


class ClassificationStudy(CommonStudy):
    """A study of labelled sequences: a whole study file with [data] task = "classification"."""

    data: SequenceSettings
    split: SequenceSplitSettings = SequenceSplitSettings()
    space: SequenceSpace = SequenceSpace()
    training: SequenceTraining = SequenceTraining()
    final: SequenceFinal = SequenceFinal()


class TextStudy(ClassificationStudy):
    """A study of labelled texts: one of classification with [data] text."""

    space: TextSpace = TextSpace()

    @model_validator(mode="after")
    def _formats_know_texts(self) -> "TextStudy":
        if "litert" in self.output.formats:
            raise ValueError(
                "[output] formats: LiteRT has no operations on texts: leave litert out of the list"
            )
        return self


AnyStudy = Study | ClassificationStudy


def load_study(path: Path, changes: dict[str, dict[str, Any]] | None = None) -> AnyStudy:
    """Read a study file and lay the command line's choices over it.

    Args:
        path: a TOML file. A relative [data] path is taken from its folder. Without a name the study
            is called after the file.
        changes: section → key → value, stronger than the file.

    Raises:
        InputError: no such file, not TOML, or a key or value that cannot be.
    """
    if path.suffix.lower() in _DATA_SUFFIXES and path.exists():
        raise InputError(
            f"{path}: holds data, not a study file (TOML): make one with `lstm-search init {path}`"
        )
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such study file; make one with `lstm-search init`") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a study file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as a study file: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    data = sections.get("data")
    for key in ("path", "test_path"):
        if isinstance(data, dict) and isinstance(data.get(key), str):
            data[key] = str(path.parent / data[key])
    for section, values in (changes or {}).items():
        found = sections.setdefault(section, {})
        if isinstance(found, dict):
            found.update(values)
    named = sections.setdefault("study", {})
    if isinstance(named, dict):
        named.setdefault("name", path.stem)
    return make_study(sections, str(path))


def make_study(sections: dict[str, Any], source: str) -> AnyStudy:
    """Validate sections read from `source`.

    Raises:
        InputError: one line naming the section, the key, what was received and what is allowed.
    """
    data = sections.get("data")
    task = data.get("task", "forecasting") if isinstance(data, dict) else "forecasting"
    if task == "forecasting" and isinstance(data, dict):
        sections = {**sections, "data": {key: data[key] for key in data if key != "task"}}
    kind = study_class(task, source)
    if kind is ClassificationStudy and isinstance(data, dict) and data.get("text") is not None:
        kind = TextStudy
    try:
        return kind.model_validate(sections)
    except ValidationError as error:
        raise InputError(f"{source}: {first_error(error, kind)}") from None


def study_class(task: object, source: str) -> type[AnyStudy]:
    """The class of studies of a task.

    Raises:
        InputError: there is no such task.
    """
    kinds: dict[object, type[AnyStudy]] = {
        "forecasting": Study,
        "classification": ClassificationStudy,
    }
    if not isinstance(task, str) or task not in kinds:
        raise InputError(
            f"{source}: [data] task: expected one of {', '.join(map(repr, kinds))}. Received: {task!r}"
        )
    return kinds[task]


def is_classification(identity: Mapping[str, Any]) -> bool:
    """Whether a stored study, of this identity, is one of classification."""
    return bool(identity["data"].get("task") == "classification")
