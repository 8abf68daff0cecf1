"""The text of a study file for a table that nobody has described yet.

Beside the comments of `toml_text`, `#    key = value` belongs to another way of saying what the lines
above it say, and would replace them.
"""

from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from objectives.data.dataset import Dataset
from objectives.search_space.pruning import PrunerName
from objectives.search_space.ranges import RealRange, WholeRange
from objectives.search_space.space import SearchSpace
from objectives.settings import FinalSettings, Period, TrainingSettings
from search.proposal.survey import CATEGORIES, Survey
from search.proposal.toml_text import prose, setting, toml_value, unused
from search.sections import ConfirmSettings, OutputSettings, SamplerName, StudySettings

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_CALENDARS = {
    **dict.fromkeys(("YS", "YE", "BYS", "BYE"), "year"),
    **dict.fromkeys(("QS", "QE", "BQS", "BQE"), "quarter"),
    **dict.fromkeys(("MS", "ME", "BMS", "BME"), "month"),
    **{"B": "business day", "D": "day"},
}
_HEADER = (
    "A study file for lstm-search. A line such as #stride = 1 is a setting at its default, or with "
    "a value that it can have: take the # away to use it. Other comments explain."
)
_SPACE = {
    "timesteps": "rows of the window that a forecast sees",
    "units": "width of each LSTM layer",
    "depth": "number of LSTM layers",
    "dropout": "share of units dropped between layers and before the head",
    "batch_size": "windows in an update",
    "learning_rate": "of the first epoch",
}
_MORE_SPACE: dict[str, tuple[Any, str]] = {
    "recurrent_dropout": (RealRange(low=0.0, high=0.4, step=0.1), "dropout on the state; slow"),
    "l2": ((0.0, 1e-5, 1e-4), "penalty on the LSTM's kernels"),
    "optimizer": (("adam", "adamw"), 'or "rmsprop", "sgd"; else [training] optimizer'),
    "activation": (("tanh", "relu"), "relu is slow"),
    "bidirectional": ((False, True), "read the window backwards too"),
    "output": (("change", "level"), "forecast the change from the last value, or the value"),
    "skip": (("linear", "none"), "add a linear path from the window to the forecast, or not"),
    "scaling": (("standard", "min-max"), 'or "none"; fitted on training rows only'),
    "window_normalization": (("none", "standard"), "divide each window by its own deviations"),
    "units_per_layer": (True, "draw a width for each layer"),
}
_STUDY: dict[str, tuple[Any, str]] = {
    "storage": ("sqlite:///runs/studies.db", "database URL; else $LSTM_SEARCH_STORAGE"),
    "sampler": (None, "or " + ", ".join(f'"{name}"' for name in get_args(SamplerName)[1:])),
    "pruner": (None, "or " + ", ".join(f'"{name}"' for name in get_args(PrunerName)[1:])),
    "trials": (None, "in all, those of earlier runs included"),
    "timeout": (3600.0, "seconds after which no trial begins; without a limit by default"),
    "until": (0.01, "no trial begins once validation is as good as this"),
    "no_improvement": (30, "no trial begins after so many complete ones without a better one"),
    "workers": (2, "trials at once; one per core by default"),
    "threads": (None, "of each trial; more trials at once beat more threads"),
    "share_gpu": (True, "let several workers compute on one GPU"),
    "backend": (None, 'processes of this machine; or "dask", "ray": a cluster'),
    "scheduler": ("tcp://host:8786", "address of the cluster"),
    "grace_period": (None, "seconds without a sign of life after which a trial is tried again"),
    "checkpoint_seconds": (None, "a longer trial can go on from its last checkpoint"),
    "seed": (None, "decides every random number"),
}
_TRAINING = {
    "epochs": "at most",
    "patience": "epochs without a better validation metric before a trial stops",
    "loss": 'what training minimises; or "mae", "huber", "quantile"',
    "quantiles": 'of the forecast, with loss = "quantile"',
    "magnitude_noise": "0.3: changes in training windows times random factors around 1",
    "metric": 'what trials are judged by; or "mae", "rmse"',
    "optimizer": 'or "adamw", "rmsprop", "sgd"',
    "clip_norm": "bound of the gradient's norm",
    "weight_average": "decay of a running mean of the weights, which is what forecasts",
    "schedule": 'of the learning rate; or "constant", "cosine", "exponential"',
    "schedule_factor": '"plateau" multiplies the rate by this',
    "schedule_patience": "after so many epochs without a better metric",
}
_CONFIRM = {
    "candidates": "so many of the best trials are trained again after the search; 0 for none",
    "seeds": "with so many fresh seeds each; the mean decides",
}
_FINAL = {
    "members": "networks whose mean forecasts: the winner, then in turn the other candidates",
    "updates": 'as many as the winner made; or "same-epochs": as many passes',
}


