"""report.html in a real browser, from disk, without a network."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from axe_playwright_python.sync_playwright import Axe

from reports.contents import Candidate, Check, Confirmation, Ledger, SearchReport, StudyReport
from reports.numbers import report_numbers
from reports.page.page import render_page
from reports.wording import duration, number, percent, setting
from search.reporting.study_figures import importances, study_figures
from storage.ledger import Opening
from tests.browser import CUT, PHONE, WIDE

EVIL = "<img src=x onerror=alert(1)>"


def searched(trials: int, epochs: int = 6) -> optuna.Study:
    """A study of Optuna's with complete and pruned trials, whose values follow from their numbers."""
    random = np.random.default_rng(5)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    study.set_metric_names(["validation mse"])
    space = {
        "units": optuna.distributions.IntDistribution(8, 64),
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
        "output": optuna.distributions.CategoricalDistribution(("change", "level")),
    }
    for index in range(trials):
        trial = study.ask(space)
        floor = abs(np.log10(trial.params["learning_rate"]) + 3) + 1 / trial.params["units"]
        pruned = index % 3 == 2
        values = floor * (1 + np.exp(-np.arange(2 if pruned else epochs))) + random.normal(0, 0.01)
        for epoch, value in enumerate(values.tolist()):
            trial.report(value, epoch + 1)
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, float(values.min()))
    return study


def written(report: StudyReport, study: optuna.Study, folder: Path) -> Path:
    report = replace(report, importances=importances(study))
    path = folder / "report.html"
    path.write_text(
        render_page(
            report_numbers(report), report.forecasts, study_figures(study, importances(study))
        )
    )
    return path


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    return searched(30)


@pytest.fixture
def path(walk: Path) -> Path:
    return walk / "report.html"


@pytest.fixture
def numbers(walk: Path) -> dict[str, Any]:
    return json.loads((walk / "report.json").read_text())


UNFOLD = "for (const part of document.querySelectorAll('details')) part.open = true"
DRAWN = """plot => plot.querySelectorAll(
  '.scatterlayer .trace, .barlayer .point, .contour, .hm image').length"""


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
def test_the_page_opens_from_disk_whole_accessible_and_without_complaint(
    path, opened, size, scheme
):
    page, heard = opened(path, size, scheme)
    assert heard.said == []
    assert heard.asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    plots = page.query_selector_all(".plot")
    assert len(plots) == 16
    assert all(plot.evaluate(DRAWN) for plot in plots)
    widths = [plot.query_selector("svg").bounding_box()["width"] for plot in plots]
    assert max(widths) <= size["width"]
    assert page.evaluate(CUT) == []
    page.evaluate(UNFOLD)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_a_phone_shows_buttons_and_legend_of_the_forecasts_apart(path, opened):
    page, _ = opened(path, PHONE)
    buttons, legend, axis = (
        page.locator(f"#figure-forecasts-0 {part}").first.bounding_box()
        for part in (".modebar", ".legend", ".xaxislayer-above")
    )
    assert legend["y"] >= axis["y"] + axis["height"]
    assert axis["y"] - buttons["y"] - buttons["height"] > 150  # pixels for the plot


def test_light_and_dark_differ_and_the_reader_can_choose(path, opened):
    page, _ = opened(path, WIDE, "dark")
    colours = """[
      getComputedStyle(document.body).backgroundColor,
      document.querySelector('#figure-curves .trace:nth-child(2) .js-line').style.stroke]"""
    dark = page.evaluate(colours)
    page.click("#theme")
    page.wait_for_function(f"before => JSON.stringify({colours}) !== before", arg=json.dumps(dark))
    light = page.evaluate(colours)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(dark, light, strict=True))


FIGURES = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
WORDS = """() => {
  for (const plot of document.querySelectorAll('.plot')) plot.remove();
  return document.body.innerText;
}"""


def leaves(content: object) -> list[object]:
    if isinstance(content, dict):
        return [leaf for key, value in content.items() for leaf in [key, *leaves(value)]]
    if isinstance(content, list):
        return [leaf for value in content for leaf in leaves(value)]
    return [content]


def sayings(leaf: object) -> list[str]:
    """All the ways in which the page may write what stands in report.json."""
    if isinstance(leaf, bool) or leaf is None:
        return []
    if isinstance(leaf, int | float):
        ways = [number(leaf, 3), number(leaf), percent(leaf), duration(leaf), setting(leaf)]
        return [*ways, f"{100 * leaf:.1f}", str(leaf)]
    return [str(leaf)]


def strangers(text: str, numbers: dict[str, object]) -> set[str]:
    known = {f for leaf in leaves(numbers) for way in sayings(leaf) for f in FIGURES.findall(way)}
    return set(FIGURES.findall(text)) - known


