"""Does the model answer here as it did where it was made? Needs numpy and onnxruntime, nothing else."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-4  # of a target's deviation in training, or of probability


def check_files() -> None:
    """End with a message where a file is missing or not what it was."""
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split("  ", 1)
        if not (HERE / name).is_file():
            sys.exit(f"{name} is missing: get a fresh copy")
        if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != expected:
            sys.exit(f"{name} was changed after the bundle was made: get a fresh copy")


def check_answers() -> float:
    """Feed the golden windows to the model; gives the greatest difference."""
    metadata = json.loads((HERE / "metadata.json").read_text(encoding="utf-8"))
    model = str(HERE / "model.onnx")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [found.name for found in session.get_outputs()]
    spread = [column["deviation"] or 1.0 for column in metadata["columns"] if column["target"]]
    units = {"forecast": np.array(spread), "quantiles": np.array(spread)[:, None]}
    greatest = 0.0
    with np.load(HERE / "golden.npz", allow_pickle=False) as golden:
        fed = metadata["input"]["name"]
        answers = session.run(names, {fed: golden[fed]})
        for name, answer in zip(names, answers, strict=True):
            difference = float(np.max(np.abs(answer - golden[name]) / units.get(name, 1.0)))
            if not difference <= TOLERANCE:
                sys.exit(
                    f"{name} differs from what the model gave where it was made by "
                    f"{difference:.2g}; {TOLERANCE:g} is allowed"
                )
            greatest = max(greatest, difference)
    return greatest


if __name__ == "__main__":
    check_files()
    print(f"fine: files are whole, answers differ by at most {check_answers():.1e}")
