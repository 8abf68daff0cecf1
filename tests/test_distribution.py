"""What `pip install` takes from a checkout."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGES = ("objectives", "storage", "reports", "search")


def test_the_wheel_has_every_file_of_the_packages_but_the_readme_pictures(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in PACKAGES:
        copytree(ROOT / name, tmp_path / name, ignore=ignore_patterns("__pycache__", "pictures"))
    expected = {
        str(path.relative_to(tmp_path))
        for name in PACKAGES
        for path in (tmp_path / name).rglob("*")
        if path.is_file()
    }
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "wheels", "."]
    subprocess.run([*command, *options], cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    kept = {name for name in ZipFile(wheel).namelist() if not name.startswith("lstm_search-")}
    assert kept == expected
