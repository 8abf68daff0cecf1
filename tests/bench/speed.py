"""`make bench`: prints one table and writes runs/bench.json; every figure is a ratio within this run.

    python tests/bench/speed.py [--data ETTh1.csv] [--out runs/bench.json]

Without the file of ETTh1 the whole search is not compared; without torch `step_vs_torch` is null.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median

from rich.console import Console
from rich.table import Table
from searches import against_hand_written, over_rows, over_trials, over_workers

HERE = Path(__file__).parent
ROUNDS = 3
SHAPES = (  # (timesteps, batch, depth), each with every width
    (24, 32, 1),
    (48, 64, 1),
    (168, 128, 1),
    (96, 32, 2),
    (48, 128, 2),
    (24, 64, 3),
)
UNITS = (16, 32, 64, 128, 256)
FEATURES = 7


class Stepper:
    """A process of `step.py` on one core, asked again and again so that kinds can take turns."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "step.py"), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"},
        )

    def milliseconds(self, cell: dict[str, int]) -> float:
        """Of one step of a cell."""
        print(json.dumps(cell), file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def gigaflops(cell: dict[str, int], milliseconds: float) -> float:
    """Of the LSTM layers' matrix products, forward and backward."""
    units, inputs, total = cell["units"], FEATURES, 0
    for _ in range(cell["depth"]):
        total += 3 * 2 * cell["batch"] * cell["timesteps"] * 4 * units * (inputs + units)
        inputs = units
    return total / milliseconds / 1e6


def compare_steps() -> list[dict[str, object]]:
    """Median milliseconds of every kind for every cell, the kinds taking turns."""
    kinds = ["ours", "keras", "matmul"]
    if importlib.util.find_spec("torch"):
        kinds.append("torch")
    steppers = {kind: Stepper(kind) for kind in kinds}
    found = []
    for units in UNITS:
        for timesteps, batch, depth in SHAPES:
            work = units * (units + 40) * timesteps * batch * depth
            steps = int(min(60, max(8, 4e9 / work)))
            cell = {"units": units, "timesteps": timesteps, "batch": batch, "depth": depth}
            times: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(ROUNDS):
                for kind in kinds:
                    times[kind].append(steppers[kind].milliseconds({**cell, "steps": steps}))
            found.append({**cell, **{kind: median(values) for kind, values in times.items()}})
    for stepper in steppers.values():
        stepper.close()
    return found


def step_figures(cells: list[dict[str, object]]) -> dict[str, object]:
    """The ratios that the cells give."""

    def ratios(kind: str, most: int = max(UNITS)) -> list[float]:
        return [c[kind] / c["ours"] for c in cells if kind in c and c["units"] <= most]

    fractions = []
    for cell in cells:
        product = 2 * cell["batch"] * cell["timesteps"] * 4 * cell["units"] ** 2
        fractions.append(gigaflops(cell, cell["ours"]) / (product / cell["matmul"] / 1e6))
    torch = ratios("torch")
    return {
        "step_vs_keras": {
            "geomean": geometric_mean(ratios("keras")),
            "geomean_up_to_64_units": geometric_mean(ratios("keras", 64)),
            "min": min(ratios("keras")),
        },
        "step_vs_torch": {
            "geomean": geometric_mean(torch) if torch else None,
            "min": min(torch) if torch else None,
        },
        "fraction_of_matmul": {"median": median(fractions), "max": max(fractions)},
        "steps": cells,
    }


def show_steps(cells: list[dict[str, object]], console: Console) -> None:
    """One row for each cell."""
    table = Table("units", "timesteps", "batch", "depth", "ours ms", "Keras", "torch", "GFLOP/s")
    for cell in cells:
        sizes = [str(cell[name]) for name in ("units", "timesteps", "batch", "depth")]
        others = [
            f"{cell[kind] / cell['ours']:.2f}×" if kind in cell else "-"
            for kind in ("keras", "torch")
        ]
        table.add_row(
            *sizes, f"{cell['ours']:.2f}", *others, f"{gigaflops(cell, cell['ours']):.0f}"
        )
    console.print(table)


def processor() -> str:
    """What the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    """Run everything and write the file as parts of it are done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="ETTh1.csv, for the whole search")
    parser.add_argument("--out", type=Path, default=Path("runs/bench.json"))
    arguments = parser.parse_args()
    console = Console(width=110)
    figures: dict[str, object] = {"machine": f"{os.cpu_count()} cores of {processor()}"}
    cells = compare_steps()
    figures |= step_figures(cells)
    show_steps(cells, console)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2))
    parts = [over_rows, over_workers, over_trials]
    if arguments.data:
        parts.insert(0, partial(against_hand_written, arguments.data))
    for part in parts:
        figures |= part()
        arguments.out.write_text(json.dumps(figures, indent=2))
    console.print_json(json.dumps({k: v for k, v in figures.items() if k != "steps"}))


if __name__ == "__main__":
    main()
