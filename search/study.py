"""The study file: everything a user decides, validated in one place."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from objectives.classification.settings import (
    SequenceFinal,
    SequenceSettings,
    SequenceSplitSettings,
    SequenceTraining,
)
from objectives.classification.space import SequenceSpace, TextSpace
from objectives.errors import InputError
from objectives.search_space.space import SearchSpace, Space, check_point
from objectives.settings import (
    CommonTraining,
    DataSettings,
    FinalSettings,
    Section,
    SplitSettings,
    TrainingSettings,
)
from search.sections import ConfirmSettings, OutputSettings, StudySettings, TrackingSettings
from search.study_errors import first_error
from storage.artifacts import absolute_location

STORAGE_VARIABLE = "LSTM_SEARCH_STORAGE"
ONE_FOLD = "[study] pruner hyperband cannot tell folds apart: choose another, or [split] folds = 1"
_NAMES = ("name", "storage")  # these and the next three may change while a study goes on
_BUDGETS = ("trials", "timeout", "until", "no_improvement", "enqueue")
_WORKERS = ("workers", "threads", "share_gpu", "backend", "scheduler")
_PATIENCE = ("grace_period", "checkpoint_seconds")
_DATA_SUFFIXES = (".csv", ".parquet", ".ts", ".npz")
_ARTIFACTS = "artifacts"  # the folder for artifacts beside those of the studies


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

    @model_validator(mode="after")
    def _judged_as_it_ends(self) -> "ClassificationStudy":
        if self.training.metric == "calibrated_log_loss" and self.final.calibration == "none":
            raise ValueError(
                "[final] calibration none leaves probabilities as networks give them: judge trials so "
                'too, by [training] metric = "log_loss"'
            )
        return self


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
