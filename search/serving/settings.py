"""How a bundle is served."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Serving:
    """What `lstm-search serve` was told.

    Attributes:
        bundle: The folder or archive of the bundle, looked at again every `look_seconds`.
        host: The address to listen on.
        port: The port; 0 for any free one.
        workers: Processes that answer.
        body_limit: Bytes that a request's body may have.
        access_log: Whether each request is logged.
        grace_seconds: How long a shutdown waits for requests under way.
        look_seconds: From one look at the bundle's files to the next.
        metrics: The file in which workers share their counters; None while there is none.
    """

    bundle: Path
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    body_limit: int = 16 * 2**20
    access_log: bool = True
    grace_seconds: int = 30
    look_seconds: float = 1.0
    metrics: Path | None = None
