"""A lane's machine is stolen, with every secret that it has: it may delay and alarm, and nothing else.

A larger garage on a Mosquitto with the product's access rules: the worker on a server, a lane's roles at `exit-1`, and
a thief who holds what `exit-2` held: its password, the trusted public keys, PayBy's public key, a barrier's journal. He
also knows every message, which is more than he could hear.
"""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.access import mosquitto_acl
from terminal.contract.messages import (
    MESSAGES,
    Answer,
    Barrier,
    Fee,
    Health,
    Lift,
    Message,
    Paid,
    Proof,
    Vehicle,
    encode,
    stamp,
)
from terminal.core import money
from terminal.core.ids import derived_id
from terminal.core.quote import hint
from terminal.core.tariff import Tariff
from terminal.core.ticket import sign_ticket
from terminal.mqtt.client import MqttClient
from tests.conftest import Mosquitto
from tests.support.garage import Garage, Heard

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"
)
CLOCK = SystemClock()
USERS = ("worker", "lane.exit-1", "lane.exit-2", "watch")
TARIFF = Tariff.from_texts(
    free_minutes=10, block_minutes=60, block_price="10.00", day_cap="100.00", lost_ticket="150.00", vat_percent="5",
    exit_grace=15,
)  # fmt: skip
SERVER = ("garage", "mqtt", "payby", "lift", "ticket", "journal")
KERB = ("garage", "lane", "mqtt", "lift", "reader", "lcd", "barrier", "gpio")


class Everything(Heard):
    """Messages by ``<lane>/<what>``."""

    async def follow(self, bus: MqttClient) -> None:
        async for delivery in bus.subscribe("parking/marina/#"):
            delivery.ack()
            async with self._news:
                self.all.append((delivery.topic.split("/", 2)[2], self.fields(delivery.payload)))
                self._news.notify_all()


class Larger(Garage):
    """The worker's configuration is ``server.toml``, that of the machine at `exit-1` ``kerb.toml``."""

    def __init__(self, folder: Path, broker: str) -> None:
        super().__init__(folder, broker, notify=False, user="watch", client="watch", password="watch-password")
        self.heard = Everything()

    async def __aenter__(self) -> "Larger":
        await super().__aenter__()
        parts = self.file.read_text().split("\n[")
        by_name = {part.strip("[").partition("]")[0]: part.strip("[") for part in parts}
        by_name["payby"] = by_name["payby"].replace("cancel_after = 20.0", "cancel_after = 110.0")
        for file, user, names in (("server", "worker", SERVER), ("kerb", "lane.exit-1", KERB)):
            (self.folder / "secrets" / user).write_text(f"{user}-password\n")
            (self.folder / "secrets" / user).chmod(0o600)
            text = "\n".join(f"[{by_name[name]}" for name in names)
            if file == "kerb":
                text += '\n[payby]\npayby_public_key = ["secrets/payby.pub.pem"]\npayee_mid = "200000000888"\n'
                text = text.replace('private_key = "secrets/worker.pem"\n', "")
            text = text.replace('username = "lane"', f'username = "{user}"').replace(
                "secrets/password", f"secrets/{user}"
            )
            (self.folder / f"{file}.toml").write_text(text, encoding="utf-8")
        return self

    def words(self, command: str) -> list[str]:
        file = "server" if command == "worker" else "kerb"
        return ["-W", "error", "-m", "terminal", command, "--config", str(self.folder / f"{file}.toml")]

    async def opens(self) -> None:
        """The worker serves, and `exit-1` is ready for a car."""
        await self.spawn("worker")
        await self.kerb()
        await self.heard.until("exit-1/screen", state="idle", limit_s=60)

    async def kerb(self) -> None:
        mark = len(self.heard.all)
        await self.spawn("run")
        for role in ("barrier", "reader", "lcd"):
            await self.heard.until(f"exit-1/health/{role}", since=mark, limit_s=60, state="online")

    def raises(self) -> list[dict[str, Any]]:
        """Lifts that a barrier answered as raised, wherever."""
        answers = (m for what, m in self.heard.all if what == "exit-1/barrier" and "answer" in m)
        return [m for m in answers if m["answer"]["outcome"] == "raised"]


