"""Counters in a file that all workers map, and their sums in Prometheus' text format.

Each worker adds to a row of its own, so nothing is locked when a request is counted, and whichever
worker is asked answers for all. A worker that takes the place of a dead one goes on with its row.
"""

import fcntl
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

ENDPOINTS = (
    "infer",
    "predict",
    "forecast",
    "classify",
    "model",
    "health",
    "metrics",
    "docs",
    "other",
)
STATUSES = (200, 400, 404, 405, 411, 413, 499, 500, 503, 0)  # 0: any other
OUTCOMES = ("accepted", "refused")
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_WORKERS = 64

_REQUESTS = len(ENDPOINTS) * len(STATUSES)
_BUCKETS = len(BOUNDS) + 1
_SECONDS = _REQUESTS + len(ENDPOINTS) * _BUCKETS  # where the sums of seconds begin
_WINDOWS = _SECONDS + len(ENDPOINTS)
_RUNNING = _WINDOWS + 1
_SWITCHES = _RUNNING + 1
_WIDTH = _SWITCHES + len(OUTCOMES)

_endpoint_index = {name: place for place, name in enumerate(ENDPOINTS)}
_status_index = {status: place for place, status in enumerate(STATUSES)}


class Metrics:
    """One worker's counters, and all workers' sums.

    Attributes:
        table: (workers, counters), shared; a row is written by one worker only.
        mine: The row of this worker.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock: BinaryIO | None = None
        self.table: NDArray[np.float64]
        if path is None:
            self.table = np.zeros((1, _WIDTH))
            self.mine = self.table[0]
        else:
            self.table = np.memmap(path, np.float64, "r+", shape=(MOST_WORKERS, _WIDTH))
            self._lock = path.open("r+b")
            self.mine = self.table[_claim_row(self._lock)]
        self.mine[_RUNNING] = 0  # those of a worker that died were lost with it

    def begin(self) -> None:
        """Count a request that is under way."""
        self.mine[_RUNNING] += 1

    def end(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        row, place = self.mine, _endpoint_index[endpoint]
        row[_RUNNING] -= 1
        row[place * len(STATUSES) + _status_index.get(status, len(STATUSES) - 1)] += 1
        row[_REQUESTS + place * _BUCKETS + bisect_left(BOUNDS, seconds)] += 1
        row[_SECONDS + place] += seconds

    def count_windows(self, windows: int) -> None:
        """Count windows that the model was fed."""
        self.mine[_WINDOWS] += windows

    def count_switch(self, outcome: str) -> None:
        """Count a new bundle that was "accepted" or "refused"."""
        self.mine[_SWITCHES + OUTCOMES.index(outcome)] += 1

    def as_text(self, name: str, version: int) -> str:
        """All workers' sums in the text format of Prometheus, version 0.0.4."""
        sums = self.table.sum(axis=0)
        return "\n".join([*_lines(sums), *_model_lines(name, version), ""])


def make_table(path: Path) -> None:
    """Make the file for `Metrics`, with all counters at zero."""
    with path.open("wb") as file:
        file.truncate(MOST_WORKERS * _WIDTH * 8)


def _claim_row(file: BinaryIO) -> int:
    """Take the first row that no living process has; the system frees it when this one ends."""
    for row in range(MOST_WORKERS):
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row, os.SEEK_SET)
        except OSError:
            continue
        return row
    raise RuntimeError(f"more than {MOST_WORKERS} workers")


def _lines(sums: NDArray[np.float64]) -> Iterator[str]:
    yield from _head("lstm_search_requests_total", "counter", "Requests answered.")
    for endpoint, place in _endpoint_index.items():
        for status, column in _status_index.items():
            if count := sums[place * len(STATUSES) + column]:
                labels = f'endpoint="{endpoint}",status="{status or "other"}"'
                yield f"lstm_search_requests_total{{{labels}}} {count:.0f}"
    yield from _head("lstm_search_request_seconds", "histogram", "Seconds from request to answer.")
    for endpoint, place in _endpoint_index.items():
        yield from _histogram(sums, endpoint, place)
    yield from _head("lstm_search_requests_running", "gauge", "Requests under way.")
    yield f"lstm_search_requests_running {sums[_RUNNING]:.0f}"
    yield from _head("lstm_search_windows_total", "counter", "Windows that the model was fed.")
    yield f"lstm_search_windows_total {sums[_WINDOWS]:.0f}"
    about = "Changed bundles that workers took up or refused."
    yield from _head("lstm_search_bundle_switches_total", "counter", about)
    for place, outcome in enumerate(OUTCOMES):
        count = sums[_SWITCHES + place]
        yield f'lstm_search_bundle_switches_total{{outcome="{outcome}"}} {count:.0f}'


def _histogram(sums: NDArray[np.float64], endpoint: str, place: int) -> Iterator[str]:
    first = _REQUESTS + place * _BUCKETS
    counts = np.cumsum(sums[first : first + _BUCKETS])
    if not counts[-1]:
        return
    for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
        labels = f'endpoint="{endpoint}",le="{bound}"'
        yield f"lstm_search_request_seconds_bucket{{{labels}}} {count:.0f}"
    label = f'{{endpoint="{endpoint}"}}'
    yield f"lstm_search_request_seconds_sum{label} {sums[_SECONDS + place]:.9g}"
    yield f"lstm_search_request_seconds_count{label} {counts[-1]:.0f}"


def _model_lines(name: str, version: int) -> Iterator[str]:
    yield from _head("lstm_search_model_info", "gauge", "The model that answers.")
    quoted = name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    yield f'lstm_search_model_info{{name="{quoted}",version="{version}"}} 1'


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
