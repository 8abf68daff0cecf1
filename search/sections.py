"""Sections of the study file that are the same whatever is learnt: search, confirmation, places."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from objectives.export.messages import Format
from objectives.search_space.pruning import PrunerName
from objectives.settings import Integer, Number, Section

BackendName = Literal["local", "dask", "ray"]
SamplerName = Literal["tpe", "random", "grid", "gp", "cmaes", "qmc"]
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # it names a folder too


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
