"""Programs that run where this package is not."""

import os
import subprocess
import sys
from pathlib import Path


def run_elsewhere(folder: Path, script: str, *arguments: str) -> None:
    """Run Python code in a folder; it fails where something of ours is imported.

    Raises:
        AssertionError: the code failed, or imported it.
    """
    named = "\nprint(*(name for name in sys.modules if name.split('.')[0] == 'objectives'))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}{named}", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "", "nothing of ours is imported"
