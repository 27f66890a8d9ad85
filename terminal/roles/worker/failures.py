"""A failure over one stay concerns that stay only: all others are served, and no failure is hidden.

An unforeseen exception (a fault of ours, words that are on no page of PayBy's) may be raised wherever a message is
taken in, an event is stepped or an order is pursued. It must not end the process, which serves every lane and would
fail at the same place after each start. So a person is alerted and decides about the stay; if everything fails and not
one stay, lanes are out of order until that is over. Exceptions that mean that the process cannot serve pass through: a
journal that fails, a broker that refuses us, a second worker.
"""

import asyncio
import logging
import traceback
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, ids
from terminal.core.rules import Garage
from terminal.journal.rows import JournalError
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import MqttError
from terminal.mqtt.presence import SecondWorker
from terminal.payby.plain_text import plain
from terminal.roles.worker.payby_health import WorkerTroubles

GOES_THROUGH = (MqttError, JournalError, SecondWorker)
"""These exceptions end the process, as they must."""
SUBJECTS, WITHIN_S, OVER_S = 3, 300.0, 60.0
"""If this many stays or lanes fail within this time, the fault is general; OVER_S without a failure ends it."""
TOLD_AGAIN_S = 600.0
"""The least time between two alerts about a stay or lane that fails again and again."""
KEPT = 1000
logger = logging.getLogger(__name__)


class StayFailures:
    """``post`` takes an event, ``is_known`` tells whether there is such a stay, ``changed`` shows every lane anew."""

    def __init__(
        self,
        endpoint: Endpoint,
        troubles: WorkerTroubles,
        *,
        now: Callable[[], int],
        post: Callable[[events.Event], None],
        is_known: Callable[[str], bool],
        changed: Callable[[], Coroutine[Any, Any, None]],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._endpoint, self._troubles = endpoint, troubles
        self._now, self._post, self._is_known = now, post, is_known
        self._changed, self._spawn = changed, spawn
        self._last_s: OrderedDict[str, float] = OrderedDict()
        """When a stay, a lane or a part of the worker last failed."""
        self._told_s: OrderedDict[str, float] = OrderedDict()
        self._is_general = False

    @property
    def hindrance(self) -> str:
        """Why no new visit may begin: one of the contract's `out-of-order` reasons, or nothing."""
        return "journal" if self._is_general else ""

    def alone(self, what: str, session: str | None = None, *, lane: str | None = None) -> "Isolated":
        """A context manager: an exception inside it ends there, and is alerted."""
        return Isolated(lambda error: self.note(what, error, session=session, lane=lane))

    def note(self, what: str, error: Exception | str, *, session: str | None = None, lane: str | None = None) -> None:
        """Note that ``what`` failed for this stay, at this lane."""
        place = ""
        if isinstance(error, Exception):
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            place = _place(error)
            error = f"{type(error).__name__}: {error}"
        text, subject = plain(f"{what}: {error}"), session or lane or what
        now_s = asyncio.get_running_loop().time()
        _put(self._last_s, subject, now_s)
        if now_s >= self._told_s.get(subject, now_s):
            _put(self._told_s, subject, now_s + TOLD_AGAIN_S)
            logger.error("%s%s", text, place)
            self._send_to_a_person(text, session, lane)
        if not self._is_general and len([s for s in self._last_s.values() if s > now_s - WITHIN_S]) >= SUBJECTS:
            self._is_general = True
            self._spawn(self._out_of_order(text), "worker fails")

    def _send_to_a_person(self, text: str, session: str | None, lane: str | None) -> None:
        if session and self._is_known(session):
            self._post(events.StayFailed(self._now(), session, text))  # the rules alert
            return
        alert = self._endpoint.alert(
            "stay-failed",
            text,
            lane=lane or GARAGE_WIDE,
            session=session,
            help_code=ids.help_code(session) if session else None,
        )
        self._spawn(alert, "stay failed")

    async def _out_of_order(self, text: str) -> None:
        """Raise the alert, and clear it when it is over."""
        await self._troubles.tell(
            "worker-failing", f"the worker fails for more than one stay; the last failure: {text}"
        )
        await self._changed()
        loop = asyncio.get_running_loop()
        while (left_s := max(self._last_s.values()) + OVER_S - loop.time()) > 0:  # noqa: ASYNC110 - nothing tells an end
            await asyncio.sleep(left_s)
        self._is_general = False
        self._last_s.clear()
        await self._troubles.over("worker-failing", f"nothing has failed for {OVER_S:.0f} s")
        await self._changed()


class Isolated:
    """A context manager that ends exceptions, except those that must pass, and reports them to ``note``."""

    def __init__(self, note: Callable[[Exception], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception) or isinstance(error, GOES_THROUGH):
            return False
        if isinstance(error, ExceptionGroup) and error.subgroup(GOES_THROUGH):
            return False
        self._note(error)
        return True


def _put(table: OrderedDict[str, float], key: str, value: float) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > KEPT:
        table.popitem(last=False)


def _place(error: BaseException) -> str:
    """Where it was raised, in one line: a traceback would bring others' texts into the log unchanged."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return ", at " + " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in reversed(frames))


def concerned(event: events.Event, garage: Garage) -> tuple[str | None, str | None]:
    """The stay that an event is about, or that is served at its lane; and the lane. None where there is none."""
    session = order_no = None
    match event:
        case events.TicketRead(fee=fee):
            session = fee.session
        case events.LiftAnswered() | events.StayFailed() | events.AlertTold() | events.TimePassed():
            session = event.session
        case events.CommandGiven():
            session, order_no = event.session, event.order_no
        case _ if isinstance(event, events.OrderEvent):
            order_no = event.order_no
    name = ids.parse_order_no(order_no or "")
    lane = (event.lane if isinstance(event, events.LaneEvent) else None) or (name.lane if name else None)
    visit = garage.lanes[lane].visit if lane in garage.lanes else None
    return session or (name.session if name else None) or (visit.fee.session if visit else None), lane
