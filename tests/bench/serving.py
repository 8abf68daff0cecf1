"""Latency and requests per second of `lstm-search serve`, with wrk on loopback.

Without a bundle it serves an LSTM(64) on windows of 24 rows and 7 columns.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from onnx import TensorProto, helper, numpy_helper

from reports.bundle import load_bundle
from reports.bundle.metadata import Column, Tensor
from tests.bundles import METADATA, as_bytes, write_bundle

SECONDS = 8
ROWS, COLUMNS, UNITS, HORIZON = 24, 7, 64, 12
SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}")
wrk.body = file:read("*a")
file:close()
"""
TARGETS = {
    "p50 ms, batch 1, 1 client": 1.0,
    "requests/s, batch 1, 8 clients": 3000.0,
    "RSS MiB": 120.0,
}


def lstm_bundle(folder: Path) -> Path:
    """A bundle of an LSTM whose weights are drawn, since speed does not depend on them."""
    generator = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(generator.normal(0, 0.1, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Transpose", ["window"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["by_time", "w", "r"], ["", "last"], hidden_size=UNITS),
        helper.make_node("Squeeze", ["last", "axis"], ["state"]),
        helper.make_node("MatMul", ["state", "head"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "end"], ["forecast"]),
    ]
    constants = [
        constant("w", 1, 4 * UNITS, COLUMNS),
        constant("r", 1, 4 * UNITS, UNITS),
        constant("head", UNITS, HORIZON),
        numpy_helper.from_array(np.array([0]), "axis"),
        numpy_helper.from_array(np.array([2]), "end"),
    ]
    window = helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", ROWS, COLUMNS])
    out = helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["batch", HORIZON, 1])
    graph = helper.make_graph(nodes, "lstm", [window], [out], constants)
    one: Column = METADATA.columns[0]
    return write_bundle(
        folder,
        1,
        as_bytes(graph),
        input=Tensor("window", "float32", ("batch", ROWS, COLUMNS), "those of the data"),
        outputs=(Tensor("forecast", "float32", ("batch", HORIZON, 1), "those of the data"),),
        columns=tuple(replace(one, name=f"c{i}", target=i == 0) for i in range(COLUMNS)),
        targets=("c0",),
        timesteps=ROWS,
        horizon=HORIZON,
    )


@contextmanager
def served(bundle: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a server of the bundle with one worker, and its process."""
    command = [sys.executable, "-c", "from search.cli import main; main()", "serve", str(bundle)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([*command, "--port", "8399"], stdout=log)
        try:
            while True:
                log.seek(0)
                if any('"ready"' in line for line in log.read().splitlines()):
                    break
                if process.poll() is not None:
                    raise SystemExit("the server did not start")
            yield "http://127.0.0.1:8399", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def load(url: str, body: Path, clients: int) -> dict[str, float]:
    """Ask for some seconds; gives p50 and p99 in milliseconds, and requests per second."""
    script = body.with_suffix(".lua")
    script.write_text(SCRIPT.format(body=body))
    command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    found = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", said))
    parts = {name: re.fullmatch(r"([\d.]+)(us|ms|s)", text) for name, text in found.items()}
    latency = {name: float(part[1]) * units[part[2]] for name, part in parts.items() if part}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    return {
        "p50 ms": latency["50"],
        "p99 ms": latency["99"],
        "requests/s": float(rate[1]) if rate else 0,
    }


def measure(bundle: Path, folder: Path) -> dict[str, float]:
    """Every figure by its name."""
    about = load_bundle(bundle).metadata
    figures: dict[str, float] = {}
    with served(bundle) as (url, process):
        for batch in (1, 64):
            window = [[column.mean for column in about.columns]] * about.timesteps
            shape = [batch, about.timesteps, len(about.columns)]
            tensor = {"name": about.input.name, "shape": shape, "datatype": "FP32"}
            body = folder / f"batch_{batch}.json"
            body.write_text(json.dumps({"inputs": [{**tensor, "data": [window] * batch}]}))
            for clients in (1, 8):
                found = load(f"{url}/v2/models/{about.name}/infer", body, clients)
                ending = f"batch {batch}, {clients} client{'s' * (clients > 1)}"
                figures |= {f"{name}, {ending}": value for name, value in found.items()}
        figures["RSS MiB"] = process.memory_info().rss / 2**20
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", type=Path)
    given = parser.parse_args().bundle
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = measure(given or lstm_bundle(folder / "bundle"), folder)
    rows = []
    for name, value in figures.items():
        target = TARGETS.get(name)
        met = None
        if target is not None:
            met = value >= target if name.startswith("requests") else value <= target
        rows.append({"name": name, "value": round(value, 3), "target": target, "met": met})
        print(f"{name:40} {value:10.3f}  {'' if target is None else f'target {target:g}: {met}'}")
    Path("runs").mkdir(exist_ok=True)
    Path("runs/bench-serve.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
