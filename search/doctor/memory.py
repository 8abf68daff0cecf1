"""The memory that a search may use: the machine's, or less where a container allows less."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from search.doctor.finding import GIGABYTE

WORKER_MEMORY = 0.7 * GIGABYTE  # a worker and its trial, whose process was seen at 631 MiB at most
SHARED_MEMORY = 0.5 * GIGABYTE  # the command itself, and TensorFlow's code, which workers share


@dataclass(frozen=True)
class Memory:
    """Bytes that the machine, or the container around this process, has in all and to spare."""

    total: int
    available: int

    @property
    def workers(self) -> int:
        """How many workers what is available suffices for."""
        return max(0, int((self.available - SHARED_MEMORY) // WORKER_MEMORY))


def memory_here(membership: Path, control_groups: Path) -> Memory:
    """The machine's memory, or less where a control group above this process allows less.

    Args:
        membership: lists this process's control groups, as /proc/self/cgroup does.
        control_groups: where their files are, as /sys/fs/cgroup.
    """
    machine = psutil.virtual_memory()
    found = Memory(machine.total, machine.available)
    for folder in _memory_groups(membership, control_groups):
        for version in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            found = _narrowed(found, folder, version)
    return found


def _memory_groups(membership: Path, control_groups: Path) -> Iterator[Path]:
    """The folders of the control groups that limit this process, which need not exist."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", maxsplit=2)
        top = control_groups / controllers if controllers in ("", "memory") else None
        if top is not None:
            below = Path(path.lstrip("/"))
            yield from (top / group for group in (below, *below.parents))


def _narrowed(memory: Memory, folder: Path, version: tuple[str, str, str]) -> Memory:
    limit, usage, cache = version
    try:
        most, used = ((folder / name).read_text().strip() for name in (limit, usage))
        statistics = dict(
            line.split() for line in (folder / "memory.stat").read_text().splitlines()
        )
    except OSError:
        return memory
    if not most.isdigit():  # "max"
        return memory
    # Files in the cache count as used, but give way.
    spare = max(0, int(most) - int(used) + int(statistics.get(cache, 0)))
    return Memory(min(memory.total, int(most)), min(memory.available, spare))
