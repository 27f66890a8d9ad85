"""The alerts of one role: each is raised once until it is cleared; a flood of bad messages is counted, not repeated."""

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from terminal.contract.alerts import AlertCode, is_told_once, severity_of
from terminal.contract.messages import Alert
from terminal.contract.topics import TopicError, parse
from terminal.core.alert_codes import Severity
from terminal.mqtt.throttle import Throttle
from terminal.payby.plain_text import plain

log = logging.getLogger(__name__)

BAD_BURST, BAD_EVERY_MS = 5, 10_000
"""``bad-message`` alerts: how many at once, and then the time for each further one."""
ALERTS_KEPT = 1000
TEXT_MOST = 1000
"""The most characters of an alert's text and a health's reason; at 4 bytes each they leave room within a message."""


class AlertKey(NamedTuple):
    """What makes two alerts the same. ``session`` and ``order_no``: what the alert is about; None: the place itself."""

    code: AlertCode
    lane: str
    session: str | None = None
    order_no: str | None = None


class RaisedAlerts:
    """What this role has raised and not cleared. ``publish(alert, lane)`` sends; ``head()`` begins a message."""

    def __init__(self, publish: Callable[[Alert, str], Awaitable[None]], head: Callable[[], dict[str, Any]]) -> None:
        self._publish, self._head = publish, head
        self._raised: OrderedDict[AlertKey, Severity] = OrderedDict()
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
        if not once:
            self._raised[key] = severity
        if len(self._raised) > ALERTS_KEPT:
            self._raised.popitem(last=False)
        await self._send("raised", severity, key, text, help_code)

    async def clear(self, key: AlertKey, text: str, *, help_code: str | None = None) -> None:
        """Clear what is raised under ``key``; a key without a session or order clears all of them at its place."""
        for one in [k for k in self._raised if (k.code, k.lane) == (key.code, key.lane)]:
            if key.session in (None, one.session) and key.order_no in (None, one.order_no):
                await self._send("cleared", self._raised.pop(one), one, text, help_code)

    def codes_of(self, lane: str) -> list[AlertCode]:
        """The codes of what is raised for ``lane`` as a whole, and for no stay or order."""
        return [key.code for key in self._raised if key == AlertKey(key.code, lane)]

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
    ) -> None:
        text = plain(text, TEXT_MOST)
        log.log(
            logging.INFO if state == "cleared" or severity == "info" else logging.WARNING,
            "alert %s %s: %s%s", key.code, state, text, f" [{help_code}]" if help_code else "",
        )  # fmt: skip
        alert = Alert(
            **self._head(),
            severity=severity,
            code=key.code,
            state=state,
            text=text,
            session=key.session,
            order_no=key.order_no,
            help_code=help_code,
        )
        await self._publish(alert, key.lane)
