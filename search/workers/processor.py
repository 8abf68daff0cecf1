"""This machine's processor, as the operating system describes it."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

_LISTING = Path("/proc/cpuinfo")
_VECTORS = {"avx2": "AVX2", "avx512f": "AVX-512"}


@dataclass(frozen=True)
class Processor:
    """A processor's model, and which wide instructions it has; None where that is not listed."""

    name: str
    vectors: tuple[str, ...] | None

    @property
    def text(self) -> str:
        """Both in words."""
        if self.vectors is None:
            return f"{self.name}: its instructions are not listed here"
        return f"{self.name} with {' and '.join(self.vectors) or 'neither AVX2 nor AVX-512'}"


def processor_here() -> Processor:
    """This machine's processor."""
    try:
        listing = _LISTING.read_text()
    except OSError:
        listing = ""
    flags = re.search(r"^flags\s*:(.*)$", listing, re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.*)$", listing, re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    if flags is None:
        return Processor(name, None)
    known = set(flags[1].split())
    return Processor(name, tuple(shown for flag, shown in _VECTORS.items() if flag in known))
