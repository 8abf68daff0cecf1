"""Servers of small real bundles, as real processes."""

import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundles import TIMESTEPS, write_bundle
from tests.classifiers import write_classifier
from tests.text_classifiers import write_text_classifier

PATIENCE = 60  # seconds


@dataclass
class Running:
    """A server and what it has logged so far."""

    process: "subprocess.Popen[str]"
    lines: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    @property
    def port(self) -> int:
        return int(self.wait_for("listening")["url"].rpartition(":")[2])

    def follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.arrived:
                self.lines.append(json.loads(line))
                self.arrived.notify_all()
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def wait_for(self, event: str, count: int = 1, **facts: Any) -> dict[str, Any]:
        """Wait until `count` lines of this kind are in the log; gives the last of them."""

        def found() -> list[dict[str, Any]]:
            wanted = {"event": event, **facts}.items()
            return [line for line in self.lines if wanted <= line.items()]

        with self.arrived:
            self.arrived.wait_for(lambda: len(found()) >= count or self.ended, PATIENCE)
            assert len(found()) >= count, f"{event} {facts} is not in {self.lines[-20:]}"
            return found()[count - 1]

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Send one request on a connection of its own; gives the status and the answer."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connect()
        connection.request(method or ("GET" if body is None else "POST"), path, content)
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(answer) if is_json else answer


Serve = Callable[..., Running]


@contextmanager
def serving(command: list[str]) -> Iterator[Serve]:
    """Give what starts servers, and stop them all afterwards."""
    started: list[Running] = []

    def start(bundle: Path, *options: object) -> Running:
        process = subprocess.Popen(
            [*command, "serve", str(bundle), "--port", "0", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running = Running(process)
        threading.Thread(target=running.follow, daemon=True).start()
        started.append(running)
        running.wait_for("ready")
        return running

    try:
        yield start
    finally:
        for running in started:
            running.process.terminate()
        for running in started:
            try:
                running.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(running.process.pid, signal.SIGKILL)
                raise


@pytest.fixture
def serve(command: list[str]) -> Iterator[Serve]:
    """Start `lstm-search serve`, which has said "ready" when this returns."""
    with serving(command) as start:
        yield start


@pytest.fixture(scope="session")
def server(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for tests that only ask it."""
    bundle = write_bundle(tmp_path_factory.mktemp("served") / "bundle")
    with serving(command) as start:
        yield start(bundle)


@pytest.fixture(scope="session")
def classifier(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server of a classifier for tests that only ask it."""
    bundle = write_classifier(tmp_path_factory.mktemp("classifier") / "bundle")
    with serving(command) as start:
        yield start(bundle)


@pytest.fixture(scope="session")
def text_classifier(
    command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """One server of a classifier of texts for tests that only ask it."""
    bundle = write_text_classifier(tmp_path_factory.mktemp("text_classifier") / "bundle")
    with serving(command) as start:
        yield start(bundle)


def some_windows(count: int, seed: int = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.normal(5, 2, size=(count, TIMESTEPS, 2)).astype(np.float32)


def some_rows(count: int = TIMESTEPS, seed: int = 0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [
        {"load": float(load), "temp": float(temp)}
        for load, temp in generator.normal(5, 2, size=(count, 2))
    ]
