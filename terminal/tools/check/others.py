"""Who must answer: the broker and PayBy, and by PayBy's answer the clock."""

import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

from terminal import __version__
from terminal.bus import REFUSALS, Bus, BusError, BusRefused
from terminal.config import ConfigError, Settings, read_secret
from terminal.payby import errors
from terminal.payby.client import PayBy
from terminal.payby.signing import load_private_key, load_public_keys
from terminal.settings import MENDS, Mqtt, Payby
from terminal.tools.check.finding import Finding, Machine

PAYBY_SKEW_MS = 60_000
"""The clock alarm of the worker; PayBy itself refuses at 15 minutes."""
_QUICKEST_S = 10.0
_WRONG_ID = REFUSALS["Client identifier not valid"]


async def broker(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    if not (mqtt := settings.mqtt):
        return
    url = urlsplit(mqtt.url)
    port = url.port or (8883 if url.scheme == "mqtts" else 1883)
    if settings.broker and settings.broker.port != port:
        text = f"mqtt.url has port {port}, the embedded broker listens on {settings.broker.port}"
        yield Finding("broker", False, text, "make mqtt.url and broker.port agree")
    elif settings.broker and not _answers(url.hostname or "", port):
        yield Finding("broker", True, "embedded, not running; run starts it", but="unproven", about="mqtt.url")
    else:
        yield await _knock(mqtt)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


async def _knock(mqtt: Mqtt) -> Finding:
    """Connect under a client id that no role has: one that has it would be thrown out by this check."""
    try:
        password = read_secret(mqtt.password_file, "mqtt.password_file").decode()
        async with Bus(
            mqtt.url,
            client_id=f"{mqtt.username}-check",
            username=mqtt.username,
            password=password,
            ca_file=mqtt.ca_file,
        ) as bus:
            trouble = "" if bus.connected else bus.trouble
    except BusRefused as error:
        if _WRONG_ID not in str(error):  # a broker that binds ids to users has looked at the password first
            return Finding("broker", False, str(error), "mend mqtt.username, or the password in mqtt.password_file")
        trouble = ""
    except (BusError, ConfigError, UnicodeDecodeError) as error:
        return Finding("broker", False, str(error), "mend [mqtt]")
    if trouble:
        return Finding(
            "broker", False, f"{mqtt.url} cannot be reached: {trouble}", "start the broker, or mend mqtt.url"
        )
    return Finding("broker", True, f"{mqtt.url} takes {mqtt.username}'s password", about="mqtt.url")


async def payby_and_clock(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    skew_ms = None
    payby = settings.payby
    if payby and payby.private_key and payby.base_url and payby.partner_id:
        try:
            client = PayBy(
                payby.base_url,
                payby.partner_id,
                load_private_key(payby.private_key),
                load_public_keys(payby.payby_public_key),
                timeout_s=min(payby.timeout, _QUICKEST_S),
                user_agent=f"exit-terminal/{__version__}",
            )
        except errors.PayByError as error:
            yield Finding("PayBy", False, f"not asked: {error}", "mend the key first")
        else:
            async with client:
                yield await _ask(client, payby)
                skew_ms = client.skew_ms
    yield _clock(machine.ntp(), skew_ms, prices="worker" in settings.roles())


async def _ask(client: PayBy, payby: Payby) -> Finding:
    """Ask for an order that cannot be: "no such order" is the answer that only a known merchant gets."""
    try:
        await client.get_order(f"check-{uuid.uuid4().hex}")
    except errors.OrderUnknown:
        return Finding("PayBy", True, f"{payby.base_url} knows {payby.partner_id} and its key")
    except errors.PayByError as error:
        return Finding("PayBy", False, str(error), what_to_do(error))
    return Finding("PayBy", False, "knows an order that was never placed", "is payby.base_url PayBy's?")


def what_to_do(error: errors.PayByError) -> str:
    """The same for a refusal with and without a signature."""
    match error:
        case errors.ClockWrong():
            return "set this machine's clock: sudo timedatectl set-ntp true"
        case errors.CallFailed(code=code) if code in MENDS:
            return MENDS[code]
        case errors.Unauthorised():
            return _ENROL
        case errors.RateLimited() | errors.NotSent():
            return "too many calls: try again in a minute"
        case errors.OutcomeUnknown(code=code) if code:
            return "PayBy itself is in trouble: try again later, then ask PayBy, with the trace code"
        case errors.OutcomeUnknown(why=why) if why.endswith(("signature wrong", "signature malformed")):
            return "payby.payby_public_key is not the key that PayBy signs with: download it anew"
        case errors.OutcomeUnknown(said=errors.CallFailed() as said):
            return what_to_do(said)
        case errors.OutcomeUnknown():
            return "mend payby.base_url, or the way to the internet"
    return "ask PayBy, with the trace code"


_ENROL = "in PayBy's portal: upload merchant.pub.pem, enter this machine's outgoing address, apply for DYNQR"


def _clock(ntp: bool | None, skew_ms: int | None, *, prices: bool) -> Finding:
    if prices and not ntp and skew_ms is None:
        text = "confirmed by nobody, neither the network nor PayBy: no ticket would be taken"
        return Finding("clock", False, text, "sudo timedatectl set-ntp true, and mend the way to PayBy")
    kept = {True: "kept by the network", False: "not kept by the network", None: "who keeps it is not known here"}[ntp]
    text = (
        kept
        if skew_ms is None
        else f"{kept}; PayBy's is {abs(skew_ms) / 1000:.0f} s {'ahead' if skew_ms > 0 else 'behind'}"
    )
    bad = ntp is False or (skew_ms is not None and abs(skew_ms) >= PAYBY_SKEW_MS)
    nobody = ntp is None and skew_ms is None
    advice = "sudo timedatectl set-ntp true" if bad else ""
    return Finding("clock", not bad, text, advice, but="unproven" if nobody else "")