def test_every_number_on_the_page_comes_from_report_json(numbers, path, opened):
    page, _ = opened(path)
    page.evaluate(UNFOLD)
    text = page.evaluate(WORDS)
    assert len(FIGURES.findall(text)) > 200
    assert strangers(text, numbers) == set()
    for missing in ("baselines", "uncertainty", "confirmation", "configuration"):
        less = {key: value for key, value in numbers.items() if key != missing}
        assert strangers(text, less), missing


def drawn(page: str) -> dict[str, Any]:
    """The plots of a page: their traces by name."""
    plots = re.findall(
        r'id="figure-([\w-]+)".*?<script type="application/json">(.*?)</script>', page, re.S
    )
    return {
        name: {trace.get("name"): trace for trace in json.loads(text)["data"]}
        for name, text in plots
    }


def test_the_plots_show_the_numbers_of_report_json(numbers, path):
    plots = drawn(path.read_text())
    steps = plots["steps"]
    assert steps["refitted model"]["y"] == pytest.approx(numbers["test"]["per_step"]["rmse"], 1e-5)
    ridge = numbers["baselines"]["ridge"]["test"]["per_step"]["rmse"]
    assert steps["ridge"]["y"] == pytest.approx(ridge, 1e-5)
    (bars,) = plots["importances"].values()
    shares = dict(zip(bars["y"], bars["x"], strict=True))
    assert shares == pytest.approx(numbers["importances"], abs=1e-5)
    curves, curve = numbers["curves"], plots["curves"]
    assert curve["validation mse"]["y"] == pytest.approx(curves["validation"], 1e-5)
    assert curve["training loss"]["y"] == pytest.approx(curves["loss"], 1e-5)
    assert curve["best epoch"]["x"] == [curves["best_epoch"]]
    assert plots["rates"]["learning rate"]["y"] == pytest.approx(curves["learning_rate"], 1e-5)


def test_each_candidate_is_drawn_with_all_of_its_seeds(numbers, path):
    plots, confirmation = drawn(path.read_text()), numbers["confirmation"]
    candidates = plots["candidates"]
    runs = [
        (f"trial {each['trial']}", pytest.approx(score, 1e-5))
        for each in confirmation["candidates"]
        for score in each["scores"]
    ]
    seeds = candidates["a fresh seed"]
    assert list(zip(seeds["x"], seeds["y"], strict=True)) == runs
    assert len(runs) == 4
    means = [each["mean"] for each in confirmation["candidates"]]
    assert candidates["mean"]["y"] == pytest.approx(means, 1e-5)
    seen = [numbers["optimism"][key] for key in ("search", "confirmed", "train_only", "test")]
    assert plots["optimism"]["winner"]["y"] == pytest.approx(seen, 1e-5)


def test_each_difference_is_drawn_with_its_interval_under_what_it_comes_to(numbers, path):
    plot = drawn(path.read_text())["differences"]
    differences = numbers["uncertainty"]["differences"]
    assert {trace["name"] for trace in plot.values()} == {
        d["outcome"] for d in differences.values()
    }
    for outcome, trace in plot.items():
        for index, label in enumerate(trace["y"]):
            difference = differences[label.replace(" ", "_")]
            ends = difference["test"]["rmse"]
            assert difference["outcome"] == outcome
            assert trace["x"][index] == pytest.approx(ends["figure"], 1e-5)
            whiskers = trace["x"][index] + trace["error_x"]["array"][index]
            assert whiskers == pytest.approx(ends["high"], 1e-4)
            whiskers = trace["x"][index] - trace["error_x"]["arrayminus"][index]
            assert whiskers == pytest.approx(ends["low"], 1e-4)


def test_coverage_is_drawn_beside_what_was_asked_for(numbers, path):
    plot = drawn(path.read_text())["coverage"]
    assert len(numbers["intervals"]) > 0
    for level in numbers["intervals"]:
        reached = plot[percent(level["level"])]["y"]
        assert reached == pytest.approx(level["per_step"]["coverage"], 1e-5)
    assert set(plot["asked for"]["y"]) == {numbers["intervals"][-1]["level"]}


def test_a_search_that_really_lost_says_so_first(numbers, path, opened):
    assert numbers["baselines"]["persistence"]["test"]["mse"] < numbers["test"]["mse"]
    page, _ = opened(path)
    first = page.inner_text("body").strip()
    assert re.match(r"WORSE than [\w ,]*persistence", first)
    assert page.get_attribute("h1", "class") == "lost"
    assert (path.parent / "report.md").read_text().startswith("# walk\n\n**WORSE than")


def test_what_may_be_chance_is_not_shown_as_a_gain(report_of, certain, study, tmp_path, opened):
    unclear = certain(report_of(2.0, ridge=1.9), ridge=0.4)
    page, _ = opened(written(unclear, study, tmp_path))
    assert page.inner_text("body").strip().startswith("NOT BETTER than ridge")
    assert page.get_attribute("h1", "class") == "lost"


