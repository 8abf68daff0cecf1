"""The pictures of a classifier's test."""

import numpy as np
import pytest

from reports.classification.contents import Bin, Reliability
from reports.classification.figures import draw_confusion, draw_reliability
from reports.page.class_figures import MOST_CLASSES

MATRIX = np.array([[40, 10], [0, 0]])
WORTH = Reliability([Bin(0.5, 0.6, 10, 0.55, 0.4), Bin(0.9, 1.0, 30, 0.95, 1.0)], 0.075)


def test_cells_hold_counts_and_are_coloured_by_their_share_of_the_row():
    (axes,) = draw_confusion(["cat", "a $dog with a very long name"], MATRIX, "Right").axes
    assert [text.get_text() for text in axes.texts] == ["40", "10", "0", "0"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0, 0]])
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == ["cat", "a $dog with a very …"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("Truth", "Predicted")


def test_classes_without_room_for_their_names_are_not_drawn():
    many = MOST_CLASSES + 1
    assert draw_confusion(["a"] * many, np.eye(many, dtype=int), "Right") is None
    (axes,) = draw_confusion(["a"] * (many - 1), np.eye(many - 1, dtype=int), "Right").axes
    assert not axes.texts


@pytest.mark.parametrize(
    ("before", "names"),
    [
        (None, ["as good as its word", "this model"]),
        (WORTH, ["as good as its word", "before calibration", "this model"]),
    ],
)
def test_the_reliability_curve_has_what_calibration_changed(before, names):
    (axes,) = draw_reliability(WORTH, before).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines) == names
    np.testing.assert_allclose(lines["this model"].get_xydata(), [[0.55, 0.4], [0.95, 1.0]])
    assert "0.0750" in axes.get_title("left")
