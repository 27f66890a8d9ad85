"""A headless Chromium and a demo for the tests of pages: one of each for all of a process's tests, which have a context
of their own and an empty lane.

The pictures go into the folder that PICTURES names, else into pytest's own. DEMO_URL drives a demo that runs already.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import Chromium, Tab
from tests.browser.shared_demo import SharedDemo


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives the demo in headless Chromium (make browser)")
    config.addinivalue_line("markers", "fresh: needs a demo that has not seen a car")


@pytest.fixture(scope="session")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedDemo]:
    demo = SharedDemo(tmp_path_factory.mktemp("demo") / "said", os.environ.get("DEMO_URL", ""))
    yield demo
    demo.end()


@pytest.fixture(scope="session")
def shared_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = chromium.find()
    assert program is not None
    with chromium.running(program, tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
async def url(shared_demo: SharedDemo, request: pytest.FixtureRequest) -> str:
    """Where the demo's page is; the lane is idle and empty."""
    return await shared_demo.ready(fresh=request.node.get_closest_marker("fresh") is not None)


@pytest.fixture
async def tab(shared_chromium: Chromium) -> AsyncIterator[Tab]:
    async with shared_chromium.tab() as tab:
        yield tab


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
