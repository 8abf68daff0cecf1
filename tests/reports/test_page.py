"""report.html in a real browser, from disk, without a network."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from reports.contents import StudyReport
from reports.numbers import report_numbers
from reports.page.page import render_page
from reports.wording import duration, number, percent, setting
from search.study_figures import importances, study_figures
from tests.browser import Heard

WIDE, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
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
def path(report: StudyReport, study: optuna.Study, tmp_path: Path) -> Path:
    return written(report, study, tmp_path)


Opened = Callable[..., tuple[Page, Heard]]


@pytest.fixture
def opened(chromium: Browser) -> Opened:
    """Open a page with the network off and wait until all is drawn."""

    def open_page(path: Path, size: dict[str, int] = WIDE, scheme: str = "light"):
        phone = size is PHONE
        context = chromium.new_context(
            viewport=size, color_scheme=scheme, offline=True, has_touch=phone, is_mobile=phone
        )
        page, heard = context.new_page(), Heard()
        heard.listen(page)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn=all]")
        return page, heard

    return open_page


DRAWN = """plot => plot.querySelectorAll(
  '.scatterlayer .trace, .barlayer .point, .contour, .hm image').length"""


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
def test_the_page_opens_from_disk_whole_and_without_complaint(path, opened, size, scheme):
    page, heard = opened(path, size, scheme)
    assert heard.said == []
    assert heard.asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    plots = page.query_selector_all(".plot")
    assert len(plots) == 12
    assert all(plot.evaluate(DRAWN) for plot in plots)
    widths = [plot.query_selector("svg").bounding_box()["width"] for plot in plots]
    assert max(widths) <= size["width"]


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(path, opened, scheme):
    page, _ = opened(path, WIDE, scheme)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


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
        return [*ways, str(leaf)]
    return [str(leaf)]


def strangers(text: str, numbers: dict[str, object]) -> set[str]:
    known = {f for leaf in leaves(numbers) for way in sayings(leaf) for f in FIGURES.findall(way)}
    return set(FIGURES.findall(text)) - known


def test_every_number_on_the_page_comes_from_report_json(report, study, path, opened):
    page, _ = opened(path)
    text = page.evaluate(WORDS)
    numbers = json.loads(json.dumps(report_numbers(report)))
    assert len(FIGURES.findall(text)) > 80
    assert strangers(text, numbers) == set()
    del numbers["baselines"], numbers["verdict"]
    assert strangers(text, numbers)


def test_the_plots_show_the_numbers_of_report_json(report, study):
    numbers = report_numbers(replace(report, importances=importances(study)))
    page = render_page(numbers, report.forecasts, study_figures(study, importances(study)))
    drawn = {
        name: json.loads(text)
        for name, text in re.findall(
            r'id="figure-([\w-]+)".*?<script type="application/json">(.*?)</script>', page, re.S
        )
    }
    steps = {trace["name"]: trace["y"] for trace in drawn["steps"]["data"]}
    assert steps["refitted model"] == pytest.approx(numbers["test"]["per_step"]["rmse"], 1e-5)
    assert steps["ridge"] == pytest.approx(
        numbers["baselines"]["ridge"]["test"]["per_step"]["rmse"], 1e-5
    )
    bars = drawn["importances"]["data"][0]
    shares = dict(zip(bars["y"], bars["x"], strict=True))
    assert shares == pytest.approx(numbers["importances"], abs=1e-5)
    curve = next(t for t in drawn["curves"]["data"] if t["name"] == "validation mse")
    assert curve["y"] == pytest.approx(numbers["curves"]["validation"], 1e-5)


def test_a_loss_is_the_first_thing_said(report_of, study, tmp_path, opened):
    page, _ = opened(written(report_of(2.0, ridge=1.5, persistence=3.0), study, tmp_path))
    assert page.inner_text("body").strip().startswith("WORSE than ridge")
    assert page.get_attribute("h1", "class") == "lost"


def test_a_click_sorts_a_table_and_another_turns_it_round(path, opened):
    page, _ = opened(path)
    column = "rows => rows.map(row => Number(row.cells[1].textContent))"
    rows = "#scores tbody tr"
    page.click("#scores thead th:nth-child(2) button")
    upwards = page.eval_on_selector_all(rows, column)
    assert upwards == sorted(upwards)
    page.click("#scores thead th:nth-child(2) button")
    assert page.eval_on_selector_all(rows, column) == upwards[::-1]


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
