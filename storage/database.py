"""Opening the database of studies, with settings under which several workers can share it."""

import functools
import logging
import random
import time
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import (
    ExperimentalWarning,
    OptunaError,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import StudyUserAttributeModel, TrialUserAttributeModel
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.exc import SQLAlchemyError

from storage.address import Address, parse_address, redacted
from storage.engine import another_was_first, engine_settings
from storage.errors import StorageError, reason
from storage.outage import outlast
from storage.sqlite import reading, tune_sqlite
from storage.trial_counts import TrialCounts, read_counts, read_silent, read_states
from storage.trial_rows import read_trial, read_trials
from storage.upserts import (
    change_state,
    write_attributes,
    write_heartbeat,
    write_intermediate_value,
    write_param,
    write_study_attributes,
    write_system_attribute,
)

__all__ = ["NO_SIGN_OF_LIFE", "Heartbeat", "open_storage", "redacted"]

NO_SIGN_OF_LIFE = "no sign of life"  # begins the reason why a silent trial was declared failed

PATIENCE = 10  # seconds for which opening is tried again while others make the same tables

_logger = logging.getLogger(__name__)
# MySQL's TEXT ends at 64 KB, which the curves of about 1,200 epochs reach.
for _model in (TrialUserAttributeModel, StudyUserAttributeModel):
    _model.__table__.c.value_json.type = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")

_entropy = random.SystemRandom()  # a study's own random numbers must not depend on our waits


@dataclass(frozen=True)
class Heartbeat:
    """How workers show that they live, and what becomes of the trial of one that does not.

    Attributes:
        interval_seconds: Seconds from one sign of life to the next.
        grace_seconds: Seconds without one after which a running trial is declared failed.
        on_stale: Called with the study and the trial just failed, by the worker that noticed.
    """

    interval_seconds: int = 60
    grace_seconds: int = 300
    on_stale: Callable[[optuna.Study, FrozenTrial], None] | None = None


class Database(RDBStorage):
    """Optuna's storage that outlasts a database's absence, and whose copies stay tuned.

    What may be done twice without harm is repeated until the database answers (see `_READS` and
    `_WRITES`). A new trial is not: where the answer was lost, whoever asked counts again.
    """

    _next_look = 0.0  # on the monotonic clock

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # (study, mark) → the newest trial looked at, and the numbers of those with the mark
        self._marked: dict[tuple[int, str], tuple[int, tuple[int, ...]]] = {}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        tune_sqlite(self.engine)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        tries = 0

        def attempt() -> bool:
            nonlocal tries
            tries += 1
            try:
                return change_state(self, trial_id, state, values)
            except UpdateFinishedTrialError:
                # The first try may have succeeded and its answer have been lost.
                if tries > 1 and self.get_trial(trial_id).state == state:
                    return True
                raise

        return outlast(attempt)

    def set_trial_user_attrs(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Store several attributes in one transaction, where Optuna takes one for each."""
        outlast(lambda: write_attributes(self, trial_id, attributes))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.set_trial_user_attrs(trial_id, {key: value})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        outlast(lambda: write_system_attribute(self, trial_id, key, value))

    def set_study_system_attrs(self, study_id: int, attributes: Mapping[str, Any]) -> None:
        """Store several of Optuna's own attributes in one transaction."""
        outlast(lambda: write_study_attributes(self, study_id, attributes))

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        outlast(lambda: write_intermediate_value(self, trial_id, step, intermediate_value))

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        if previous_distribution is None:  # then Optuna looks for one in the database
            original = functools.partial(super()._set_trial_param, trial_id, param_name)
            outlast(lambda: original(param_value_internal, distribution, None))
        else:
            check_distribution_compatibility(previous_distribution, distribution)
            value = param_value_internal
            outlast(lambda: write_param(self, trial_id, param_name, value, distribution))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        found = outlast(lambda: read_trial(self.engine, trial_id))
        if found is None:
            raise KeyError(f"there is no trial with the id {trial_id}")
        return found

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        found = outlast(
            lambda: read_trials(
                self.engine, study_id, states, included_trial_ids, trial_id_greater_than
            )
        )
        if not found:
            self.get_study_directions(study_id)  # which tells where there is no such study
        return found

    def read_without_epochs(self, study_id: int) -> list[FrozenTrial]:
        """Read all trials of a study by number, without what they reached in each epoch."""
        return outlast(lambda: read_trials(self.engine, study_id, None, (), -1, epochs=False))

    def list_trials(self, study_id: int, newer_than: int, oldest: int) -> dict[int, str]:
        """The states of the trials with ids above `newer_than`, and of those from `oldest` on.

        Of the latter those that wait are left out: they may be many, and have not changed.
        """
        return outlast(lambda: read_states(self.engine, study_id, newer_than, oldest))

    def count_trials(self, study_id: int, mark: str) -> TrialCounts:
        """Count a study's trials without reading them, and those that have the user attribute `mark`.

        The mark must be there when a trial is created: older trials are not looked at again.
        """

        def attempt() -> TrialCounts:
            known, marked = self._marked.get((study_id, mark), (0, ()))
            newer, counts = read_counts(self.engine, study_id, mark, known)
            if newer:
                marked += tuple(row.number for row in newer if row.marked)
                self._marked[study_id, mark] = (newer[-1].trial_id, marked)
            waiting, running = int(counts.waiting or 0), int(counts.running or 0)
            return TrialCounts(counts.created, waiting, running, marked)

        return outlast(attempt)

    def record_heartbeat(self, trial_id: int) -> None:
        # Optuna's thread ends at the first exception, and a living trial would be declared dead.
        try:
            write_heartbeat(self, trial_id)
        except (SQLAlchemyError, OptunaError) as error:
            _logger.warning(
                "no sign of life of trial %d could be recorded: %s", trial_id, reason(error)
            )

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        """The trials that Optuna is about to declare failed, each with the reason stored.

        Optuna asks before every trial, every worker asks, and the answer costs two queries: it is looked
        for four times in each interval of the heartbeats.
        """
        now = time.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + (self.heartbeat_interval or 0) / 4
        found = outlast(lambda: self._silent_trials(study_id))
        for trial_id in found:
            with suppress(UpdateFinishedTrialError):  # it has just ended after all
                self.set_trial_user_attr(
                    trial_id, "failure", f"{NO_SIGN_OF_LIFE} for {self.grace_period} s"
                )
        return found

    def _silent_trials(self, study_id: int) -> list[int]:
        # Optuna passes over a trial whose worker was killed before its first heartbeat.
        stale = super()._get_stale_trial_ids(study_id)
        return stale + read_silent(self.engine, study_id, self.grace_period or 0)


_READS = (
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "get_trial_id_from_study_id_trial_number",
    "_get_best_trial_id",
)
_WRITES = (
    "set_study_user_attr",
    "set_study_system_attr",
)


def _repeated(name: str, scope: Callable[[], AbstractContextManager[None]]) -> Callable[..., Any]:
    """Optuna's method of this name, carried out in a scope until the database answers."""
    original = getattr(RDBStorage, name)

    @functools.wraps(original)
    def repeat(self: Database, *arguments: Any, **named: Any) -> Any:
        with scope():
            return outlast(lambda: original(self, *arguments, **named))

    return repeat


for _name in _READS:
    setattr(Database, _name, _repeated(_name, reading))
for _name in _WRITES:
    setattr(Database, _name, _repeated(_name, nullcontext))


def open_storage(
    url: str, *, heartbeat: Heartbeat | None = None, any_schema: bool = False
) -> Database:
    """Open the database, making it where it does not exist yet.

    SQLite gets write-ahead logging and transactions that take the write lock when they begin,
    without which two workers claim one waiting trial. A server gets a small pool whose connections
    are checked before use. Optuna's messages below warnings are silenced, unless its verbosity has
    been set to something other than its default.

    Args:
        url: SQLite file, PostgreSQL or MySQL, such as "sqlite:///studies.db".
        heartbeat: Signs of life during `study.optimize`; None for none.
        any_schema: Whether tables of another version of Optuna are taken too, to look after them.

    Raises:
        StorageError: The URL is wrong, the driver is missing, the server does not answer (within
            about ten seconds), or the file cannot be written or is no database.
    """
    address = parse_address(url)
    if optuna.logging.get_verbosity() == optuna.logging.INFO:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return _opened(address, heartbeat, any_schema)
    except (SQLAlchemyError, OptunaError, RuntimeError, TypeError) as error:
        # A driver answers an option in the URL that it does not know with a TypeError.
        said = address.without_secrets(reason(error))
        raise StorageError(f"cannot open the database {redacted(url)}: {said}") from None


def _opened(address: Address, heartbeat: Heartbeat | None, any_schema: bool) -> Database:
    """Open, and try again where another process was making the same tables."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            storage = _constructed(address, heartbeat, any_schema)
            tune_sqlite(storage.engine)
            with storage.engine.begin():  # a file that cannot be written shows it here
                return storage
        except (SQLAlchemyError, StorageInternalError) as error:
            if time.monotonic() > deadline or not another_was_first(error):
                raise
            time.sleep(_entropy.uniform(0.05, 0.3))


def _constructed(address: Address, heartbeat: Heartbeat | None, any_schema: bool) -> Database:
    # Optuna formats the URL as a template.
    url = address.url.render_as_string(hide_password=False)
    template = url.replace("{", "{{").replace("}", "}}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return Database(
            template,
            engine_settings(address),
            any_schema,
            heartbeat_interval=heartbeat.interval_seconds if heartbeat else None,
            grace_period=heartbeat.grace_seconds if heartbeat else None,
            heartbeat_stale_trial_callback=heartbeat.on_stale if heartbeat else None,
        )
