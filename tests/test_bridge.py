"""A garage's feed for an overview: what leaves, that nothing comes in, and that a cut of the line loses nothing."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.access import EVERYTHING, FEED, fed, may_subscribe
from terminal.contract.bridge import bridge, centre_acl, feed_user, main
from terminal.contract.messages import stamp
from terminal.contract.topics import BY_ROLE, TopicError
from terminal.mqtt.client import MqttClient
from terminal.mqtt.subscription import matches
from tests.support.authority import Authority
from tests.support.eventually import eventually
from tests.support.leash import LEASH
from tests.support.overview import OverviewMosquitto
from tests.support.shipped_mosquitto import TESTER, ShippedMosquitto

LANE = "parking/marina/exit-1"


@pytest.fixture
def overview(tmp_path: Path) -> Iterator[OverviewMosquitto]:
    made = OverviewMosquitto(tmp_path / "centre", ("marina", "creek"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def site(overview: OverviewMosquitto, tmp_path: Path) -> Iterator[ShippedMosquitto]:
    folder = tmp_path / "site"
    folder.mkdir()
    made = ShippedMosquitto(folder, Authority(folder))
    overview.feed(made)
    made.start()
    yield made
    made.stop()


def looking(overview: OverviewMosquitto, client_id: str = "watch-1") -> MqttClient:
    return MqttClient(overview.url, username="watch", password="watch-password", client_id=client_id, clean=True)


def said(kind: str) -> str:
    return f"{LANE}/{kind}/worker" if kind in BY_ROLE else f"{LANE}/{kind}"


async def test_what_leaves_is_the_feed_and_nothing_else(overview: OverviewMosquitto, site: ShippedMosquitto) -> None:
    async with looking(overview) as look, site.bus(TESTER) as tester:
        heard, topics = look.subscribe("parking/#"), set[str]()
        await heard.granted()
        for kind in sorted(EVERYTHING):
            await tester.publish(said(kind), b"said")
        await tester.publish(f"{LANE}/alert", b"the last")  # the bridge keeps the order
        async with asyncio.timeout(20):
            async for delivery in heard:
                delivery.ack()
                topics.add(delivery.topic)
                if delivery.payload == b"the last":
                    break
        assert topics == {said(kind) for kind in FEED}


async def test_nothing_comes_in_whoever_says_it_at_the_far_end(
    overview: OverviewMosquitto, site: ShippedMosquitto
) -> None:
    def feeding() -> MqttClient:
        """Somebody who has stolen the garage's certificate of the overview."""
        files = overview.authority.issue(feed_user("marina"))
        return MqttClient(
            f"mqtts://localhost:{overview.feeds}",
            username=feed_user("marina"),
            ca_file=overview.authority.file,
            cert_file=files[0],
            key_file=files[1],
        )

    async with site.bus(TESTER) as tester, looking(overview) as look:
        inside, outside = tester.subscribe("parking/#"), look.subscribe("parking/#")
        await inside.granted()
        await outside.granted()
        await look.publish(f"{LANE}/command", b"from outside")
        await look.publish(f"{LANE}/alert", b"from outside")
        async with feeding() as thief:
            await thief.publish(f"{LANE}/lift", b"from outside")
            await thief.publish("parking/creek/exit-1/alert", b"from outside")
            await thief.publish(f"{LANE}/alert", b"forged")
            await thief.settled()
            async with asyncio.timeout(20):
                assert (await anext(outside)).payload == b"forged", "its own feed is all that it can lie about"
        await tester.publish(f"{LANE}/alert", b"from inside")
        async with asyncio.timeout(20):
            first = await anext(inside)
        assert first.payload == b"from inside", "nothing came in before"


