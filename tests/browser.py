"""A real headless Chromium, and what it has to say about a page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

WIDE, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
CUT = """() => [...document.querySelectorAll('.plot')].flatMap(plot => {
  const [from, to] = [plot.getBoundingClientRect().left - 1, plot.getBoundingClientRect().right + 1];
  const outside = e => e.getBoundingClientRect().left < from || e.getBoundingClientRect().right > to;
  return [...plot.querySelectorAll('text')].filter(outside).map(e => `${plot.id}: ${e.textContent}`);
})"""  # texts in plots that reach beyond them
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def headless_chromium() -> Iterator[Browser]:
    """Start the system's Chromium; the test is skipped where there is none."""
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None:
        pytest.skip("there is no chromium on this machine")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@dataclass
class Heard:
    """What a page said while it was open: console messages, errors, and addresses it asked for."""

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))
