"""The alerts of one role: each is raised once until it is cleared; a flood of bad messages is counted, not repeated."""

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

import msgspec

from terminal.contract.alerts import AlertCode, is_told_once, severity_of
from terminal.contract.messages import MAX_BYTES, Alert, Alerts, RaisedAlert
from terminal.contract.topics import TopicError, parse
from terminal.core import ids
from terminal.core.alert_codes import Severity
from terminal.mqtt.throttle import Throttle
from terminal.payby.plain_text import plain

log = logging.getLogger(__name__)

BAD_BURST, BAD_EVERY_MS = 5, 10_000
"""``bad-message`` alerts: how many at once, and then the time for each further one."""
ALERTS_KEPT = 1000
TEXT_MOST = 1000
"""The most characters of an alert's text and a health's reason; at 4 bytes each they leave room within a message."""
LISTED_TEXT_MOST = 300
"""The most characters of an alert's text in the list of what is raised."""
LISTED_BYTES = MAX_BYTES - 512
"""Bytes for a list's alerts; the rest is for what every message has."""
_GRAVEST_FIRST: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


class AlertKey(NamedTuple):
    """What makes two alerts the same. ``session`` and ``order_no``: what the alert is about; None: the place itself."""

    code: AlertCode
    lane: str
    session: str | None = None
    order_no: str | None = None


class RaisedAlerts:
    """What this role has raised and not cleared. ``publish(message, lane)`` sends; ``head()`` begins a message."""

    def __init__(
        self, publish: Callable[[Alert | Alerts, str], Awaitable[None]], head: Callable[[], dict[str, Any]]
    ) -> None:
        self._publish, self._head = publish, head
        self._raised: OrderedDict[AlertKey, RaisedAlert] = OrderedDict()
        self._bad_messages = Throttle(BAD_EVERY_MS, burst=BAD_BURST)

    async def alert(
        self,
        key: AlertKey,
        text: str,
        *,
        severity: Severity | None = None,
        once: bool | None = None,
        help_code: str | None = None,
    ) -> None:
        """Raise an alert, unless it is raised already. ``once``: an occurrence, raised each time it happens, not a
        condition that will be cleared. None: as contract/alerts.py says of the code."""
        severity = severity or severity_of(key.code)
        once = is_told_once(key.code) if once is None else once
        if key in self._raised:
            return
        alert = await self._send("raised", severity, key, text, help_code)
        if once:
            return
        self._raised[key] = RaisedAlert(
            alert.code, severity, alert.text, alert.at, alert.session, alert.order_no, alert.help_code
        )
        if len(self._raised) > ALERTS_KEPT:
            self._raised.popitem(last=False)
        await self.publish_list(key.lane)

    async def clear(self, key: AlertKey, text: str, *, help_code: str | None = None) -> None:
        """Clear what is raised under ``key``; a key without a session or order clears all of them at its place."""
        cleared = [
            one
            for one in self._raised
            if (one.code, one.lane) == (key.code, key.lane)
            and key.session in (None, one.session)
            and key.order_no in (None, one.order_no)
        ]
        for one in cleared:
            was = self._raised.pop(one)
            await self._send("cleared", was.severity, one, text, help_code or was.help_code)
        if cleared:
            await self.publish_list(key.lane)

    def codes_of(self, lane: str) -> list[AlertCode]:
        """The codes of what is raised for ``lane`` as a whole, and for no stay or order."""
        return [key.code for key in self._raised if key == AlertKey(key.code, lane)]

    def lanes(self) -> set[str]:
        """The places for which anything is raised."""
        return {key.lane for key in self._raised}

    def raised_at(self, lane: str) -> tuple[tuple[RaisedAlert, ...], int]:
        """What is raised at a place as far as it fits into a message, the gravest first, then the newest; and how
        many more there are."""
        found = [alert for key, alert in self._raised.items() if key.lane == lane]
        found.sort(key=lambda alert: alert.since, reverse=True)
        found.sort(key=lambda alert: _GRAVEST_FIRST[alert.severity])
        listed, room = list[RaisedAlert](), LISTED_BYTES
        for alert in found:
            short = msgspec.structs.replace(alert, text=alert.text[:LISTED_TEXT_MOST])
            room -= len(msgspec.json.encode(short)) + 1
            if room < 0:
                break
            listed.append(short)
        return tuple(listed), len(found) - len(listed)

    async def publish_list(self, lane: str) -> None:
        """Say what is raised at a place: for whoever comes later the broker keeps it."""
        raised, more = self.raised_at(lane)
        await self._publish(Alerts(**self._head(), raised=raised, more=more or None), lane)

    async def bad_message(self, topic: str, reason: str, *, now_ms: int, lane: str) -> None:
        """Raise ``bad-message`` for the lane that ``topic`` names, or for ``lane`` if it names none. ``now_ms`` is
        the steady clock's."""
        if not (count := self._bad_messages.take(now_ms)):
            return
        text = f"{topic[:80]}: {reason[:300]}" + (f" (and {count - 1} more)" if count > 1 else "")
        with contextlib.suppress(TopicError):
            lane = parse(topic).lane
        await self.alert(AlertKey("bad-message", lane), text)

    async def _send(
        self, state: Literal["raised", "cleared"], severity: Severity, key: AlertKey, text: str, help_code: str | None
    ) -> Alert:
        """Whoever reads it is told whose visit it is about, wherever it is about one."""
        text = plain(text, TEXT_MOST)
        session = key.session or _session_of(key.order_no)
        help_code = help_code or (ids.help_code(session) if session else None)
        log.log(
            logging.INFO if state == "cleared" or severity == "info" else logging.WARNING,
            "alert %s %s: %s%s", key.code, state, text, f" [{help_code}]" if help_code else "",
            extra={"fields": {
                "alert": key.code, "state": state, "severity": severity, "lane": key.lane, "help_code": help_code,
                "session": session, "order_no": key.order_no,
            }},
        )  # fmt: skip
        alert = Alert(
            **self._head(),
            severity=severity,
            code=key.code,
            state=state,
            text=text,
            session=session,
            order_no=key.order_no,
            help_code=help_code,
        )
        await self._publish(alert, key.lane)
        return alert


def _session_of(order_no: str | None) -> str | None:
    name = ids.parse_order_no(order_no or "")
    return name.session if name else None