async def test_what_is_said_while_the_line_is_down_comes_when_it_is_back(
    overview: OverviewMosquitto, site: ShippedMosquitto
) -> None:
    async with site.bus(TESTER) as tester:
        overview.stop()
        for number in range(50):
            await tester.publish(f"{LANE}/alert", str(number).encode())
        await tester.settled()
        overview.start()
        async with looking(overview) as look:
            heard, payloads = look.subscribe("parking/#"), list[bytes]()
            await heard.granted()

            async def hear() -> None:
                async for delivery in heard:
                    delivery.ack()
                    payloads.append(delivery.payload)

            hearing = asyncio.create_task(hear())
            await eventually(lambda: b"49" in payloads, limit_s=30)
            hearing.cancel()
            await asyncio.wait([hearing])
        assert payloads == [str(number).encode() for number in range(50)]


async def test_watch_shows_each_garage_of_the_overview(
    overview: OverviewMosquitto, site: ShippedMosquitto, tmp_path: Path
) -> None:
    (tmp_path / "watch").touch(mode=0o600)
    (tmp_path / "watch").write_text("watch-password\n")
    (tmp_path / "c.toml").write_text(
        f'[garage]\nid = "marina"\n[mqtt]\nurl = "{overview.url}"\nusername = "watch"\npassword_file = "watch"\n'
    )
    words = [
        sys.executable,
        "-m",
        "terminal",
        "--config",
        str(tmp_path / "c.toml"),
        "watch",
        "--garage",
        "marina",
        "creek",
    ]
    head = {"v": 1, "id": new_id(SystemClock()), "at": stamp(SystemClock().wall_ms())}
    barrier = json.dumps({**head, "state": "fault"}).encode()
    process = await asyncio.create_subprocess_exec(*LEASH, *words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        async with site.bus(TESTER) as tester, asyncio.timeout(30):
            await tester.publish(f"{LANE}/barrier", barrier, retain=True)
            while "barrier: " not in (line := (await process.stdout.readline()).decode()):
                assert line
        assert "marina/exit-1" in line
    finally:
        process.terminate()
        await process.wait()


def test_the_feed_holds_no_ticket_no_plate_no_signed_word_and_no_screen() -> None:
    assert set(FEED) <= EVERYTHING
    assert not {"fee", "plate", "found", "lookup", "paid", "lift", "command", "credit", "refund", "screen"} & set(FEED)
    assert all(may_subscribe("watch", text, garage="marina") for text in fed("marina"))
    for kind in EVERYTHING:
        assert any(matches(text, said(kind)) for text in fed("marina")) == (kind in FEED)


def test_what_is_repeated_all_the_time_waits_for_no_line() -> None:
    lines = bridge("marina", "centre.example:8883").splitlines()
    topics = {line.split()[1].split("/")[3]: line.split()[2:] for line in lines if line.startswith("topic ")}
    assert topics == {kind: ["out", "0" if kind in ("health", "vehicle") else "1"] for kind in FEED}


@pytest.mark.parametrize(
    "words",
    [
        ["Marina", "--to", "h:1"],
        ["marina", "--to", "h"],
        ["marina", "--to", "h:0"],
        ["marina", "--to", "h:1\nuser root"],
        ["marina", "--to", "h:1", "--certs", "a b"],
        ["marina", "creek", "--to", "h:1"],
        ["marina"],
        ["--centre", "marina", "Creek"],
        ["--centre", "marina", "--watcher", "worker"],
    ],
)
def test_what_will_not_do_is_refused_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("python -m terminal.contract.bridge: error: ")


def test_the_commands_in_the_files_make_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    for text in (
        bridge("marina", "[2001:db8::1]:8883", "/srv/certs"),
        centre_acl(["marina", "creek"], ["watch", "ops"]),
    ):
        [line] = [line for line in text.splitlines() if line.startswith("# python -m")]
        words = line.partition(" > ")[0].split()[3:]
        assert words[0] == "terminal.contract.bridge"
        main(words[1:])
        assert capsys.readouterr().out == text


def test_a_garage_that_is_none_has_no_feed() -> None:
    with pytest.raises(TopicError):
        fed("Marina")
