"""`lstm-search check`: validate a study file and its data, and show what would be searched."""

import shlex
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from objectives.search_space.space import described
from search.classification.preparation import SequencePreparation
from search.commands.terminal import make_table, open_console, turned_where_wide
from search.preparation import Preparation
from search.proposal.study_template import step_in_words
from search.study import AnyStudy, Study, load_study
from search.tasks import prepare_study
from search.workers.samplers import check_sampler


def execute(path: Path, data: Path | None) -> int:
    """Print shapes, splits with their dates, windows and the size of the space."""
    study = load_study(path, {"data": {"path": str(data)}} if data else None)
    check_sampler(study.study.sampler)
    study, preparation = prepare_study(study)
    console = open_console()
    if isinstance(preparation, SequencePreparation):
        console.print(_sequences_table(preparation))
        console.print(_folds_table(preparation, console))
    elif isinstance(study, Study):
        console.print(_data_table(study, preparation))
        console.print(_split_table(preparation))
    console.print(_space_table(study))
    size = study.space.size()
    points = "unlimited (a range is continuous)" if size is None else f"{size:,}"
    console.print(f"different points: {points}; trials asked for: {study.trials}")
    console.print(f"{path} and its data are fine.", style="green", end=" ")
    console.print(f"Next: lstm-search run {shlex.quote(str(path))}", soft_wrap=True)
    return 0


def _data_table(study: Study, preparation: Preparation) -> Table:
    dataset = preparation.dataset
    table = make_table("data", "")
    rows, columns = dataset.values.shape
    step = "no timestamps" if dataset.times is None else step_in_words(dataset)
    longest = study.space.largest_timesteps
    table.add_row("source", dataset.source)
    table.add_row("rows × columns", f"{rows} × {columns}")
    table.add_row("step", step)
    table.add_row("season", f"{preparation.season} rows")
    table.add_row("inputs", ", ".join(dataset.columns))
    table.add_row("targets", ", ".join(dataset.targets))
    table.add_row("filled cells", str(sum(dataset.filled.values())))
    table.add_row("largest window", f"({longest}, {columns})")
    table.add_row("forecast", f"({study.data.horizon}, {len(dataset.targets)})")
    return table


def _split_table(preparation: Preparation) -> Table:
    table = make_table("part", "targets", "rows", "windows")
    for part in preparation.split.parts:
        rows = str(part.end - part.first)
        table.add_row(part.name, preparation.dates(part), rows, str(len(part.origins)))
    return table


def _sequences_table(preparation: SequencePreparation) -> Table:
    sequences = preparation.sequences
    table = make_table("data", "")
    groups = sequences.groups
    table.add_row("source", sequences.source)
    kind = "texts" if sequences.words else "sequences"
    table.add_row(kind, f"{len(sequences.labels)} of {sequences.reach}")
    table.add_row("inputs", ", ".join(sequences.features))
    table.add_row("groups", "none" if groups is None else str(groups.max() + 1))
    table.add_row("filled cells", str(sequences.filled))
    return table


def _folds_table(preparation: SequencePreparation, console: Console) -> Table:
    """Count the sequences of each class in each part."""
    sequences, split = preparation.sequences, preparation.split
    parts = [("test", split.test)]
    for number, fold in reversed(list(enumerate(split.folds, start=1))):
        parts += [(f"validation {number}", fold.validation), (f"train {number}", fold.train)]
    rows = []
    for name, numbers in reversed(parts):
        counts = np.bincount(sequences.labels[numbers], minlength=len(sequences.classes))
        rows.append([name, str(len(numbers)), *map(str, counts)])
    return turned_where_wide(["part", "sequences", *sequences.classes], rows, console)


def _space_table(study: AnyStudy) -> Table:
    table = make_table("hyperparameter", "searched")
    for name, distribution in study.space.distributions().items():
        table.add_row(name, described(distribution))
    fixed = ", ".join(f"{name} = {value}" for name, value in study.space.fixed().items())
    table.add_row("fixed", fixed)
    return table
