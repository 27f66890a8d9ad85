"""The alerts role at a real broker, a real webhook over TLS and a real mail server: what arrives, and what does not."""

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from broker.embedded import EmbeddedBroker
from terminal import build
from terminal.app.outward import alerts_role
from terminal.clock import SystemClock
from terminal.config import tokens
from terminal.config.load import load
from terminal.config.schema import ConfigError, MqttSettings, Settings
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.alerts.receivers import SIGNATURE
from terminal.tools.check.alert_receivers import alert_receivers
from terminal.tools.check.finding import Machine
from tests.conftest import embedded_bus
from tests.support.authority import Authority

SESSION = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd means STARTTLS
MACHINE = Machine(lambda _: pytest.fail("no pins here"), lambda: True, lambda _: 0, lambda *_: None)
BASE = """\
[garage]
id = "marina"
name = "Marina Garage"
name_ar = "مواقف"
[mqtt]
url = "mqtt://127.0.0.1:1"
username = "lane"
password_file = "secret"
[alerts]
"""


def settings_of(folder: Path, text: str) -> Settings:
    for name in ("secret", "key"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(f"the {name}\n")
    (folder / "garage.toml").write_text(BASE + text)
    return load(folder / "garage.toml", {})


class Inbox:
    """What has arrived, for whoever waits for it."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._news = asyncio.Condition()

    async def put(self, item: Any) -> None:
        async with self._news:
            self.all.append(item)
            self._news.notify_all()

    async def at_least(self, count: int) -> list[Any]:
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: len(self.all) >= count)
        return self.all


@dataclass
class Hook:
    """A webhook; ``answers`` are the statuses of its next answers, then 204."""

    port: int = 0
    arrived: Inbox = field(default_factory=Inbox)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        await self.arrived.put((dict(request.headers), body))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)


@asynccontextmanager
async def hook(tls: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    made, app = Hook(), web.Application()
    app.router.add_post("/alerts/{token}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


class MailBox:
    """A mail server's handler. It lives in a thread of its own; what arrives is passed to the test's loop."""

    def __init__(self) -> None:
        self.arrived, self.refusals = Inbox(), list[str]()
        self._loop = asyncio.get_running_loop()

    async def handle_DATA(self, server: object, session: Any, envelope: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        mail = email.message_from_bytes(envelope.content, _class=EmailMessage, policy=email.policy.default)
        put = asyncio.run_coroutine_threadsafe(self.arrived.put((envelope.rcpt_tos, mail)), self._loop)
        await asyncio.wrap_future(put)
        return "250 taken"


class AnyPort(Controller):  # type: ignore[misc]
    """On a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext, *, at_once: bool) -> AsyncIterator[tuple[MailBox, int]]:
    """By TLS at once, or by STARTTLS; it takes mail only of its user."""
    box = MailBox()

    def check(server: object, session: object, envelope: object, mechanism: str, auth: Any) -> AuthResult:
        good = isinstance(auth, LoginPassword) and (auth.login, auth.password) == (b"marina", b"the secret")
        return AuthResult(success=good, handled=False)

    more: dict[str, Any] = {"ssl_context": tls} if at_once else {"tls_context": tls, "require_starttls": True}
    server = AnyPort(
        box, hostname="127.0.0.1", port=0, authenticator=check, auth_required=True, auth_require_tls=not at_once, **more
    )
    await asyncio.to_thread(server.start)
    try:
        yield box, server.port
    finally:
        await asyncio.to_thread(server.stop)


def server_tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("server", "localhost", "127.0.0.1"))
    return context


@asynccontextmanager
async def running(
    broker: EmbeddedBroker, settings: Settings, *, pauses_s: tuple[float, ...] = (0.05, 0.05)
) -> AsyncIterator[Endpoint]:
    """The role beside another one, whose endpoint is handed over; when it hears."""
    async with embedded_bus(broker, "alerts") as bus, embedded_bus(broker, "lane") as other:
        role = alerts_role(settings, endpoint_of(bus, "alerts", None))
        for delivery in role._deliveries:
            delivery._pauses_s = pauses_s
        task = asyncio.create_task(role.run())
        lane = endpoint_of(other, "worker", "exit-1")
        with lane.subscribe("health/alerts", lane="+") as stream:
            async for heard in stream:
                heard.ack()
                if not heard.retained:
                    break
        try:
            yield lane
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def endpoint_of(bus: Any, role: str, lane: str | None) -> Endpoint:
    return Endpoint(bus, garage="marina", lane=lane, role=role, version="1", clock=SystemClock())


