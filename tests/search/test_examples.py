"""The study files that the package carries: valid, and alike in all but data and split."""

from importlib.resources import files
from pathlib import Path

import pytest

from search.study import load_study

EXAMPLES = sorted(Path(str(files("search.examples"))).glob("*.toml"))


def test_there_are_some():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_share_all_settings_but_data_and_split(path):
    first, study = (load_study(file).identity() for file in (EXAMPLES[0], path))
    for section in {*study} - {"data", "split"}:
        assert study[section] == first[section], section
    budgets = [load_study(file).study for file in (EXAMPLES[0], path)]
    assert len({(given.trials, given.timeout) for given in budgets}) == 1
