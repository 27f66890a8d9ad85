"""A demo in a process of its own, and a headless Chromium, for the tests of its pages.

The pictures go into the folder that PICTURES names, else into pytest's own. DEMO_URL drives a demo that runs already.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import Tab, browser

START_S = 40.0
"""A loaded machine takes so long for it; an idle one two seconds."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives the demo in headless Chromium (make browser)")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Where the demo's page is."""
    if given := os.environ.get("DEMO_URL"):
        yield given
        return
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "terminal", "demo", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert demo.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", (line := await demo.stdout.readline()).decode())):
                assert line, "the demo ended before it said where its page is"
        drain = asyncio.create_task(demo.stdout.read())
        yield found[0]
        if demo.returncode is None:
            demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(START_S):
            assert await demo.wait() == 0
        await drain
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    program = chromium.find()
    assert program is not None
    async with browser(program, tmp_path / "profile") as tab:
        yield tab


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
