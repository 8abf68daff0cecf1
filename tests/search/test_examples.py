"""The study files of the quality benchmark: alike in all but data and split."""

from importlib.resources import files
from pathlib import Path

import pytest

from objectives.split import cut
from search.study import Study, load_study
from tests.bench.quality import TASKS

EXAMPLES = [Path(str(files("search.examples"))) / f"{task.name}.toml" for task in TASKS]


@pytest.mark.parametrize("path", EXAMPLES[1:], ids=lambda path: path.stem)
def test_examples_share_all_settings_but_data_and_split(path):
    first, study = (load_study(file) for file in (EXAMPLES[0], path))
    for section in {*study.identity()} - {"data", "split"}:
        assert study.identity()[section] == first.identity()[section], section
    assert study.confirm == first.confirm
    assert (study.study.trials, study.study.timeout) == (first.study.trials, first.study.timeout)


def test_each_member_of_the_examples_can_be_a_candidate_of_its_own():
    study = load_study(EXAMPLES[0])
    assert study.final.members <= study.confirm.candidates


def test_beijing_is_cut_where_others_cut_it():
    study = load_study(EXAMPLES[-1])
    assert isinstance(study, Study)
    split = cut(43_800, study.split, study.data, 168, None)
    borders = [(part.first, part.end - 1) for part in split.parts]
    assert borders == [(0, 7007), (7008, 8759), (8761, 43_799)]