class Thief:
    """Says whatever `exit-2`'s user is let, and tries what it is not."""

    def __init__(self, bus: MqttClient, lane: Larger) -> None:
        self._bus, self._lane = bus, lane

    async def says(self, topic: str, message: Message, *, retain: bool = False) -> None:
        await self._bus.publish(f"parking/marina/{topic}", encode(message), retain=retain)

    def head(self) -> dict[str, Any]:
        return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}

    async def everything(self) -> None:
        """All that may do harm, with all that is known by now."""
        known = self._lane.heard
        sessions = {m["session"] for what, m in known.all if what.startswith("exit-1/") and "session" in m}
        cars = {m["car"] for what, m in known.all if what.startswith("exit-1/") and "car" in m}
        lifts = list(known.of("exit-1/lift"))
        orders = {m["order_no"] for m in known.of("exit-1/order") if "order_no" in m}
        for place in ("exit-2", "exit-1", "garage"):
            for session in sorted(sessions):
                for fee in self.fees(session):
                    await self.says(f"{place}/fee", fee)
            await self.barrier(place, lifts)
            for car in [*sorted(cars), new_id(CLOCK)]:
                for waiting in (True, False):
                    vehicle = Vehicle(**self.head(), waiting=waiting, under_boom=not waiting, car=car)
                    await self.says(f"{place}/vehicle", vehicle, retain=True)
            for role in ("worker", "run", "barrier", "loops", "lcd"):
                await self.says(f"{place}/health/{role}", self.health(), retain=True)
            for order_no in sorted(orders):
                await self.says(f"{place}/paid", self.paid(order_no))
            for lift in lifts:
                await self.says(f"{place}/lift", self.lift(lift))
            for what in MESSAGES:
                await self._bus.publish(f"parking/marina/{place}/{what}", b"\xff{nonsense")

    async def barrier(self, place: str, lifts: list[dict[str, Any]]) -> None:
        for lift in lifts:
            for outcome, why in (("refused", "car"), ("refused", "proof"), ("unknown", None), ("raised", None)):
                answer = Answer(lift=lift["id"], outcome=outcome, why=why)  # type: ignore[arg-type]
                said = Barrier(**self.head(), state="up", lift=lift["id"], session=lift["session"], answer=answer)
                await self.says(f"{place}/barrier", said, retain=True)
        await self.says(f"{place}/barrier", Barrier(**self.head(), state="down"), retain=True)

    def fees(self, session: str) -> list[Fee]:
        """A ticket for somebody's stay that the thief signs himself, free and due, and a lost one in its name."""
        now, fees = CLOCK.wall_ms(), list[Fee]()
        for minutes in (1, 90):
            text = sign_ticket("marina", session, now - minutes * 60_000, "k1", b"\0" * 32)
            told = hint(text, now, garage="marina", tariff=TARIFF, lost_session="")
            fees.append(
                Fee(
                    **self.head(), ticket=text, reason=told.reason, session=session, exited=stamp(now),
                    entered=stamp(told.entered_ms or 0), minutes=told.minutes, amount=money.text(told.amount or 0),
                    currency="AED",
                )
            )  # fmt: skip
        lost: dict[str, Any] = {
            "ticket": "LOST", "reason": "lost", "session": session, "exited": stamp(now), "currency": "AED",
        }  # fmt: skip
        fees.append(Fee(**self.head(), **lost, amount="150.00"))
        fees.append(Fee(**self.head(), **lost, amount="0.00"))
        return fees

    def health(self) -> Health:
        """A worker that was there long before."""
        instance = derived_id(1_000_000, "thief")
        return Health(**self.head(), state="online", version="9", instance=instance, since=stamp(1_000_000))

    def paid(self, order_no: str) -> Paid:
        body = f'{{"acquireOrder":{{"merchantOrderNo":"{order_no}","status":"PAID_SUCCESS"}},"notify_id":"1"}}'
        return Paid(**self.head(), order_no=order_no, notify_id="1", body=body, sign="c2lnbg==")

    def lift(self, seen: dict[str, Any]) -> Lift:
        fields = {**seen, **self.head(), "proof": Proof("{}", "c2lnbg==")}
        fields.pop("v", None)
        return Lift(**fields)

    async def floods(self, count: int) -> None:
        for number in range(count):
            text = sign_ticket("marina", derived_id(1_000_000 + number, "flood"), CLOCK.wall_ms(), "k1", b"\0" * 32)
            now = CLOCK.wall_ms()
            told = hint(text, now, garage="marina", tariff=TARIFF, lost_session="")
            fee = Fee(
                **self.head(), ticket=text, reason="free", session=told.session, entered=stamp(told.entered_ms or 0),
                exited=stamp(now), minutes=told.minutes, amount="0.00", currency="AED",
            )  # fmt: skip
            await self.says("exit-2/fee", fee)