@dataclass(frozen=True)
class Plan:
    """What is proposed for a table.

    `name` is the study's, None where it can be that of its file. `path` leads from the file's folder
    to the table, `horizon` and `season` count rows, `parts` are the rows of train, validation
    and test, and `dates` the first timestamps of validation and test and the first after the end.
    `chosen` says whether the targets were, by the user.
    """

    name: str | None
    path: str
    horizon: int
    season: int
    timesteps: WholeRange
    parts: tuple[int, int, int]
    dates: tuple[str, str, str] | None
    chosen: bool


def study_text(seen: Survey, plan: Plan) -> str:
    """Write the study file, a paragraph a section."""
    sections = {
        "data": _data(seen, plan),
        "split": _split(seen, plan),
        "space": _space(plan),
        "study": _study(plan),
        "training": _training(),
        "final": [unused(key, value, _FINAL[key]) for key, value in FinalSettings()],
        "confirm": [unused(key, value, _CONFIRM[key]) for key, value in ConfirmSettings()],
        "output": [
            unused("directory", OutputSettings().directory, "a folder for each study in it"),
            unused("artifacts", "runs/artifacts", "the trials' weights; or s3://bucket/prefix"),
            unused(
                "formats", OutputSettings().formats, 'of the bundle; also "saved_model", "litert"'
            ),
        ],
        "tracking": [
            unused("tensorboard", True, "each trial as a run in TensorBoard"),
            unused("mlflow", "sqlite:///mlflow.db", "and in MLflow; or a server's address"),
        ],
    }
    lines = prose(_HEADER)
    for name, body in sections.items():
        lines += ["", f"[{name}]", *body]
    return "\n".join(lines) + "\n"


def _data(seen: Survey, plan: Plan) -> list[str]:
    targets = seen.dataset.targets
    lines = [setting("path", plan.path, "as seen from this file"), *_time(seen)]
    lines += prose(f"{targets_in_words(targets, plan.chosen)}; name others, one or several.")
    lines += [setting("targets", targets)]
    lines += prose("The columns that a forecast sees; targets always are among them.")
    if seen.left_out:
        lines += prose(f"{left_out_in_words(seen)}.")
    lines += [setting("features", seen.features)]
    texts = tuple(name for name, why in seen.left_out.items() if why == CATEGORIES)
    lines += [unused("categorical", texts, "columns of text or codes: an input for each category")]
    lines += [
        unused("calendar", _calendar(seen), 'or "week", "year": inputs that tell the time in it')
    ]
    begin = setting if seen.first_row else unused
    lines += [begin("first_row", seen.first_row, "rows of the table before it are left out")]
    lines += [setting("horizon", plan.horizon, f"rows to forecast{_lasting(seen, plan.horizon)}")]
    lines += [unused("stride", 1, "rows from one window to the next")]
    lines += [*_fill(seen)]
    found = f"rows{_lasting(seen, plan.season)}; found in the training rows, as it is by default"
    none = "no period was found in the training rows: the last value is repeated"
    lines += prose("The period of the seasonal naive forecast, which the winner must beat.")
    return [*lines, unused("season", plan.season, found if plan.season > 1 else none)]


def _time(seen: Survey) -> list[str]:
    times = seen.dataset.times
    if times is None:
        near = f" Nearly: {seen.almost_time}." if seen.almost_time else ""
        text = "No column holds timestamps in order: rows are taken to be equally far apart."
        return prose(text + near)
    zone = "" if times.tz is None else ", in UTC"
    lines = prose(
        f"{step_in_words(seen.dataset)} from row to row, {times[0]} to {times[-1]}{zone}."
    )
    if seen.time is None:
        return [*lines, *prose("The timestamps are the table's index, which has no name.")]
    return [*lines, setting("time", seen.time)]


def _fill(seen: Survey) -> list[str]:
    lines = prose(missing_in_words(seen) + ".")
    if seen.fill == "none":
        return [*lines, unused("fill", "none", 'or "forward", "interpolate" or a number')]
    if seen.fill == "forward":
        text = (
            "forward repeats the last value; interpolate draws a line, whose points know the value "
            "after the gap, so that forecasts within a gap look better than they are."
        )
        return [*lines, *prose(text), setting("fill", seen.fill, 'or "interpolate" or a number')]
    text = (
        "Each of the first rows has such a cell, so that there is no earlier value to repeat and a "
        "number stands in for every missing cell. Better: leave columns out, or rows by first_row, "
        "and write forward."
    )
    return [*lines, *prose(text), setting("fill", seen.fill)]


