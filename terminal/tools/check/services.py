"""PayBy must answer; and the clock, by PayBy's answer."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from terminal import build
from terminal.config.schema import MENDS, ConfigError, PaybySettings, Settings
from terminal.payby import errors
from terminal.payby.client import PayByClient
from terminal.tools.check.finding import Finding, Machine

PAYBY_SKEW_MS = 60_000
"""The clock alarm of the worker; PayBy itself refuses at 15 minutes."""
EARLIEST_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""Before this a clock is surely wrong: the program is younger."""
_QUICKEST_S = 10.0


async def payby_and_clock(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Does PayBy answer the merchant's key (for at most 10 s), and is this machine's clock right?"""
    skew_ms = None
    payby = settings.payby
    if machine.now_ms() < EARLIEST_MS:
        at = datetime.fromtimestamp(machine.now_ms() / 1000, UTC)
        text = f"this machine's clock says {at:%Y-%m-%d}: no certificate holds, and no ticket is taken"
        yield Finding("clock", False, text, "set it: sudo timedatectl set-ntp true, or sudo date --set")
        if payby and payby.base_url:
            yield Finding(
                "PayBy", True, "not asked: the clock must be set first", but="unproven", about="payby.base_url"
            )
        return
    if payby and payby.private_key and payby.base_url and payby.partner_id:
        try:
            client = build.payby_client(payby, timeout_s=min(payby.timeout, _QUICKEST_S))
        except ConfigError:  # the keys' own lines report it
            yield Finding(
                "PayBy", True, "not asked: a key must be corrected first", but="unproven", about="payby.base_url"
            )
        else:
            async with client:
                yield await _ask(client, payby)
                skew_ms = client.skew_ms
    yield _clock(machine.ntp(), skew_ms, prices="worker" in settings.roles())


async def _ask(client: PayByClient, payby: PaybySettings) -> Finding:
    """Ask for an impossible order: only a known merchant gets the answer "no such order"."""
    try:
        await client.get_order(f"check-{uuid.uuid4().hex}")
    except errors.OrderUnknown:
        return Finding("PayBy", True, f"{payby.base_url} knows {payby.partner_id} and its key")
    except errors.PayByError as error:
        return Finding("PayBy", False, str(error), what_to_do(error))
    return Finding("PayBy", False, "it knows an order that was never placed", "check that payby.base_url is PayBy's")


def what_to_do(error: errors.PayByError) -> str:
    """The advice for a refusal, with or without a signature."""
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
            return "correct payby.base_url, or check the internet connection"
    return "ask PayBy, with the trace code"


_ENROL = "in PayBy's portal: upload merchant.pub.pem, enter this machine's outgoing address, apply for DYNQR"


def _clock(ntp: bool | None, skew_ms: int | None, *, prices: bool) -> Finding:
    if prices and not ntp and skew_ms is None:
        text = "neither the network nor PayBy has confirmed it: no ticket would be taken"
        return Finding("clock", False, text, "run sudo timedatectl set-ntp true, and check the connection to PayBy")
    kept = {
        True: "kept by the network",
        False: "not kept by the network",
        None: "whether the network keeps it is unknown",
    }[ntp]
    text = (
        kept
        if skew_ms is None
        else f"{kept}; PayBy's is {abs(skew_ms) / 1000:.0f} s {'ahead' if skew_ms > 0 else 'behind'}"
    )
    bad = ntp is False or (skew_ms is not None and abs(skew_ms) >= PAYBY_SKEW_MS)
    nobody = ntp is None and skew_ms is None
    advice = "sudo timedatectl set-ntp true" if bad else ""
    return Finding("clock", not bad, text, advice, but="unproven" if nobody else "")
