"""The sandbox's notifications: signed, posted, and repeated until they are answered SUCCESS, on PayBy's schedule."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..signing import sign
from .faults import NotifyFault, spoil
from .order_book import DUBAI

RETRIES_MIN = (2, 10, 10, 60, 120, 360, 900)
REPLY_LIMIT_S = 10.0
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class NotificationAttempt:
    """One POST. ``status`` is None where no reply came; ``ok`` only for 200 with {"response": "SUCCESS"}."""

    at_ms: int
    notify_id: str
    order_no: str
    url: str
    body: bytes
    sign: str | None
    status: int | None
    ok: bool


class Notifier:
    """Posts in the background; ``time_scale`` shortens the waits between retries (1/600: 2 minutes in 0.2 s)."""

    def __init__(
        self,
        key: RSAPrivateKey,
        *,
        wall_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        time_scale: float,
    ) -> None:
        self.deliveries: list[NotificationAttempt] = []
        self._key = key
        self._wall_ms = wall_ms
        self._sleep = sleep
        self._time_scale = time_scale
        self._serial = 0
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, kind: str, order_no: str, words: dict[str, Any], url: str | None, fault: NotifyFault) -> None:
        """Begin to notify of an ``acquireOrder`` or another ``kind``; without a URL PayBy stays silent."""
        if url is None or fault.never:
            return
        now = self._wall_ms()
        self._serial += 1
        at = datetime.fromtimestamp(now / 1000, DUBAI)
        body = _ENCODER.encode(
            {
                "_input_charset": "UTF-8",
                kind: words | dict(fault.edit),
                "notify_id": f"{at:%Y%m%d}{self._serial:010d}",
                "notify_time": f"{at:%Y%m%d%H%M%S}",
                "notify_timestamp": now,
            }
        )
        notify_id = f"{at:%Y%m%d}{self._serial:010d}"
        signature = spoil(sign(self._key, body), fault.sign)
        for _ in range(fault.copies):
            task = asyncio.create_task(self._deliver(notify_id, order_no, url, body, signature, fault.delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Return when no notification is under way any more, retries included."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give up every notification that is under way, and close the connections."""
        for task in list(self._tasks):
            task.cancel()
        await self.settle()
        if self._session is not None:
            await self._session.close()

    async def _deliver(
        self, notify_id: str, order_no: str, url: str, body: bytes, signature: str | None, delay_s: float
    ) -> None:
        await self._sleep(delay_s)
        for wait_min in (*RETRIES_MIN, None):
            status, ok = await self._post(url, body, signature)
            self.deliveries.append(
                NotificationAttempt(self._wall_ms(), notify_id, order_no, url, body, signature, status, ok)
            )
            if ok or wait_min is None:
                return
            await self._sleep(wait_min * 60 * self._time_scale)

    async def _post(self, url: str, body: bytes, signature: str | None) -> tuple[int | None, bool]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_LIMIT_S))
        headers = {"Content-Type": "application/json"} | ({"Sign": signature} if signature else {})
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as reply:
                text = await reply.content.read(4096)
                is_json = reply.content_type == "application/json"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None, False
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        ok = reply.status == 200 and is_json and isinstance(said, dict) and said.get("response") == "SUCCESS"
        return reply.status, ok
