"""`lstm-search check`: validate a study file and its data, and show what would be searched."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from search.preparation import Preparation, prepare
from search.samplers import check_sampler
from search.study import Study, load_study


def execute(path: Path, data: Path | None) -> int:
    """Print shapes, splits with their dates, windows and the size of the space."""
    study = load_study(path, {"data": {"path": str(data)}} if data else None)
    check_sampler(study.study.sampler)
    preparation = prepare(study)
    console = Console()
    console.print(_data_table(study, preparation))
    console.print(_split_table(preparation))
    console.print(_space_table(study))
    size = study.space.size()
    points = "unlimited (a range is continuous)" if size is None else f"{size:,}"
    console.print(f"different points: {points}; trials asked for: {study.trials}")
    console.print(f"[green]{path} and its data are fine.[/] Next: lstm-search run {path}")
    return 0


def _data_table(study: Study, preparation: Preparation) -> Table:
    dataset = preparation.dataset
    table = Table("data", "", header_style="bold", title_justify="left")
    rows, columns = dataset.values.shape
    step = dataset.frequency or (str(dataset.step) if dataset.step is not None else "no timestamps")
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
    table = Table("part", "targets", "rows", "windows", header_style="bold")
    for part in preparation.split.parts:
        rows = str(part.end - part.first)
        table.add_row(part.name, preparation.dates(part), rows, str(len(part.origins)))
    return table


def _space_table(study: Study) -> Table:
    table = Table("hyperparameter", "searched", header_style="bold")
    for name, distribution in study.space.distributions().items():
        table.add_row(name, str(distribution))
    fixed = ", ".join(f"{name} = {value}" for name, value in study.space.fixed().items())
    table.add_row("fixed", fixed)
    return table