def test_only_a_gain_beyond_chance_is_shown_as_one(report_of, certain, study, tmp_path):
    short = report_of(1.0, ridge=2.0)
    unclear, clear = certain(short, ridge=0.06), certain(short, ridge=0.001)
    rather_short = replace(clear, uncertainty=replace(clear.uncertainty, short=True))
    tones = ((short, "open"), (unclear, "open"), (rather_short, "open"), (clear, "won"))
    for report, tone in tones:
        page = written(report, study, tmp_path).read_text()
        assert re.findall(r'<h1 class="(\w+)"', page) == [tone]


def test_another_winner_tested_before_is_the_second_thing_said(report, study, tmp_path, opened):
    opening = Opening("2024-05-01T10:00:00+00:00", 4, (9,), "a" * 64, "lstm-search run", "b" * 64)
    ledger = Ledger((opening, opening), ((4, (9,)),))
    page, _ = opened(written(replace(report, ledger=ledger), study, tmp_path))
    assert page.inner_text(".caution").startswith("CAUTION: NOT A FIRST LOOK")
    assert len(page.query_selector_all("#honesty tbody tr")) >= 2


def test_a_failed_audit_is_said_before_the_figures(report, study, tmp_path, opened):
    checks = (
        Check("targets are the same", True, "one hash"),
        Check("no row leaks", False, "row 9"),
    )
    page, _ = opened(written(replace(report, audit=checks), study, tmp_path))
    assert page.inner_text(".caution").startswith("AUDIT FAILED")
    assert "no row leaks" in page.inner_text(".caution")
    assert page.inner_text(".checks .failed") == "Failed no row leaks\nrow 9"
    assert page.inner_text(".checks .passed").startswith("Passed targets are the same")


def test_a_search_that_goes_on_has_a_page_without_test_figures(report, study):
    so_far = SearchReport(
        study=report.study, task="forecast", metric="mse", winner=report.winner, seconds={},
        paths={}, facts={}, confirmation=Confirmation((Candidate(3, 0.03, (0.031, None), 3),)),
    )  # fmt: skip
    page = render_page(report_numbers(so_far), None, study_figures(study, importances(study)))
    assert "Not tested yet" in page
    assert "2 of 3 runs ended; nothing is decided yet" in page
    assert {"candidates", "history", "curves"} <= set(drawn(page))
    assert not {"forecasts-0", "differences", "optimism"} & set(drawn(page))


def test_a_click_sorts_a_table_and_another_turns_it_round(path, opened):
    page, _ = opened(path)
    column = "rows => rows.map(row => Number(row.cells[1].textContent))"
    rows = "#scores tbody tr"
    page.click("#scores thead th:nth-child(2) button")
    upwards = page.eval_on_selector_all(rows, column)
    assert upwards == sorted(upwards)
    page.click("#scores thead th:nth-child(2) button")
    assert page.eval_on_selector_all(rows, column) == upwards[::-1]


def test_a_table_is_sorted_from_the_keyboard(path, opened):
    page, _ = opened(path)
    heading = page.locator("#scores thead th:nth-child(2)")
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") is None
    next_one = page.locator("#scores thead th:nth-child(3)")
    assert next_one.get_attribute("aria-sort") == "ascending"


def test_names_are_shown_as_they_are_and_never_run(report, study, tmp_path, opened):
    forecasts = replace(report.forecasts, targets=(EVIL,))
    evil = replace(
        report,
        study=replace(report.study, name=EVIL, attributes={"identity": {EVIL: EVIL}}),
        task=f"</script><script>alert(2)</script>{EVIL}",
        forecasts=forecasts,
        facts={EVIL: "</script><script>alert(3)</script>"},
    )
    page, heard = opened(written(evil, study, tmp_path))
    assert heard.said == []
    assert page.query_selector("img") is None
    assert EVIL in page.inner_text(".about")
    assert page.text_content("#figure-forecasts-0 .ytitle") == EVIL


def test_on_paper_every_plot_fits_and_covers_nothing(path, opened):
    page, _ = opened(path, WIDE, "dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    widths = page.eval_on_selector_all(
        ".plot .main-svg", "svgs => svgs.map(svg => svg.clientWidth)"
    )
    assert max(widths) <= 680
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    heights = (
        "plots => plots.map(plot => plot.clientHeight - plot.querySelector('svg').clientHeight)"
    )
    assert min(page.eval_on_selector_all(".plot", heights)) >= 0


@pytest.mark.parametrize("targets", [1, 7])
def test_a_study_of_a_thousand_trials_and_a_long_test_set_stay_under_six_megabytes(
    make_report, tmp_path, targets
):
    report = make_report(targets=targets, windows=20_000, horizon=12)
    assert written(report, searched(1000, epochs=30), tmp_path).stat().st_size < 6_000_000
