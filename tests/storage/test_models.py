"""The registry of bundles on each database: stages, one in production, and what survives."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from storage.errors import StorageError
from storage.maintenance import back_up, copy_studies, restore, upgrade
from storage.models import (
    MODEL_TABLE,
    RegisteredModel,
    find_model,
    list_models,
    production_model,
    promote_model,
    register_bundle,
    retire_model,
)
from storage.studies import delete_study

Open = Callable[..., RDBStorage]
ROUNDS = 8  # of tests/storage/workers/promote.py


@pytest.fixture
def registry(storage: RDBStorage) -> RDBStorage:
    """A database with a study "one" of three candidates."""
    optuna.create_study(study_name="one", storage=storage)
    for number in (1, 2, 3):
        enter(storage, number)
    return storage


def enter(storage: RDBStorage, number: int, study: str = "one") -> RegisteredModel:
    facts = {"trial": number, "test": {"mse": 0.1 * number}}
    return register_bundle(storage, study, Path(f"/bundles/{number}"), f"{number:064x}", facts)


def stages(storage: RDBStorage, study: str = "one") -> list[str]:
    return [model.stage for model in list_models(storage, study)]


def test_bundles_are_candidates_with_versions_of_their_study(registry: RDBStorage) -> None:
    optuna.create_study(study_name="two", storage=registry)
    assert enter(registry, 1, "two").version == 1
    models = list_models(registry, "one")
    assert [(m.version, m.stage, m.path) for m in models] == [
        (number, "candidate", Path(f"/bundles/{number}")) for number in (1, 2, 3)
    ]
    assert models[1].facts == {"trial": 2, "test": {"mse": 0.2}}
    assert len(list_models(registry)) == 4


def test_a_bundle_is_registered_once_and_keeps_its_stage(registry: RDBStorage) -> None:
    promote_model(registry, find_model(registry, "one", 2), None)
    assert enter(registry, 2).stage == "production"
    assert len(list_models(registry, "one")) == 3


def test_promotion_retires_what_was_in_production(registry: RDBStorage) -> None:
    assert production_model(registry, "one") is None
    promote_model(registry, find_model(registry, "one", None), None)
    assert stages(registry) == ["candidate", "candidate", "production"]
    promote_model(registry, find_model(registry, "one", 1), production_model(registry, "one"))
    assert stages(registry) == ["production", "candidate", "retired"]
    promote_model(registry, find_model(registry, "one", 3), production_model(registry, "one"))
    assert stages(registry) == ["retired", "candidate", "production"]  # back again


def test_promotion_is_refused_where_another_came_first(registry: RDBStorage) -> None:
    promote_model(registry, find_model(registry, "one", 1), None)
    with pytest.raises(StorageError, match="model 1 of study 'one' has come into production"):
        promote_model(registry, find_model(registry, "one", 2), None)
    assert stages(registry) == ["production", "candidate", "candidate"]


def test_retiring_leaves_none_in_production(registry: RDBStorage) -> None:
    promote_model(registry, find_model(registry, "one", 1), None)
    retire_model(registry, find_model(registry, "one", 1))
    assert production_model(registry, "one") is None
    assert stages(registry) == ["retired", "candidate", "candidate"]


def test_the_database_itself_refuses_a_second_one_in_production(registry: RDBStorage) -> None:
    promote_model(registry, find_model(registry, "one", 1), None)
    with pytest.raises(IntegrityError), registry.engine.begin() as connection:
        connection.execute(
            text("UPDATE lstm_search_models SET in_production = 1 WHERE version = 2")
        )


def test_processes_that_promote_at_once_leave_one_in_production(
    registry: RDBStorage, url: str, run_together: Callable[..., list[str]]
) -> None:
    printed = run_together("promote.py", 3, url)
    assert stages(registry).count("production") == 1
    assert stages(registry).count("retired") == 2
    assert [text.split() for text in printed] == [["promoted"] * ROUNDS] * 3


def test_processes_that_register_at_once_get_versions_of_their_own(
    registry: RDBStorage, url: str, run_together: Callable[..., list[str]]
) -> None:
    versions = [
        int(number) for text in run_together("register.py", 3, url) for number in text.split()
    ]
    assert sorted(versions) == list(range(4, 4 + 3 * 5))


def test_what_is_missing_is_told(registry: RDBStorage) -> None:
    with pytest.raises(StorageError, match="no model 9; registered are: 1, 2, 3"):
        find_model(registry, "one", 9)
    with pytest.raises(StorageError, match="there is no study 'none'"):
        enter(registry, 1, "none")
    with pytest.raises(StorageError, match="there is no study 'none'"):
        list_models(registry, "none")
    optuna.create_study(study_name="empty", storage=registry)
    with pytest.raises(StorageError, match="has no candidate"):
        find_model(registry, "empty", None)


def test_models_are_listed_by_who_may_only_read(storage: RDBStorage) -> None:
    optuna.create_study(study_name="empty", storage=storage)
    assert list_models(storage) == list_models(storage, "empty") == ()
    assert not inspect(storage.engine).has_table(MODEL_TABLE)


def test_the_registry_goes_with_a_study_that_is_deleted(registry: RDBStorage) -> None:
    delete_study(registry, "one")
    assert list_models(registry) == ()
    optuna.create_study(study_name="one", storage=registry)
    assert list_models(registry, "one") == ()


def test_the_registry_survives_backup_restore_copy_and_upgrade(
    registry: RDBStorage, url: str, tmp_path: Path, opened: Open
) -> None:
    promote_model(registry, find_model(registry, "one", 2), None)
    expected = list_models(registry, "one")
    back_up(url, tmp_path / "backup.db")
    assert list_models(opened(f"sqlite:///{tmp_path}/backup.db"), "one") == expected
    delete_study(registry, "one")
    restore(tmp_path / "backup.db", url)
    assert list_models(registry, "one") == expected
    upgrade(url)
    copy = opened(f"sqlite:///{tmp_path}/copy.db")
    copy_studies(opened(url), copy, ("one",))
    assert list_models(copy, "one") == expected
