"""The bundle that is served, and its exchange for a newer one while requests are answered."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reports.bundle import Bundle, BundleError, load_bundle
from search.serving.log import write_line
from search.serving.metrics import Metrics
from search.serving.rows import example_inputs

Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass
class Served:
    """The bundle in use, which a request takes once; a switch puts another one in its place.

    Attributes:
        path: Where the bundle is.
        bundle: The one in use.
        tried: The files as they were when they were last loaded, or refused.
    """

    path: Path
    bundle: Bundle
    tried: Fingerprint

    async def watch(self, metrics: Metrics, look_seconds: float) -> None:
        """Switch when the files have changed, and stayed the same for one look; never ends."""
        last = self.tried
        while True:
            await asyncio.sleep(look_seconds)
            found = await asyncio.to_thread(fingerprint, self.path)
            if found not in (self.tried, ()) and found == last:
                await self.switch(metrics)
            last = found

    async def switch(self, metrics: Metrics) -> None:
        """Load what is at the path now and serve it, unless it is broken or another study's."""
        # Known before it is loaded, so that a look meanwhile leaves it alone.
        self.tried = await asyncio.to_thread(fingerprint, self.path)
        try:
            new = await asyncio.to_thread(load_tried, self.path)
            self._check(new)
        except (BundleError, OSError) as error:
            metrics.count_switch("refused")
            kept = self.bundle.metadata.version
            write_line("refused", pid=os.getpid(), reason=str(error), kept_version=kept)
        else:
            before, self.bundle = self.bundle.metadata.version, new
            metrics.count_switch("accepted")
            version = new.metadata.version
            write_line("switched", pid=os.getpid(), version=version, from_version=before)

    def _check(self, new: Bundle) -> None:
        ours, theirs = self.bundle.metadata, new.metadata
        if (ours.name, ours.task) != (theirs.name, theirs.task):
            raise BundleError(
                f"{self.path}: expected a {ours.task} model named {ours.name!r}, which clients ask "
                f"for. Received: a {theirs.task} model named {theirs.name!r}"
            )


def load_served(path: Path) -> Served:
    """Load a bundle to serve it.

    Raises:
        reports.bundle.BundleError: it cannot be used.
    """
    found = fingerprint(path)
    return Served(path, load_tried(path), found)


def load_tried(path: Path) -> Bundle:
    """Load a bundle, and let it answer once before anybody asks it.

    Raises:
        reports.bundle.BundleError: it cannot be used, or its answer is not finite.
    """
    bundle = load_bundle(path)
    about = bundle.metadata
    try:
        bundle.run(np.array(example_inputs(about)))
    except BundleError as error:
        what = "the training data's means" if about.text_column is None else "a text"
        raise BundleError(f"{path}: on {what} {error}") from None
    except Exception as error:  # onnxruntime's errors have no common class
        reason = " ".join(str(error).split())
        raise BundleError(f"{path}: the model cannot be run: {reason}") from None
    return bundle


def fingerprint(path: Path) -> Fingerprint:
    """What changes whenever a file of the bundle does, read without opening one; () without files."""
    try:
        paths = [path] if path.is_file() else sorted(path.resolve().rglob("*"))
        found = [(str(each), each.stat()) for each in paths]
    except OSError:  # it is being replaced right now
        return ()
    return tuple((name, about.st_mtime_ns, about.st_size, about.st_ino) for name, about in found)