@pytest.fixture
async def lane(tmp_path: Path) -> AsyncIterator[Larger]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "acl").write_text(mosquitto_acl("marina", ["exit-1", "exit-2"]))
    for number, user in enumerate(USERS):
        command = ["mosquitto_passwd", "-b", *([] if number else ["-c"]), str(folder / "passwords"), user]
        subprocess.run([*command, f"{user}-password"], check=True, capture_output=True)
    for file in ("acl", "passwords"):
        (folder / file).chmod(0o600)
    rules = (
        f"allow_anonymous false\nuse_username_as_clientid true\npassword_file {folder}/passwords\nacl_file {folder}/acl"
    )
    server = Mosquitto(folder, rules)
    server.start()
    try:
        async with Larger(tmp_path, server.url) as garage:
            await garage.opens()
            yield garage
    finally:
        server.stop()


def stolen(lane: Larger, client_id: str = "lane.exit-2") -> MqttClient:
    """A connection with the password of `exit-2`'s machine."""
    return MqttClient(
        lane.broker, username="lane.exit-2", client_id=client_id, password="lane.exit-2-password", clean=True
    )


@pytest.mark.fault("stolen-lane")
@pytest.mark.slow
async def test_a_stolen_lane_opens_nothing_and_takes_no_visit_from_another_lane(lane: Larger) -> None:
    async with stolen(lane, "worker") as bus:  # in the worker's name
        thief = Thief(bus, lane)
        mark = lane.scan(lane.ticket())
        order = await lane.heard.until("exit-1/order", since=mark, limit_s=60, status="created")
        await thief.everything()
        await thief.floods(200)
        screens = len(lane.heard.all)
        await lane.sandbox.pay(order["token_url"], notify=False)
        lift = await lane.heard.until("exit-1/lift", since=mark, limit_s=60, order_no=order["order_no"])
        await thief.everything()
        await lane.heard.until("exit-1/barrier", since=screens, limit_s=60, state="up", lift=lift["id"])
        await lane.heard.until("exit-1/screen", since=screens, limit_s=60, state="idle")
        await thief.everything()
        await lane.heard.until(
            "garage/health/worker", since=len(lane.heard.all), limit_s=60, state=lambda s: s != "offline"
        )

    assert {m["answer"]["lift"] for m in lane.raises()} == {lift["id"]}
    assert {m["id"] for what, m in lane.heard.all if what.endswith("/lift")} == {lift["id"]}
    assert lane.sandbox.refunds == {}
    assert [no for no, order in lane.sandbox.orders.items() if order.status == "PAID_SUCCESS"] == [order["order_no"]]
    shown = [m["state"] for what, m in lane.heard.all[mark:] if what == "exit-1/screen"]
    assert [state for n, state in enumerate(shown) if state != shown[n - 1]][-4:] == ["wait", "pay", "paid", "idle"]
    said = {what for what, _ in lane.heard.all if what.startswith(("exit-2/", "garage/"))}
    own = {"order", "screen", "alert", "fee", "barrier", "vehicle"}
    assert {what for what in said if what.startswith("exit-2/")} <= {
        *(f"exit-2/{what}" for what in own), *(f"exit-2/health/{role}" for role in MESSAGES), "exit-2/health/worker",
        "exit-2/health/run", "exit-2/health/barrier", "exit-2/health/loops", "exit-2/health/lcd",
    }  # fmt: skip
    assert {what for what in said if what.startswith("garage/")} <= {"garage/alert", "garage/health/worker"}
    assert not lane.running["worker"].ended


@pytest.mark.fault("stolen-lane")
@pytest.mark.slow
async def test_a_stolen_lane_does_not_answer_for_a_lift_of_another(lane: Larger) -> None:
    async with stolen(lane) as bus:
        thief = Thief(bus, lane)
        mark = lane.scan(lane.ticket())
        order = await lane.heard.until("exit-1/order", since=mark, limit_s=60, status="created")
        await lane.running.pop("run").kill(signal.SIGKILL)
        await lane.sandbox.pay(order["token_url"], notify=False)
        lift = await lane.heard.until("exit-1/lift", since=mark, limit_s=60, order_no=order["order_no"])
        await thief.barrier("exit-2", [lift])
        await asyncio.gather(lane.kerb(), thief.barrier("exit-2", [lift]))
        raised = await lane.heard.until(
            "exit-1/barrier", since=mark, limit_s=60, answer=lambda a: a is not None and a["outcome"] == "raised"
        )
        await thief.barrier("exit-2", [lift])
    assert (raised["session"], raised["answer"]["lift"]) == (order["session"], lift["id"]), (
        "the lift that was sent first"
    )
    assert {m["id"] for what, m in lane.heard.all if what.endswith("/lift")} == {lift["id"]}
    assert lane.sandbox.refunds == {}
