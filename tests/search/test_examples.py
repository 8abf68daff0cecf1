"""The study files of the quality benchmark: alike in all but data and split."""

from importlib.resources import files
from pathlib import Path

import pytest

from search.study import load_study
from tests.bench.quality import TASKS

EXAMPLES = [Path(str(files("search.examples"))) / f"{task.name}.toml" for task in TASKS]


@pytest.mark.parametrize("path", EXAMPLES[1:], ids=lambda path: path.stem)
def test_examples_share_all_settings_but_data_and_split(path):
    first, study = (load_study(file) for file in (EXAMPLES[0], path))
    for section in {*study.identity()} - {"data", "split"}:
        assert study.identity()[section] == first.identity()[section], section
    assert study.confirm == first.confirm
    assert (study.study.trials, study.study.timeout) == (first.study.trials, first.study.timeout)
