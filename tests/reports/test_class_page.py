"""report.html of a classifier: what its figures show, and the page in a real browser."""

import json
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from reports.contents import SearchReport
from reports.numbers import report_numbers
from reports.page.class_figures import MOST_CLASSES, confusion_figure, reliability_figure
from reports.page.page import render_page
from tests.browser import CUT, PHONE

LABELS = ["rest", "walk", "<run>"]
MATRIX = [[40, 8, 2], [5, 25, 0], [0, 3, 17]]  # rows are the truth
BINS = [
    {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
    {"low": 0.5, "high": 0.75, "count": 25, "confidence": 0.64, "accuracy": 0.56},
    {"low": 0.75, "high": 1.0, "count": 75, "confidence": 0.9, "accuracy": 0.91},
]


def scores(accuracy: float) -> dict[str, float]:
    names = ("balanced_accuracy", "f1_macro", "roc_auc")
    return {"accuracy": accuracy, **dict.fromkeys(names, accuracy - 0.011), "log_loss": 0.437}


def worth(log_loss: float, error: float) -> dict[str, Any]:
    return {"log_loss": log_loss, "calibration_error": error, "bins": BINS}


def ends(figure: float) -> dict[str, float]:
    return {"figure": figure, "low": figure - 0.07, "high": figure + 0.07}


@pytest.fixture
def numbers(report) -> dict[str, Any]:
    so_far = SearchReport(
        study=report.study, task="tell rest, walk and run", metric="log_loss", seconds={},
        winner=report.winner, paths={}, facts={},
    )  # fmt: skip
    difference = {
        "outcome": "better",
        "accuracy": ends(0.32),
        "mcnemar": {"model_only": 37, "baseline_only": 5, "p": 0.0002, "adjusted_p": 0.0004},
    }
    return report_numbers(so_far) | {
        "verdict": "Test accuracy 0.820: better than the majority class 0.500 (p < 0.001).",
        "labels": LABELS,
        "confusion_matrix": MATRIX,
        "per_class": [
            {"label": label, "precision": 0.71 + i / 10, "recall": 0.8, "f1": 0.75, "support": 50}
            for i, label in enumerate(LABELS)
        ],
        "reliability": {"bins": BINS, "calibration_error": 0.0275},
        "validation": scores(0.84),
        "validation_folds": {"folds": 5, "deviation": scores(0.04)},
        "calibration": {
            "temperature": 1.62, "sequences": 400,
            "test": {"before": worth(0.51, 0.09), "after": worth(0.44, 0.0275)},
            "validation": {"before": worth(0.5, 0.08), "after": worth(0.42, 0.02)},
        },
        "test": scores(0.82),
        "train_only": {"test": scores(0.8)},
        "baselines": {"majority_class": {"test": scores(0.5)}},
        "uncertainty": {
            "level": 0.95, "sequences": 100, "clusters": 100, "resamples": 2000,
            "test": {"accuracy": ends(0.82)}, "differences": {"majority_class": difference},
        },
    }  # fmt: skip


def test_the_confusion_matrix_has_the_truth_in_its_rows_and_counts_in_its_cells():
    (trace,) = confusion_figure(LABELS, MATRIX).data
    assert trace["text"] == [["40", "8", "2"], ["5", "25", "0"], ["0", "3", "17"]]
    assert trace["y"] == trace["x"] == ["rest", "walk", "&lt;run&gt;"]
    assert trace["z"][0] == pytest.approx([0.8, 0.16, 0.04])
    assert trace["z"][2] == pytest.approx([0, 0.15, 0.85])


def test_a_confusion_matrix_without_room_for_its_names_is_left_out():
    many = MOST_CLASSES + 1
    assert confusion_figure(["a"] * many, [[0] * many] * many) is None


def test_a_class_that_never_came_is_an_empty_row():
    (trace,) = confusion_figure(["a", "b"], [[3, 1], [0, 0]]).data
    assert trace["z"][1] == [0, 0]


def test_the_reliability_curve_leaves_empty_bins_out():
    honest, curve = reliability_figure({"bins": BINS, "calibration_error": 0.0275}).data
    assert (curve["x"], curve["y"]) == ([0.64, 0.9], [0.56, 0.91])
    assert curve["text"] == ["25", "75"]
    assert (honest["x"], honest["y"]) == ([0, 1], [0, 1])
    assert reliability_figure({"bins": BINS[:1], "calibration_error": None}) is None


def test_the_reliability_curve_has_another_for_the_time_before_calibration():
    now = {"bins": BINS, "calibration_error": 0.0275}
    before = {"bins": BINS[2:], "calibration_error": 0.09}
    figure = reliability_figure(now, before)
    assert [trace["name"] for trace in figure.data] == [
        "as good as its word", "before calibration", "this model",
    ]  # fmt: skip
    assert figure.data[1]["x"] == [0.9]
    assert figure.note.endswith("is 0.0275; before calibration it was 0.0900.")


def brightness(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it, of "rgb(…)"."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_counts_can_be_read_on_the_emptiest_and_the_fullest_cell(scheme, numbers, opened, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_page(json.loads(json.dumps(numbers)), None, {}))
    page, _ = opened(path, scheme=scheme)
    labels = "#figure-confusion .heatmap-label text"
    counts = page.eval_on_selector_all(labels, "all => all.map(e => getComputedStyle(e).fill)")
    words = page.evaluate("getComputedStyle(document.body).color")
    ends = page.evaluate("""() => document.getElementById("figure-confusion").data[0].colorscale.map(
        ([share, colour]) => {
          document.body.style.color = colour;
          return getComputedStyle(document.body).color;
        })""")
    assert counts == [words] * 9
    for cell in ends:
        low, high = sorted((brightness(words), brightness(cell)))
        assert (high + 0.05) / (low + 0.05) > 4.5, (words, cell)


def test_on_a_phone_long_names_of_baselines_leave_room_for_the_axis(numbers, opened, tmp_path):
    differences = numbers["uncertainty"]["differences"]
    differences["linear_summary"] = differences["majority_class"]
    path = tmp_path / "report.html"
    path.write_text(render_page(json.loads(json.dumps(numbers)), None, {}))
    page, _ = opened(path, PHONE)
    assert page.evaluate(CUT) == []


def test_the_page_of_a_classifier_is_whole_in_a_browser(numbers, opened, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_page(json.loads(json.dumps(numbers)), None, {}))
    page, heard = opened(path)
    assert heard.said == []
    assert page.inner_text("h1").startswith("Test accuracy 0.820")
    names = {plot.get_attribute("id") for plot in page.query_selector_all(".plot")}
    wanted = {f"figure-{name}" for name in ("differences", "confusion", "reliability")}
    assert wanted <= names
    rows = page.eval_on_selector_all("#classes tbody tr", "rows => rows.map(r => r.innerText)")
    assert rows[2].split("\t") == ["<run>", "0.9100", "0.8000", "0.7500", "50"]
    majority = page.inner_text("#certainty tbody tr:first-child").split("\t")
    assert majority[:3] == ["the majority class", "better", "0.3200"]
    assert majority[4:] == ["37", "5", "< 0.001", "< 0.001"]
    calibrated = page.inner_text("#classes table:has-text('Calibrated by') tbody tr")
    assert calibrated.split("\t") == ["test", "0.5100", "0.4400", "0.09000", "0.02750"]
    validation = page.inner_text("#scores table:has-text('5 folds') tbody tr")
    assert validation.split("\t") == ["Accuracy", "0.8400", "0.04000"]
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