async def test_an_alert_is_posted_signed_with_what_to_do_and_the_help_code(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with hook(server_tls(authority)) as receiver:
        settings = settings_of(
            tmp_path,
            f'webhook_url = "https://localhost:{receiver.port}/alerts/t0ken"\nwebhook_key_file = "key"\n'
            f'ca_file = "{authority.file}"\n',
        )
        async with running(embedded, settings) as lane:
            await lane.alert("help", "the driver needs help", session=SESSION)
            ((headers, body),) = await receiver.arrived.at_least(1)
    assert headers[SIGNATURE] == "sha256=" + hmac.new(b"the key", body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    (alert,) = said["alerts"]
    assert (said["v"], said["garage"], said["name"], said["id"]) == (
        1,
        "marina",
        "Marina Garage",
        headers["Idempotency-Key"],
    )
    assert (alert["code"], alert["lane"], alert["state"], alert["severity"]) == ("help", "exit-1", "raised", "warning")
    assert alert["what_to_do"] == "Go to the lane."
    assert (alert["session"], len(alert["help_code"])) == (SESSION, 5)
    assert alert["help_code"] in said["text"] and "What to do: Go to the lane." in said["text"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_alert_is_mailed_over_tls_by_a_user_with_a_password(
    embedded: EmbeddedBroker, tmp_path: Path, at_once: bool
) -> None:
    authority = Authority(tmp_path)
    async with mail_server(server_tls(authority), at_once=at_once) as (box, port):
        settings = settings_of(tmp_path, mail(port, authority, "smtps" if at_once else "smtp"))
        async with running(embedded, settings) as lane:
            await lane.alert("arm", "it does not rise")
            await lane.alert("scanner", "no answer")
            ((to, letter),) = await box.arrived.at_least(1)
    assert to == ["ops@example.com", "night@example.com"]
    assert letter["Subject"] == "Marina Garage: critical, arm at exit-1 and 1 more"
    assert (letter["Auto-Submitted"], letter["Importance"]) == ("auto-generated", "high")
    text = letter.get_content().replace("\r\n", "\n")
    assert "CRITICAL: arm at exit-1\nit does not rise\n" in text
    assert "What to do: Check the arm and its switches." in text
    assert text.index("arm at exit-1") < text.index("scanner at exit-1")


def mail(port: int, authority: Authority, scheme: str = "smtps") -> str:
    return (
        f'email_to = ["ops@example.com", "night@example.com"]\nemail_from = "marina@example.com"\n'
        f'smtp_url = "{scheme}://localhost:{port}"\nsmtp_username = "marina"\nsmtp_password_file = "secret"\n'
        f'ca_file = "{authority.file}"\n'
    )


async def test_a_webhook_that_fails_is_tried_again_with_the_same_id_and_health_says_so_meanwhile(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with hook() as receiver:
        receiver.answers = [500, 302]
        settings = settings_of(tmp_path, f'webhook_url = "http://127.0.0.1:{receiver.port}/alerts/t0ken"\n')
        async with running(embedded, settings) as lane:
            states = lane.subscribe("health/alerts", lane="+")
            await lane.alert("arm", "it does not rise")
            tries = await receiver.arrived.at_least(3)
            seen = [await next_state(states, state) for state in ("degraded", "online")]
            states.close()
    assert len({json.loads(body)["id"] for _, body in tries}) == 1
    assert "127.0.0.1 answered with status" in seen[0]
    assert "t0ken" not in seen[0]


async def next_state(stream: Any, state: str) -> str:
    async with asyncio.timeout(30):
        async for heard in stream:
            heard.ack()
            if heard.message.state == state:
                return heard.message.reason or ""
    raise AssertionError("the stream has ended")


async def test_what_cannot_be_delivered_is_given_up_and_raises_an_alert_until_one_is_taken(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with hook() as receiver:
        receiver.answers = [503, 503, 503]
        settings = settings_of(tmp_path, f'webhook_url = "http://127.0.0.1:{receiver.port}/alerts/t0ken"\n')
        async with running(embedded, settings) as lane, embedded_bus(embedded, "console") as bus:
            alerts = endpoint_of(bus, "console", None).subscribe("alert")
            await alerts.granted()
            await lane.alert("arm", "it does not rise")
            said = [await next_of(alerts, "alerts-undelivered") for _ in ("raised", "cleared")]
            tries = await receiver.arrived.at_least(4)
            alerts.close()
    assert [alert.state for alert in said] == ["raised", "cleared"]
    assert "1 by webhook (127.0.0.1 answered with status 503)" in said[0].text
    assert json.loads(tries[3][1])["alerts"][0]["code"] == "alerts-undelivered"  # told by itself, once it works again


async def next_of(stream: Any, code: str) -> Any:
    async with asyncio.timeout(30):
        async for heard in stream:
            heard.ack()
            if heard.message.code == code:
                return heard.message
    raise AssertionError("the stream has ended")


async def test_one_receiver_that_is_away_does_not_hold_up_the_other(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with hook() as receiver, mail_server(server_tls(authority), at_once=True) as (box, port):
        box.refusals = ["451 later"] * 50
        text = mail(port, authority) + f'webhook_url = "http://127.0.0.1:{receiver.port}/alerts/t0ken"\n'
        async with running(embedded, settings_of(tmp_path, text), pauses_s=(60.0,)) as lane:
            await lane.alert("arm", "it does not rise")
            assert len(await receiver.arrived.at_least(1)) == 1
    assert box.arrived.all == []


async def test_two_thousand_alerts_at_once_are_one_message(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with hook() as receiver:
        settings = settings_of(tmp_path, f'webhook_url = "http://127.0.0.1:{receiver.port}/alerts/t0ken"\n')
        async with running(embedded, settings) as lane:
            for number in range(2_000):
                await lane.alert("ticket-copied", f"number {number}")
            (first,) = (await receiver.arrived.at_least(1))[:1]
    assert len(receiver.arrived.all) == 1
    assert len(json.loads(first[1])["alerts"]) == 1


async def check(settings: Settings) -> dict[str, tuple[bool, str]]:
    return {found.name: (found.ok, found.text) async for found in alert_receivers(settings, MACHINE)}


async def test_check_proves_both_and_sends_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = server_tls(authority)
    async with hook(tls) as receiver, mail_server(tls, at_once=True) as (box, port):
        text = mail(port, authority) + f'webhook_url = "https://localhost:{receiver.port}/alerts/t0ken"\n'
        found = await check(settings_of(tmp_path, text))
        (tmp_path / "secret").write_text("another\n")
        refused = await check(load(tmp_path / "garage.toml", {}))
    assert found == {
        "alerts webhook": (True, "localhost answers; nothing was sent"),
        "alerts mail": (True, "localhost answers, and lets marina in; nothing was sent"),
    }
    assert refused["alerts mail"] == (False, "localhost refuses the user or the password (535)")
    assert receiver.arrived.all == box.arrived.all == []


async def test_check_says_what_does_not_answer(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    async with mail_server(server_tls(authority), at_once=True) as (_, port):
        text = mail(port, stranger) + 'webhook_url = "https://localhost:1/alerts/t0ken"\n'
        found = await check(settings_of(tmp_path, text))
    assert found["alerts webhook"] == (False, "localhost cannot be reached: nobody listens there")
    assert found["alerts mail"][0] is False
    assert "did not issue" in found["alerts mail"][1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('webhook_url = "http://hooks.example.com/x"', "alerts.webhook_url: got http:// to hooks.example.com"),
        ('webhook_url = "https://h/x"\nwebhook_url_file = "key"', "alerts.webhook_url_file: got it beside"),
        ('email_to = ["ops@example.com"]', "alerts.email_from: takes a value with alerts.email_to"),
        ('email_to = ["ops@example.com"]\nemail_from = "m@example.com"', "alerts.smtp_url: takes a value"),
        ('email_to = ["no address"]', "alerts.email_to: got"),
        ('webhook_url = "https://h/x"\nsmtp_username = "m"', "alerts.smtp_password_file: takes a file"),
        ('webhook_url = "https://h/x"\nleast = "grave"', "alerts.least: got 'grave', takes info, warning or critical"),
    ],
)
def test_a_section_that_does_not_fit_together_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings_of(tmp_path, text)
    assert str(raised.value).startswith(words)


def test_an_address_in_a_file_is_read_there_and_never_said(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'webhook_url_file = "key"\n')
    assert settings.alerts
    (tmp_path / "key").write_text("https://hooks.example.com/s3cret\n")
    assert tokens.webhook(settings.alerts) == ("https://hooks.example.com/s3cret", b"")
    (tmp_path / "key").write_text("http://hooks.example.com/s3cret\n")
    with pytest.raises(ConfigError) as raised:
        tokens.webhook(settings.alerts)
    assert "s3cret" not in str(raised.value)


async def test_a_section_that_names_nobody_ends_the_role_and_fails_the_check(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'least = "info"\n')
    with pytest.raises(ConfigError, match=r"^alerts\.webhook_url: missing; takes .* alerts\.email_to$"):
        alerts_role(settings, endpoint_of(build.mqtt_client(settings.need(MqttSettings), "alerts"), "alerts", None))
    assert (await check(settings))["alerts"][0] is False


def test_run_starts_the_role_where_the_section_is(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'webhook_url = "https://h/x"\n')
    assert settings.roles() == ("alerts",)
    settings.require("alerts")
