"""Fresh rows with categories, for a bundle whose training data had them: every way in encodes them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.bundle import Bundle, load_bundle
from reports.bundle.metadata import TimeAxis
from search.bundles.fresh_rows import read_rows, series_of
from search.serving.forecasting import forecast
from tests.bundles import METADATA, expected, write_bundle

WINDS = ["NW", "SE", " NW ", "a new one"]
INDICATORS = [1.0, 0.0, 1.0, 0.0]
LOADS = [5.0, 4.0, 6.0, 5.5]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A model of "load" and "wind=NW", the only wind that its training rows had."""
    load, wind = METADATA.columns
    changes: Mapping[str, Any] = {
        "columns": (load, replace(wind, name="wind=NW")),
        "categories": {"wind": ("NW",)},
        "time": TimeAxis(None, None, None, None),
        "preprocessing": replace(METADATA.preprocessing, fill=0.0),
    }
    return load_bundle(write_bundle(tmp_path / "bundle", **changes))


def answer(indicators: list[float]) -> Any:
    return expected([np.column_stack([LOADS, indicators])]).ravel()


def test_a_table_is_encoded(bundle: Bundle) -> None:
    frame = pd.DataFrame({"wind": WINDS, "load": LOADS})
    np.testing.assert_allclose(bundle.predict(frame)["forecast"], answer(INDICATORS), rtol=1e-5)


def test_a_file_is_encoded_and_a_missing_category_is_none(bundle: Bundle, tmp_path: Path) -> None:
    frame = pd.DataFrame({"wind": [None, *WINDS[1:]], "load": LOADS})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    series = series_of(read_rows(str(tmp_path / "rows.csv")), bundle.metadata)
    np.testing.assert_array_equal(series.values, np.column_stack([LOADS, [0.0, 0.0, 1.0, 0.0]]))


def test_a_request_is_encoded(bundle: Bundle) -> None:
    rows = [{"wind": wind, "load": load} for wind, load in zip(WINDS, LOADS, strict=True)]
    rows[0]["wind"] = None
    found, _ = forecast(bundle, {"rows": rows})
    values = [step["load"] for step in found["forecast"]]
    np.testing.assert_allclose(values, answer([0.0, 0.0, 1.0, 0.0]), rtol=1e-5)
