"""The note of a study in the dashboard: what is searched, how far it has come, and what came of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import optuna

from objectives.objective import any_hyperparameters
from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from reports.counts import trial_counts
from reports.verdict import verdict
from reports.wording import baseline_label, looks_in_words, number
from search.searching import Progress
from search.stored_identity import NAIVE, TARGET_VALUES
from search.study import AnyStudy
from search.tasks import AnyPreparation
from search.watching.dashboard_figures import progress_figure, winner_figures
from search.watching.study_facts import Facts, facts_of
from search.workers.trial_notes import network_in_words
from storage.database import Database
from storage.notes import write_figure, write_study_note
from storage.records import StudyRecord

MARK = "*`lstm-search` keeps this note current. Without this line it leaves a text of yours alone.*"
_WHERE = ("report", "model", "bundle")
_APART_SECONDS = 5.0  # between two versions while a search runs


def note_in_words(facts: Facts, record: StudyRecord, total: int, ending: str) -> str:
    """The note as Markdown; `ending` says what came of the search, or what is being done now."""
    counts = trial_counts(record)
    states = [f"{counts[state]} {state}" for state in ("complete", "pruned", "failed")]
    lines = {
        **facts.lines,
        "progress": f"{counts['total']} of {total} trials: {', '.join(states)}; "
        f"{record.count('running')} running",
    }
    best = record.best
    if best is not None:
        lines["best so far"] = f"**{number(best.value)}** by trial {best.number}"
        lines["its parameters"] = network_in_words(any_hyperparameters(best.attributes))
    naive = [f"{baseline_label(name)} {number(value)}" for name, value in _ranked(facts.naive)]
    lines["for scale"] = f"on validation: {', '.join(naive)}"
    table = [f"| {label} | {_cell(text)} |" for label, text in lines.items()]
    head = f"{facts.task[0].upper()}{facts.task[1:]}."
    return "\n".join([head, "", "| | |", "| --- | --- |", *table, "", ending, "", MARK])


def _ranked(naive: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(naive.items(), key=lambda item: item[1])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@dataclass
class StudyNote:
    """Keeps the note, and the figure of the progress, of a study in its database current."""

    storage: Database
    found: optuna.Study
    study: AnyStudy
    preparation: AnyPreparation
    _facts: Facts | None = field(default=None, init=False)
    _written: tuple[object, ...] = field(default=(), init=False)
    _next: float = field(default=0.0, init=False)  # on the monotonic clock
    _searched: StudyRecord | None = field(default=None, init=False)

    def watch(self, progress: Progress) -> None:
        """Write what has changed since the last time, every few seconds at most."""
        record = progress.record
        counts = (record.name, *trial_counts(record).values(), record.count("running"))
        if counts == self._written or time.monotonic() < self._next:
            return
        if record.name == self.study.study.name:
            self._searched = record
            self._write(record, progress.total, "The search goes on; the test set is closed.")
        elif self._searched is not None:
            done = f"{trial_counts(record)['total']} of {progress.total} runs"
            ending = f"The best are trained again with fresh seeds: {done} in `{record.name}`."
            self._write(self._searched, self.study.trials, ending)
        self._written, self._next = counts, time.monotonic() + _APART_SECONDS

    def finish(self, report: StudyReport | ClassificationReport) -> None:
        """Write what came of the study, and keep figures of the test."""
        said = [f"**{verdict(report)}** {looks_in_words(report.ledger)}"]
        said += ["", *(f"- {w}: `{report.paths[w]}`" for w in _WHERE if w in report.paths)]
        self._write(report.study, self.study.trials, "\n".join(said))
        for name, figure in winner_figures(report).items():
            write_figure(self.storage, self.found._study_id, name, figure)

    def _write(self, record: StudyRecord, total: int, ending: str) -> None:
        facts, study_id = self._known(), self.found._study_id
        write_study_note(self.storage, study_id, note_in_words(facts, record, total, ending), MARK)
        figure = progress_figure(record, facts.metric, facts.naive)
        write_figure(self.storage, study_id, "best-against-naive-forecasts", figure)

    def _known(self) -> Facts:
        """The facts, made when they are first needed: by then the workers are starting."""
        if self._facts is None:
            self._facts = facts_of(self.study, self.preparation)
            self.found.set_user_attr(NAIVE, dict(self._facts.naive))
            self.found.set_user_attr(TARGET_VALUES, self.preparation.target_values)
        return self._facts
