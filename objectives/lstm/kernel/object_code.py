"""Layers' object code, handed from one trial process to the next, since compiling one takes 0.1 s."""

from collections.abc import Mapping

_MOST = 64  # of some 10 kB each

compiled: dict[str, bytes] = {}  # by the layer's sizes


def remember(found: Mapping[str, bytes]) -> None:
    """Add what another process of this machine has compiled; what has been here longest makes room."""
    compiled.update(found)
    for sizes in list(compiled)[:-_MOST]:
        del compiled[sizes]
