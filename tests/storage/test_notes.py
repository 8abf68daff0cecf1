"""Notes as optuna-dashboard reads them."""

import optuna
import pytest
from optuna_dashboard import get_note, save_note
from optuna_dashboard._note import get_note_from_system_attrs

from storage.database import Database
from storage.maintenance import copy_studies
from storage.notes import MOST_CHARACTERS, study_note, write_study_note, write_trial_note

MARK = "*ours*"


@pytest.fixture
def study(storage: Database) -> optuna.Study:
    return optuna.create_study(study_name="one", storage=storage)


def trial_notes(study: optuna.Study, storage: Database) -> list[str]:
    attributes = storage.get_study_system_attrs(study._study_id)
    return [get_note_from_system_attrs(attributes, t._trial_id)["body"] for t in study.trials]


def test_the_dashboard_reads_what_was_written(study: optuna.Study, storage: Database) -> None:
    for text in ("a – b", "**second**\nline"):
        write_trial_note(storage, study._study_id, study.ask()._trial_id, text)
    assert trial_notes(study, storage) == ["a – b", "**second**\nline"]
    assert get_note(study) == ""


def test_a_studys_note_may_be_longer_than_an_attribute_and_shorter_later(
    study: optuna.Study, storage: Database
) -> None:
    for text in ("x" * MOST_CHARACTERS + MARK, f"short {MARK}"):
        assert write_study_note(storage, study._study_id, text, MARK)
        assert get_note(study) == text
        assert study_note(storage.get_study_system_attrs(study._study_id)) == text


def test_a_note_of_somebodys_own_is_left_alone(study: optuna.Study, storage: Database) -> None:
    assert write_study_note(storage, study._study_id, MARK, MARK)
    save_note(study, "my own")
    assert not write_study_note(storage, study._study_id, f"{MARK} again", MARK)
    assert get_note(study) == "my own"


def test_notes_go_with_their_trials_into_a_copy(
    study: optuna.Study, storage: Database, tmp_path, opened
) -> None:
    write_study_note(storage, study._study_id, MARK, MARK)
    trials = [study.ask() for _ in range(3)]
    for trial in trials:
        write_trial_note(storage, study._study_id, trial._trial_id, f"trial {trial.number}")
    for trial in trials[1:]:  # the first one runs on, and is queued again in the copy
        study.tell(trial, 1.0)
    target = opened(f"sqlite:///{tmp_path}/target.db")
    other = optuna.create_study(study_name="other", storage=target)
    for _ in range(5):  # trials have other ids in the copy
        other.ask()
    copy_studies(storage, target, ("one",))
    copy = optuna.load_study(study_name="one", storage=target)
    assert trial_notes(copy, target) == ["trial 0", "trial 1", "trial 2", ""]
    assert get_note(copy) == MARK
