"""Latency and requests per second of `lstm-search serve`, with wrk on loopback, beside other servers.

    python -m tests.bench.serving [BUNDLE] [--mlflow EXECUTABLE] [--mlserver EXECUTABLE]

Without a bundle it is an LSTM(64) on windows of 24 rows and 7 columns. The others, which want an
environment of their own, are looked for on the PATH; both need onnxruntime, MLflow also onnx.
"""

import argparse
import json
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from reports.bundle import load_bundle
from reports.bundle.metadata import Column, Tensor
from reports.bundle.writing import complete_bundle
from tests.bench.contenders import HOST, Contender, memory, mlflow, mlserver, ours, running
from tests.bundles import METADATA, as_bytes

SECONDS = 8
ROWS, COLUMNS, UNITS, HORIZON = 24, 7, 64, 12
NO_DATA = {"source": "none", "trained_on": "nothing", "fingerprint": "none"}
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
    about = replace(
        METADATA,
        input=Tensor("window", "float32", ("batch", ROWS, COLUMNS), "those of the data"),
        outputs=(Tensor("forecast", "float32", ("batch", HORIZON, 1), "those of the data"),),
        columns=tuple(replace(one, name=f"c{i}", target=i == 0) for i in range(COLUMNS)),
        targets=("c0",),
        timesteps=ROWS,
        horizon=HORIZON,
        provenance=replace(METADATA.provenance, versions=_versions(), data=NO_DATA),
    )
    folder.mkdir()
    (folder / "model.onnx").write_bytes(as_bytes(graph))
    complete_bundle(folder, about, {})
    return folder


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in ("numpy", "onnx", "onnxruntime")}
    return {**found, "python": platform.python_version()}


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


def measure(contender: Contender, bundle: Path, folder: Path) -> dict[str, float]:
    """Every figure of a server by its name."""
    about = load_bundle(bundle).metadata
    window = [[column.mean for column in about.columns]] * about.timesteps
    figures: dict[str, float] = {}
    with running(contender, contender.body([window])) as process:
        for batch in (1, 64):
            body = folder / f"batch_{batch}.json"
            body.write_bytes(contender.body([window] * batch))
            for clients in (1, 8):
                found = load(f"http://{HOST}:{contender.port}{contender.path}", body, clients)
                ending = f"batch {batch}, {clients} client{'s' * (clients > 1)}"
                figures |= {f"{name}, {ending}": value for name, value in found.items()}
        figures["RSS MiB"] = memory(process)
    return figures


def contenders(given: argparse.Namespace, bundle: Path, folder: Path) -> Iterator[Contender]:
    """Ours, and the others as far as they are installed."""
    yield ours(bundle)
    if given.mlflow is None:
        print("mlflow models serve: not installed")
    else:
        yield mlflow(given.mlflow, bundle)
    if given.mlserver is None:
        print("MLServer: not installed")
    else:
        yield mlserver(given.mlserver, bundle, folder)


def rows(server: str, figures: dict[str, float], *, judged: bool) -> Iterator[dict[str, Any]]:
    """A row for each figure, with its target and whether that is met where there is one."""
    for name, value in figures.items():
        target = TARGETS.get(name) if judged else None
        row = {"server": server, "name": name, "value": round(value, 3)}
        if target is not None:
            met = value >= target if name.startswith("requests") else value <= target
            row |= {"target": target, "met": met}
        yield row


def main() -> None:
    """Print every figure and write them to runs/bench-serve.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", type=Path)
    for other in ("mlflow", "mlserver"):
        parser.add_argument(f"--{other}", default=shutil.which(other), help="its executable")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = given.bundle or lstm_bundle(folder / "bundle")
        for number, contender in enumerate(contenders(given, bundle, folder)):
            for row in rows(contender.name, measure(contender, bundle, folder), judged=number == 0):
                goal = f"target {row['target']:g}: {row['met']}" if "target" in row else ""
                print(
                    f"{row['server']:20} {row['name']:32} {row['value']:10.3f}  {goal}", flush=True
                )
                found.append(row)
    Path("runs").mkdir(exist_ok=True)
    Path("runs/bench-serve.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
