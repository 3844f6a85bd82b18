"""A browser for the whole session; without one the tests are skipped, and in CI they fail."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.page.parts import Page
from reports.page.render import write_page

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
Open = Callable[..., Any]


def chromium() -> str:
    """Path of Debian's Chromium.

    Where there is none the test is skipped, and fails where CI is true.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    reason = "needs Chromium: apt-get install chromium"
    if path is None and os.environ.get("CI"):
        pytest.fail(reason)
    return path or pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a page, waits until it is drawn; the test fails if the console has had an error."""
    complaints: list[str] = []
    contexts = []

    def opened(page: Page, *, width: int = 1400, dark: bool = False) -> Any:
        path = tmp_path / "index.html"
        write_page(path, page)
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            offline=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda note: complaints.append(note.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else
               complaints.append(r.url))  # fmt: skip
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-drawn]", timeout=60_000)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
