"""Servers of one bundle, each started as its own manual says, with one worker."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from reports.bundle import load_bundle
from tests.servers import free_port

PATIENCE = 120  # seconds for a server to start
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Contender:
    """How a server is started, and where it takes windows in which form.

    `inputs` is what the body has under that key: tensors of the Open Inference Protocol, or windows.
    """

    name: str
    command: tuple[str, ...]
    port: int
    path: str
    inputs: str = "tensors"

    def body(self, windows: list[Any]) -> bytes:
        """The request for these windows (batch, timesteps, columns)."""
        if self.inputs == "windows":
            return json.dumps({"inputs": {"window": windows}}).encode()
        shape = [len(windows), len(windows[0]), len(windows[0][0])]
        flat = [value for window in windows for row in window for value in row]
        tensor = {"name": "window", "shape": shape, "datatype": "FP32", "data": flat}
        return json.dumps({"inputs": [tensor]}).encode()


def ours(bundle: Path) -> Contender:
    """`lstm-search serve`."""
    port, name = free_port(), load_bundle(bundle).metadata.name
    main = "from search.cli import main; main()"
    command = (sys.executable, "-c", main, "serve", str(bundle), "--port", str(port))
    return Contender("lstm-search serve", command, port, f"/v2/models/{name}/infer")


def mlflow(executable: str, bundle: Path) -> Contender:
    """`mlflow models serve`, which reads the bundle's MLmodel."""
    port = free_port()
    place = ("--host", HOST, "--port", str(port), "--workers", "1", "--env-manager", "local")
    command = (executable, "models", "serve", "--model-uri", str(bundle), *place)
    return Contender("mlflow models serve", command, port, "/invocations", "windows")


def mlserver(executable: str, bundle: Path, folder: Path) -> Contender:
    """MLServer, which has no runtime for ONNX, with one of a few lines in its own process."""
    port = free_port()
    name = "power"
    runtime = Path(__file__).with_name("mlserver_runtime.py")
    settings = {
        "host": HOST,
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
    }
    model = {
        "name": name,
        "implementation": "mlserver_runtime.OnnxRuntime",
        "parameters": {"uri": str((bundle / "model.onnx").resolve())},
    }
    (folder / runtime.name).write_bytes(runtime.read_bytes())
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = (executable, "start", str(folder))
    return Contender("MLServer", command, port, f"/v2/models/{name}/infer")


@contextmanager
def running(contender: Contender, body: bytes) -> Iterator[psutil.Process]:
    """Give the server's process once it has answered a request, and stop it afterwards.

    Raises:
        SystemExit: it ends, or does not answer in time.
    """
    tools = Path(contender.command[0]).parent  # what a command calls is beside it
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    with tempfile.TemporaryFile("w+") as log:
        started = subprocess.Popen(
            contender.command, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        process = psutil.Process(started.pid)
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(contender, body):
                if started.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"{contender.name} does not answer:\n{log.read()[-2000:]}")
                time.sleep(0.2)
            yield process
        finally:
            family = [*process.children(recursive=True), process]
            for member in family:
                member.terminate()
            psutil.wait_procs(family, PATIENCE)


def _answers(contender: Contender, body: bytes) -> bool:
    connection = HTTPConnection(HOST, contender.port, timeout=PATIENCE)
    try:
        connection.request("POST", contender.path, body, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def memory(process: psutil.Process) -> float:
    """Resident memory of a server's processes together, in MiB."""
    family = [process, *process.children(recursive=True)]
    return float(sum(member.memory_info().rss for member in family) / 2**20)
