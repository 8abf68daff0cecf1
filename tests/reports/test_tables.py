import io
import math
from dataclasses import replace

from rich.console import Console

from reports.tables import scores_table, winner_table


def shown(table, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def rows_of(table):
    return {line.split("│")[1].strip(): line for line in shown(table).splitlines() if "│" in line}


def test_scores_stand_in_both_units_with_the_best_marked(report_of):
    rows = rows_of(scores_table(report_of(4.25, ridge=8.5, persistence=17.0)))
    assert set(rows) == {"refitted model (best)", "ridge", "persistence"}
    assert "0.2500" in rows["refitted model (best)"]
    assert "4.250" in rows["refitted model (best)"]


def test_the_mark_goes_to_a_baseline_that_wins(report_of):
    assert "ridge (best)" in rows_of(scores_table(report_of(9.0, ridge=8.5)))


def test_a_score_that_is_not_finite_is_never_the_best(report_of):
    rows = rows_of(scores_table(report_of(math.nan, ridge=8.5)))
    assert {"refitted model", "ridge (best)"} == set(rows)
    assert "nan" not in rows["refitted model"]


def test_the_scores_fit_a_terminal_of_eighty_columns(report):
    assert "…" not in shown(scores_table(report))


def test_the_winner_is_told_with_its_hyperparameters(report):
    rows = rows_of(winner_table(report))
    assert "0.0007342" in rows["learning_rate"]
    assert "1810 updates" in rows["refit"]


def test_a_name_in_brackets_is_not_read_as_markup(report):
    winner = replace(report.winner, params={"[bold]x": "[red]y"})
    text = shown(winner_table(replace(report, winner=winner)))
    assert "[bold]x" in text
    assert "[red]y" in text
