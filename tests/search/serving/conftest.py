"""Small real bundles, and servers of them as real processes."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reports.bundle.checksums import write_checksums
from reports.bundle.metadata import (
    SCHEMA,
    Artefact,
    Column,
    Metadata,
    Preprocessing,
    Provenance,
    Tensor,
    TestScores,
    TimeAxis,
)

TIMESTEPS, HORIZON = 4, 3
PATIENCE = 60  # seconds
METADATA = Metadata(
    schema=SCHEMA,
    name="power",
    version=1,
    created="2026-01-02T03:04:05+00:00",
    task="forecast",
    input=Tensor("window", "float32", ("batch", TIMESTEPS, 2), "those of the data"),
    outputs=(Tensor("forecast", "float32", ("batch", HORIZON, 1), "those of the data"),),
    columns=tuple(
        Column(name, name == "load", 0.0, 10.0, 5.0, 2.0, (2.5, 5.0, 7.5), (0.25,) * 4)
        for name in ("load", "temp")
    ),
    targets=("load",),
    timesteps=TIMESTEPS,
    horizon=HORIZON,
    time=TimeAxis("date", "P0DT1H0M0S", None, None),
    preprocessing=Preprocessing("standard", (5.0, 5.0), (2.0, 2.0), "change", "none"),
    test=TestScores({"mse": 1.0}, {"persistence": {"mse": 2.0}}),
    provenance=Provenance("power", 3, {"units": [8]}, {"study": 0, "trial": 9}, 1, {}, {}),
    artefacts={"onnx": Artefact("model.onnx", 1e-7, 1000)},
)


def kernel(version: int = 1) -> NDArray[np.float32]:
    """What the test model multiplies windows with: (timesteps * columns, horizon)."""
    generator = np.random.default_rng(version)
    return generator.normal(size=(TIMESTEPS * 2, HORIZON)).astype(np.float32)


def expected(windows: Any, version: int = 1) -> NDArray[np.float32]:
    """What the test model answers: (batch, horizon, 1)."""
    flat = np.asarray(windows, np.float32).reshape(-1, TIMESTEPS * 2)
    return (flat @ kernel(version))[..., None]


def linear_model(version: int = 1) -> bytes:
    """A linear forecast whose kernel depends on the version."""
    window = helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", TIMESTEPS, 2])
    out = helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["batch", HORIZON, 1])
    constants = [
        numpy_helper.from_array(kernel(version), "kernel"),
        numpy_helper.from_array(np.array([-1, TIMESTEPS * 2]), "flat"),
        numpy_helper.from_array(np.array([-1, HORIZON, 1]), "steps"),
    ]
    nodes = [
        helper.make_node("Reshape", ["window", "flat"], ["flattened"]),
        helper.make_node("MatMul", ["flattened", "kernel"], ["product"]),
        helper.make_node("Reshape", ["product", "steps"], ["forecast"]),
    ]
    graph = helper.make_graph(nodes, "linear", [window], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def write_bundle(folder: Path, version: int = 1, **changes: Any) -> Path:
    """Write a bundle of this version whole, then put it where another one may be."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir()
    (unfinished / "model.onnx").write_bytes(linear_model(version))
    metadata = replace(METADATA, version=version, **changes)
    (unfinished / "metadata.json").write_text(metadata.as_json())
    write_checksums(unfinished)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.before_{version}"))
    unfinished.rename(folder)
    return folder


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


def serving(command: list[str]) -> Iterator[Serve]:
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

    yield start
    for running in started:
        running.process.terminate()
        try:
            running.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(running.process.pid, signal.SIGKILL)
            raise


@pytest.fixture
def serve(command: list[str]) -> Iterator[Serve]:
    """Start `lstm-search serve`, which has said "ready" when this returns."""
    yield from serving(command)


@pytest.fixture(scope="module")
def server(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for tests that only ask it."""
    bundle = write_bundle(tmp_path_factory.mktemp("served") / "bundle")
    start = serving(command)
    yield next(start)(bundle)
    for _ in start:
        time.sleep(0)


def some_windows(count: int, seed: int = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.normal(5, 2, size=(count, TIMESTEPS, 2)).astype(np.float32)


def some_rows(count: int = TIMESTEPS, seed: int = 0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [
        {"load": float(load), "temp": float(temp)}
        for load, temp in generator.normal(5, 2, size=(count, 2))
    ]
