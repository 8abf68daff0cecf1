"""The installed packages: are they there, are they new enough, and can TensorFlow be imported?"""

import platform
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

from search.doctor.finding import Finding

_SECTION = "Software"
_PACKAGE = "lstm-search"
_SHOWN = (_PACKAGE, "tensorflow", "keras", "optuna", "numpy")
_FOR_DEVELOPERS = ("bench", "test")
_IMPORT = "from objectives.trials import trial; print(trial.gpus())"
_PATIENCE = 60  # seconds
_SLOW_IMPORT = 15  # seconds; 3 to 6 are usual
_ERROR_LINE = re.compile(r"^[\w.]*(?:Error|Exception)(?:: .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class TrialImport:
    """Whether what a trial process needs could be imported, TensorFlow above all.

    `seconds` is how long that took, `gpus` how many TensorFlow sees; `failure` says in one line why it
    failed, and is None where it did not.
    """

    seconds: float
    gpus: int = 0
    failure: str | None = None


def import_for_trials() -> TrialImport:
    """Import what a trial process imports, in a process of its own."""
    started = time.perf_counter()
    try:
        # As the server of trial processes is started, so that both find the same modules.
        done = subprocess.run(
            [sys.executable, "-P", "-c", _IMPORT],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return TrialImport(_PATIENCE, failure=f"no answer within {_PATIENCE} seconds")
    seconds = time.perf_counter() - started
    if done.returncode:
        return TrialImport(seconds, failure=_reason(done.returncode, done.stderr))
    return TrialImport(seconds, gpus=int(done.stdout.split()[-1]))


def _reason(code: int, errors: str) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = (
            ": the processor lacks instructions that it was built for" if name == "SIGILL" else ""
        )
        return f"its process was ended by {name}{hint}"
    # Of a chain of errors the first is the cause; TensorFlow's last line is about its issue tracker.
    found = _ERROR_LINE.search(errors)
    return found.group() if found else (errors.strip().splitlines() or [f"exit code {code}"])[-1]


def software_findings(imported: TrialImport) -> Iterator[Finding]:
    """What is installed, which extras are not, and whether TensorFlow can be imported."""
    needed = [Requirement(text) for text in requires(_PACKAGE) or ()]
    yield _packages([requirement for requirement in needed if _belongs(requirement, "")])
    yield _extras([requirement for requirement in needed if not _belongs(requirement, "")])
    yield _tensorflow(imported)


def _packages(needed: list[Requirement]) -> Finding:
    versions = {"python": platform.python_version()} | {name: _version(name) for name in _SHOWN}
    wrong = [requirement for requirement in needed if not _fulfilled(requirement)]
    return Finding(
        _SECTION,
        "packages",
        "missing" if wrong else "fine",
        ", ".join(f"{name} {number or 'not installed'}" for name, number in versions.items()),
        _install(*(f"{each.name}{each.specifier}" for each in wrong)) if wrong else "",
        figures=versions,
    )


def _extras(needed: list[Requirement]) -> Finding:
    present: list[str] = []
    absent: list[str] = []
    for extra in metadata(_PACKAGE).get_all("Provides-Extra") or ():
        if extra not in _FOR_DEVELOPERS:
            there = all(_fulfilled(each) for each in needed if _belongs(each, extra))
            (present if there else absent).append(extra)
    said = [f"with {', '.join(present)}"] if present else []
    said += [f"without {', '.join(absent)}, which not every search needs"] if absent else []
    return Finding(
        _SECTION,
        "extras",
        "missing" if absent else "fine",
        "; ".join(said),
        _install(f"{_PACKAGE}[{','.join(absent)}]") if absent else "",
        figures={"installed": ",".join(present), "absent": ",".join(absent)},
    )


def _tensorflow(imported: TrialImport) -> Finding:
    figures = {"import_seconds": round(imported.seconds, 2), "gpus": imported.gpus}
    if imported.failure:
        return Finding(
            _SECTION,
            "import",
            "missing",
            f"TensorFlow cannot be imported: {imported.failure}",
            f"see all of it with: {shlex.quote(sys.executable)} -c 'import tensorflow'; reinstall "
            "with: pip install --force-reinstall tensorflow keras",
            stops=True,
            figures=figures,
        )
    slow = imported.seconds > _SLOW_IMPORT
    return Finding(
        _SECTION,
        "import",
        "slow" if slow else "fine",
        f"TensorFlow is imported in {imported.seconds:.1f} s, by each worker once",
        "install it on a local disk" if slow else "",
        figures=figures,
    )


def _belongs(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _fulfilled(requirement: Requirement) -> bool:
    found = _version(requirement.name)
    return found is not None and requirement.specifier.contains(found, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _install(*what: str) -> str:
    return f"pip install {' '.join(shlex.quote(each) for each in what)}"