def _split(seen: Survey, plan: Plan) -> list[str]:
    names = ("train", "validation", "test")
    shares = [f"{name} = {share}" for name, share in zip(names, (0.7, 0.15, 0.15), strict=True)]
    rows = [f"{name} = {count}" for name, count in zip(names, plan.parts, strict=True)]
    counts = ", ".join(
        f"{name} {count} rows" for name, count in zip(names, plan.parts, strict=True)
    )
    lines = prose(f"In order of time: {counts}. The test rows are looked at once, at the end.")
    if plan.dates is None:
        lines += shares
    else:
        first, second, end = plan.dates
        lines += [
            setting("validation_from", first, "the first timestamp after training"),
            setting("test_from", second),
            unused("test_until", end, "the first timestamp after the test; the end by default"),
        ]
        lines += prose("Or by shares of the rows, instead of dates:")
        lines += [f"#    {share}" for share in shares]
    lines += prose("Or by numbers of rows, instead:")
    lines += [f"#    {count}" for count in rows]
    window = 'rows before each block that train; or "sliding": as many for each'
    return [
        *lines,
        unused("gap", 0, "rows left out between the parts"),
        unused("folds", 1, "validation blocks, each as long; a trial is worth its mean over them"),
        unused("window", "expanding", window),
    ]


def _space(plan: Plan) -> list[str]:
    lines = prose(
        "What trials vary: a range, a list of choices, or one value for all. A range takes a step, "
        "or log = true."
    )
    entries = SearchSpace(timesteps=plan.timesteps)
    lines += [setting(key, getattr(entries, key), comment) for key, comment in _SPACE.items()]
    lines += prose("Fixed by default, and varied as here once the # is gone:")
    return lines + [unused(key, value, comment) for key, (value, comment) in _MORE_SPACE.items()]


def _study(plan: Plan) -> list[str]:
    lines = [unused("name", "another-name", "in the database; that of this file by default")]
    if plan.name is not None:
        lines = [setting("name", plan.name, "in the database")]
    defaults = StudySettings()
    for key, (value, comment) in _STUDY.items():
        lines.append(unused(key, getattr(defaults, key) if value is None else value, comment))
    point = {"timesteps": plan.timesteps.low, "learning_rate": 0.001}
    return [*lines, unused("enqueue", (point,), "points to try first")]


def _training() -> list[str]:
    # every key that there is, so that a new one is shown before anyone describes it
    shown = ((key, value) for key, value in TrainingSettings() if value is not None)
    return [unused(key, value, _TRAINING.get(key, "")) for key, value in shown]


def _calendar(seen: Survey) -> tuple[Period, ...]:
    """The shortest period that the rows are short enough to tell phases of, none without timestamps."""
    if seen.dataset.times is None:
        return ()
    step = seen.dataset.step
    if step is not None and step < pd.Timedelta(days=1):
        return ("day",)
    return ("week",) if step == pd.Timedelta(days=1) else ("year",)


def targets_in_words(targets: tuple[str, ...], chosen: bool) -> str:
    """Name the targets, and say so where nobody chose them."""
    names = "To be forecast: " + ", ".join(toml_value(name) for name in targets)
    return names if chosen else f"{names}, since it is the last column of numbers that vary"


def left_out_in_words(seen: Survey) -> str:
    """Name the columns that are no inputs, and why."""
    reasons = (f"{toml_value(name)} ({why})" for name, why in seen.left_out.items())
    return f"Left out: {', '.join(reasons)}"


def step_in_words(dataset: Dataset) -> str:
    """Say how far apart the rows are: "1 hour"."""
    step, frequency = dataset.step, dataset.frequency
    if step is not None:
        return duration_in_words(step)
    calendar = _CALENDARS.get((frequency or "").split("-")[0])
    return f"1 {calendar}" if calendar else str(frequency)


def duration_in_words(duration: pd.Timedelta) -> str:
    """Write a duration in the largest unit that divides it."""
    for unit, seconds in _UNITS:
        count, rest = divmod(duration, pd.Timedelta(seconds=seconds))
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return str(duration)


def _lasting(seen: Survey, rows: int) -> str:
    step = seen.dataset.step
    return "" if step is None else f" ({duration_in_words(step * rows)})"


def missing_in_words(seen: Survey) -> str:
    """Say how many timestamps and cells are missing, and where the first of them are."""
    parts = []
    if seen.gaps:
        parts.append(f"Missing timestamps: {seen.gaps}, the first {seen.first_gap}")
    if seen.holes:
        cells = (
            f"{toml_value(k)} {hole.count} (first: {hole.first})" for k, hole in seen.holes.items()
        )
        parts.append(f"Missing or infinite cells: {', '.join(cells)}")
    return ". ".join(parts) or "No timestamp and no cell is missing"
