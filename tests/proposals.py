"""Study files that `lstm-search init` writes for made-up tables."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from search.commands.init import execute
from search.preparation import Preparation, prepare
from search.study import Study, load_study


def hourly(rows: int = 1000) -> pd.DataFrame:
    """Make a table of hours with a daily season, in the last column and only there."""
    random = np.random.default_rng(0)
    hours = np.arange(rows)
    return pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "wind": random.normal(size=rows),
            "site": "Kiel",
            "load": np.sin(hours * 2 * np.pi / 24) + 0.1 * random.normal(size=rows),
        }
    )


def init(frame: pd.DataFrame, folder: Path, *targets: str, **options: object) -> Path:
    """Write the table as CSV and a study file for it, and return the latter."""
    data = folder / "power.csv"
    frame.to_csv(data, index=False)
    out = folder / "power.toml"
    return init_file(data, out, *targets, **options)


def init_file(data: Path, out: Path, *targets: str, **options: object) -> Path:
    """Write a study file for a table in a file, and return its path."""
    settings = {"time": None, "horizon": None, "force": False, **options}
    assert execute(data, targets, out=out, **settings) == 0
    return out


def loaded(path: Path) -> tuple[Study, Preparation]:
    """Load a study file and prepare its data as `lstm-search run` does."""
    study = load_study(path)
    return study, prepare(study)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """Join the explaining comments of a file to one line."""
    lines = text_of(path).split("\n")
    return " ".join(line[2:] for line in lines if re.match(r"# \S", line))


def uncommented(text: str) -> str:
    """Put every unused setting into effect."""
    return re.sub(r"^#(?=[a-z_0-9]+ = )", "", text, flags=re.MULTILINE)


def alternatives(text: str) -> list[str]:
    """Find the blocks of lines that could stand in the place of others."""
    blocks = re.findall(r"(?:^#    .*\n)+", text, flags=re.MULTILINE)
    return [re.sub(r"^#    ", "", block, flags=re.MULTILINE) for block in blocks]
