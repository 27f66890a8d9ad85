"""The demo's page as served: its files, the frames, the acts, the stream, and who is refused."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from PIL import Image

from terminal.demo.lane import DemoLane
from terminal.demo.page import Page
from tests.browser.fake_terminal import FakeTerminal


@dataclass
class Served:
    fake: FakeTerminal
    lane: DemoLane
    page: Page
    url: str
    http: aiohttp.ClientSession

    async def act(self, what: str, **more: Any) -> dict[str, str]:
        async with self.http.post(f"{self.url}/act", json={"do": what, **more}) as answer:
            assert answer.status == 200
            said: dict[str, str] = await answer.json()
            return said


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    fake = FakeTerminal()
    lane = DemoLane(fake.parts(), pace=0)
    following = asyncio.create_task(lane.run())
    page = Page(lane)
    url = await page.start(0)
    async with aiohttp.ClientSession() as http:
        yield Served(fake, lane, page, url, http)
    await page.stop()
    following.cancel()
    await asyncio.wait([following])


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    async with asyncio.timeout(5):
        name = ""
        async for raw in answer.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/font/Regular.ttf", "font/ttf"),
    ],
)
async def test_all_that_the_page_needs_is_served_here(served: Served, path: str, kind: str) -> None:
    async with served.http.get(served.url + path) as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert len(await answer.read()) > 300


@pytest.mark.parametrize("path", ["/page.html", "/font/..%2F..%2Fsecret.ttf", "/font/Thin.ttf", "/static/page.js"])
async def test_nothing_else_is(served: Served, path: str) -> None:
    async with served.http.get(served.url + path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("name", ["page.html", "page.css", "page.js"])
def test_no_file_asks_another_host_for_anything(name: str) -> None:
    from importlib import resources

    text = resources.files("terminal.demo").joinpath("static", name).read_text()
    for address in ("https://", "//cdn", "@import"):
        assert address not in text
    assert text.count("http://") == text.count("http://www.w3.org/")  # the name of SVG, fetched by nobody


async def test_the_picture_is_the_very_frame_on_the_glass(served: Served) -> None:
    async with served.http.get(f"{served.url}/lcd.png") as answer:
        assert answer.status == 404  # no frame has been shown yet
    for colour in ("red", "blue"):
        frame = Image.new("RGB", (480, 320), colour)
        frame.putpixel((3, 5), (1, 2, 3))
        served.fake.panel.tell(frame)
        await asyncio.sleep(0)
        async with served.http.get(f"{served.url}/lcd.png") as answer:
            assert answer.content_type == "image/png"
            got = Image.open(io.BytesIO(await answer.read()))
        assert (got.mode, got.size, got.tobytes()) == ("RGB", frame.size, frame.tobytes())


async def test_acts_move_the_lane_and_what_cannot_be_done_is_said(served: Served) -> None:
    assert await served.act("drive_up", minutes=5) == {}
    assert served.fake.covered == [("waiting", True)]
    assert await served.act("drive_off") == {"why": "The boom is not up."}
    assert await served.act("scan") == {}
    assert served.fake.fed == ["OURS 5 0 ABCDEFGH"]
    assert await served.act("cut_broker", seconds="soon") == {"why": "seconds takes a whole number."}
    assert await served.act("back_out") == {}
    assert served.lane.state()["car"]["phase"] == "away"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"do": "explode"}', b'{"do": ["scan"]}', b'{"do": null}'])
async def test_an_unknown_act_is_refused(served: Served, body: bytes) -> None:
    head = {"Content-Type": "application/json"}
    async with served.http.post(f"{served.url}/act", data=body, headers=head) as answer:
        assert answer.status == 400


async def test_another_sites_form_or_name_drives_nothing(served: Served) -> None:
    async with served.http.post(f"{served.url}/act", data={"do": "drive_up"}) as answer:
        assert answer.status == 415
    async with served.http.post(
        f"{served.url}/act", json={"do": "drive_up"}, headers={"Host": "evil.example"}
    ) as answer:
        assert answer.status == 403
    assert served.lane.state()["car"]["phase"] == "away"


async def test_the_stream_begins_with_the_state_and_goes_on_with_what_happens(served: Served) -> None:
    served.fake.boot()
    await asyncio.sleep(0)
    async with served.http.get(f"{served.url}/events") as answer:
        assert answer.content_type == "text/event-stream"
        stream = events(answer)
        name, state = await anext(stream)
        assert (name, state["garage"], state["car"]["phase"]) == ("state", "Marina Garage", "away")
        await served.act("drive_up")
        seen = []
        async for name, data in stream:
            seen.append((name, data.get("kind") or data["car"]["phase"]))
            if seen[-1] == ("message", "vehicle"):
                assert data["words"] == "a car waits"
                assert data["topic"] == "parking/marina/exit-1/vehicle"
            if {("message", "vehicle"), ("state", "waiting")} <= set(seen):
                break
        assert ("message", "barrier") in seen  # what passed before the page was opened is told as well


async def test_stopping_ends_open_streams_at_once(served: Served) -> None:
    async with served.http.get(f"{served.url}/events") as answer:
        stream = events(answer)
        await anext(stream)
        async with asyncio.timeout(1):
            await served.page.stop()
            assert [event async for event in stream] == []


async def test_a_port_in_use_is_an_os_error(served: Served) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="ddress already in use"):
        await Page(served.lane).start(port)
