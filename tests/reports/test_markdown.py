import re
from dataclasses import replace

from reports.contents import Intervals
from reports.markdown import report_markdown
from reports.verdict import verdict
from reports.wording import number

FIGURES = {"forecasts": "figures/f.png", "history": "figures/h.png", "loss_curves": "figures/l.png"}


def test_the_verdict_comes_before_anything_but_the_title(report_of):
    report = report_of(3.0, ridge=2.0)
    title, text, *_ = report_markdown(report, {}).split("\n\n")
    assert title == "# etth1-ot"
    assert text == f"**{verdict(report)}**"
    assert text.startswith("**WORSE")


def test_test_scores_stand_beside_every_baseline_and_the_model_before_the_refit(report):
    rows = [line for line in report_markdown(report, {}).splitlines() if line.startswith("| ")]
    by_name = {row.split(" | ")[0].strip("| *"): row for row in rows}
    for name, scores in (
        ("refitted model", report.test),
        ("winner before the refit (train only)", report.train_only),
        ("persistence", report.baselines["persistence"]),
        ("seasonal naive", report.baselines["seasonal_naive"]),
        ("ridge", report.baselines["ridge"]),
    ):
        assert f"| {scores.data_units.overall['rmse']:.3f} |" in by_name[name]
        assert f"{scores.standardised.overall['rmse']:.4f}" in by_name[name]


def test_a_long_horizon_shows_a_dozen_steps_with_the_first_and_the_last(make_report):
    page = report_markdown(make_report(horizon=96, windows=60), {})
    steps = [int(step) for step in re.findall(r"^\| (\d+) \|", page, flags=re.M)]
    assert (len(steps), steps[0], steps[-1]) == (12, 1, 96)
    assert steps == sorted(set(steps))


def test_one_step_has_no_table_by_step(make_report):
    assert "by forecast step" not in report_markdown(make_report(horizon=1, windows=60), {})


def test_names_are_no_html_and_a_command_is_to_be_copied_as_it_is(report):
    facts = {"inputs": "load <b>x</b>, p < .05", "command": "lstm-search run '<b>.csv'"}
    page = report_markdown(replace(report, task="forecast <i>x</i>", facts=facts), {})
    assert "- **inputs**: load \\<b>x\\</b>, p < .05" in page
    assert "<i>" not in page.replace("\\<", "")
    assert "\nlstm-search run '<b>.csv'\n" in page


def test_plots_are_embedded_by_the_paths_given(report):
    page = report_markdown(report, FIGURES)
    assert re.findall(r"!\[.+\]\((.+)\)", page) == [
        "figures/f.png",
        "figures/l.png",
        "figures/h.png",
    ]
    assert "![" not in report_markdown(report, {})


def test_winner_refit_trials_facts_paths_and_command_are_told(report):
    page = report_markdown(report, {})
    for text in (
        "The winner: trial 31",
        "| `learning_rate` | 0.0007342 |",
        "replayed on train+validation: 14.2 passes, 1810 updates",
        "47 trials: 26 complete, 20 pruned, 1 failed. Search 30 min 34 s",
        "- **Scaling**: fitted on training rows only",
        "| database | `studies.db` |",
        "```sh\nlstm-search run study.toml\n```",
    ):
        assert text in page
    assert "**command**" not in page


def test_without_a_command_none_is_promised(report):
    assert "Run it again" not in report_markdown(replace(report, facts={}), {})


def test_a_bar_in_a_name_does_not_break_the_table(report):
    winner = replace(report.winner, params={"output": "a|b"})
    assert "| `output` | a\\|b |" in report_markdown(replace(report, winner=winner), {})


def test_the_page_says_how_certain_the_scores_are(report, certain):
    page = report_markdown(certain(report, persistence=0.001, seasonal_naive=0.2, ridge=0.03), {})
    section = page.split("## How certain the scores are")[1].split("\n## ")[0]
    rows = {row.split(" | ")[0].strip("| "): row for row in section.splitlines()}
    rmse = report.test.data_units.overall["rmse"]
    assert f"| {number(rmse)} | {number(rmse / 2)} to {number(1.5 * rmse)} |" in rows["RMSE"]
    assert rows["persistence"].endswith("| p < 0.001 | p = 0.001 | better |")
    assert rows["seasonal naive"].endswith("| not distinguishable |")
    assert "blocks of 31 neighbouring" in section
    assert "strongest naive forecast on validation was ridge" in section


def test_a_test_set_too_short_to_tell_is_said_so(report):
    assert "too short to tell chance from skill" in report_markdown(report, {})


def test_the_coverage_reached_stands_beside_the_level_asked_for(report):
    page = report_markdown(report, {})
    assert "| 90% | 88.7% | 89.9% | 87.6% | 12.50 |" in page
    assert "1200 windows" in page
    absent = replace(report, intervals=Intervals(58, absent="validation has 58 windows"))
    page = report_markdown(absent, {})
    assert "There are no prediction intervals: validation has 58 windows." in page
    assert "Reached on test" not in page
