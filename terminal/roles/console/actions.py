"""What an operator does: checked, journaled, signed, said until it is answered, and its outcome journaled.

Nothing is sent before it is in the console's journal, a form leads to one message however often it is sent, and two
people who act on the same lane or order learn of each other first.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.clock import new_id
from terminal.config.users import DeskUser, UserRole
from terminal.contract.messages import Barrier, Command, Lift, Receipt, Refund, stamp
from terminal.contract.signatures import sign_command, sign_lift
from terminal.core import ids, money
from terminal.monitor.lane import LaneMonitor
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import MqttError
from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_journal import (
    ABOUT_A_PAYMENT,
    DECISIONS,
    READ_OUT,
    ActionKind,
    ActionRecord,
    DeskAction,
    DeskJournal,
    OutcomeRecord,
    OutcomeStage,
)
from terminal.roles.console.lane_card import cannot_lift

REASONS: dict[ActionKind, tuple[str, ...]] = {
    "lift": (
        "lost-ticket", "damaged-ticket", "paid-otherwise", "payment-fails", "equipment", "emergency", "goodwill",
        "other",
    ),
    "lost-ticket": ("driver-asks", "other"),
    "damaged-ticket": ("unreadable", "equipment", "other"),
    "refund": ("charged-twice", "overcharged", "did-not-open", "goodwill", "other"),
    "keep": ("has-left", "other"),
    "let-go": ("did-not-open", "driver-asks", "other"),
    "cancel": ("driver-asks", "wrong-vehicle", "paid-otherwise", "other"),
    "reset": ("wrong-vehicle", "equipment", "driver-asks", "other"),
    "close-lane": ("maintenance", "equipment", "blocked", "emergency", "other"),
    "open-lane": ("clear", "other"),
}  # fmt: skip
"""From which list a reason is taken; ``other`` needs words."""
NOTE_MOST = 200
TICKET_MOST = 200
"""A ticket's text has some 100 characters; blanks between them are nothing."""
LOST = "LOST"
"""The text of the card for a lost ticket."""
PAYBY_MOST = 64
"""PayBy takes a refund's reason up to this many characters."""
LIFT_MS, BLIND_LIFT_MS, COMMAND_MS = 30_000, 15_000, 45_000
"""For how long a lift, a lift that names no car, and a command are valid."""
AGAIN_S = 1.0
"""How often a message is said again until it is answered."""
log = logging.getLogger(__name__)


class NotDone(Exception):
    """Nothing was sent. ``key`` is a row of the texts, ``values`` what is filled in; ``action``: what another did."""

    def __init__(self, key: str, action: DeskAction | None = None, **values: object) -> None:
        super().__init__(key)
        self.key, self.action, self.values = key, action, values


@dataclass(frozen=True, slots=True)
class ActionWish:
    """A form. ``once`` names the form, ``newest`` the action about the same that it knew of, ``session`` the visit that
    it showed (empty: none)."""

    action: ActionKind
    lane: str
    once: str
    newest: str
    reason: str
    note: str = ""
    session: str = ""
    order_no: str = ""
    amount: str = ""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class DeskSigner:
    """The console's key, and the name by which it is trusted."""

    name: str
    key: Ed25519PrivateKey


class Actions:
    """``signer`` None: the desk can look, not act. ``refund_limit``: what an attendant may give back at once, fils."""

    def __init__(
        self,
        desk: Desk,
        endpoint: Endpoint,
        journal: DeskJournal,
        signer: DeskSigner | None,
        refund_limit: int,
        *,
        again_s: float = AGAIN_S,
    ) -> None:
        self._desk, self._endpoint, self._journal, self._signer = desk, endpoint, journal, signer
        self.refund_limit = refund_limit
        self._again_s = again_s
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._answered: dict[str, asyncio.Event] = {}
        self._coming: set[tuple[str, OutcomeStage]] = set()
        """Outcomes that are being journaled."""
        self._asking = asyncio.Lock()
        self._later: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @property
    def can_act(self) -> bool:
        """Has the desk a key?"""
        return self._signer is not None

    def why_not(self, action: ActionKind, lane: LaneMonitor) -> str:
        """Why it cannot be done now, as a row of the texts; empty if it can."""
        if self._signer is None:
            return "why.key"
        if action == "lift":
            return cannot_lift(self._desk, lane)
        worker = self._desk.role("worker")
        if self._desk.is_cut_off():
            return "why.cut"
        if not (worker and worker.is_there):
            return "why.worker"
        vehicle = self._desk.vehicle_of(lane) if action in READ_OUT else None
        return "why.nobody" if vehicle and vehicle.data.get("waiting") is not True else ""

    async def ask(self, wish: ActionWish, user: DeskUser, address: str) -> DeskAction:
        """Check, journal and send; raises NotDone, JournalError. The same form again gives the same action."""
        async with self._asking:  # so that two who ask at once know of each other
            if known := self._desk.book.asked_by_form(wish.once):
                return known
            record = self._checked(wish, user, address)
            action = await self._journal.ask(record, self._desk.clock.wall_ms())
        log.info("%s asks for %s at %s: %s", user.name, wish.action, wish.lane, record.reason)
        self._tell(action)
        answered = self._answered[record.id] = asyncio.Event()
        self._sending[record.id] = asyncio.create_task(self._send(action, answered), name=f"desk {wish.action}")
        return action

    def hear_barrier(self, lane: str, barrier: Barrier) -> None:
        """A barrier's word may answer a lift."""
        if (answer := barrier.answer) and self._is_ours(answer.lift, lane):
            self._come(answer.lift, answer.outcome, answer.why or "")
        for lift in {barrier.lift, barrier.raised_last_by} - {None}:
            if lift and self._is_ours(lift, lane):
                self._come(lift, "raised", "")

    def hear_receipt(self, receipt: Receipt) -> None:
        """A worker's receipt may answer a command."""
        action = self._desk.book.actions.get(receipt.command or "")
        if action is None or (action.is_over and action.stage != "unanswered"):
            return
        if receipt.outcome != "done":
            self._come(action.record.id, "refused", receipt.why or receipt.outcome)
        elif action.record.action in ABOUT_A_PAYMENT:
            if action.record.role == "manager":
                self._desk.decided(action.record.order_no, self._desk.clock.wall_ms())
            self._come(action.record.id, "asked-payby" if action.record.action == "refund" else "done", "")
        else:
            self._come(action.record.id, "done", "")

    def hear_refund(self, refund: Refund) -> None:
        """A refund's progress may be an action's."""
        for action in self._desk.book.of(order_no=refund.order_no):
            is_its = action.record.action == "refund" and ids.refund_no(action.record.id) == refund.refund_no
            stage: OutcomeStage = "asked-payby" if refund.status == "asked" else refund.status
            if is_its and not {stage, "success", "failed"} & self._reached(action):
                self._come(action.record.id, stage, "")

    async def end(self) -> None:
        """Stop sending; what was asked for stays in the journal."""
        tasks = [*self._sending.values(), *self._later]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def settle_old(self) -> None:
        """What an earlier start had asked for is not said again: its time is up, or its answer will still come."""
        for action in self._desk.book.actions.values():
            if action.stage == "asked":
                self._come(action.record.id, "unanswered", "")

    # Checking

    def _checked(self, wish: ActionWish, user: DeskUser, address: str) -> ActionRecord:
        lane = self._desk.monitor.lanes.get(wish.lane)
        if lane is None:
            raise NotDone("no.lane")
        note = " ".join(wish.note.split())
        if wish.reason not in REASONS[wish.action] or (wish.reason == "other" and not note):
            raise NotDone("no.reason")
        if len(note) > NOTE_MOST or "|" in note or not note.isprintable():
            raise NotDone("no.text", n=NOTE_MOST)
        if self._signer is None:
            raise NotDone("why.key")
        order_no, amount = self._order(wish, user)
        session, ticket = self._session(wish, lane, order_no), self._ticket(wish)
        self._not_overtaken(wish)
        if why_not := self.why_not(wish.action, lane):
            raise NotDone(why_not)
        car = self._desk.car_at(lane) if wish.action == "lift" else ""
        lives_ms = (LIFT_MS if car else BLIND_LIFT_MS) if wish.action == "lift" else COMMAND_MS
        return ActionRecord(
            id=new_id(self._desk.clock),
            once=wish.once,
            user=user.name,
            role=user.role,
            address=address,
            lane=wish.lane,
            action=wish.action,
            reason=wish.reason,
            not_after=self._desk.clock.wall_ms() + lives_ms,
            note=note,
            session=session,
            order_no=order_no,
            amount=amount,
            car=car,
            ticket=ticket,
        )

    def _order(self, wish: ActionWish, user: DeskUser) -> tuple[str, str]:
        """The order and the amount that a command names; empty where it names none."""
        if wish.action != "cancel" and wish.action not in ABOUT_A_PAYMENT:
            return "", ""
        name = ids.parse_order_no(wish.order_no)
        if name is None or (name.garage, name.lane) != (self._desk.garage, wish.lane):
            raise NotDone("no.order")
        if wish.action == "cancel":
            return wish.order_no, ""
        if wish.action in DECISIONS:
            if not user.may(self.needs(wish.action)):
                raise NotDone("no.person")
            return wish.order_no, ""
        fils = None
        if text := wish.amount.strip():
            try:
                fils = money.parse(text)
            except ValueError:
                raise NotDone("no.amount") from None
            if fils == 0:
                raise NotDone("no.amount")
        if not user.may(self.needs("refund", fils)):
            raise NotDone("no.limit", limit=money.text(self.refund_limit))
        if not user.may("manager") and self._desk.waits_for_person(wish.order_no):
            raise NotDone("no.person")
        return wish.order_no, "" if fils is None else money.text(fils)

    def needs(self, action: ActionKind, fils: int | None = None) -> UserRole:
        """The least role that may do it; ``fils``: how much a refund gives back, None: all that is left."""
        if action in DECISIONS or (action == "refund" and (fils is None or fils > self.refund_limit)):
            return "manager"
        return "attendant"

    @staticmethod
    def _ticket(wish: ActionWish) -> str:
        """What the worker reads in place of a scanner's word; empty for what reads no ticket."""
        if wish.action == "lost-ticket":
            return LOST
        if wish.action != "damaged-ticket":
            return ""
        text = " ".join(wish.ticket.split())
        if not 0 < len(text) <= TICKET_MOST or not text.isascii() or not text.isprintable() or "|" in text:
            raise NotDone("no.ticket")
        return text

    def _session(self, wish: ActionWish, lane: LaneMonitor, order_no: str) -> str:
        """The stay that is meant, which must be at the lane still where that matters."""
        if wish.action in ABOUT_A_PAYMENT:
            name = ids.parse_order_no(order_no)
            assert name is not None
            return name.session
        now = self._desk.session_at(lane)
        if (wish.action in ("lift", "reset", "cancel") or wish.action in READ_OUT) and wish.session != now:
            raise NotDone("no.over")
        if wish.action in ("reset", "cancel") and not now:
            raise NotDone("no.over")
        return now

    def _not_overtaken(self, wish: ActionWish) -> None:
        subject = wish.order_no if wish.action in ABOUT_A_PAYMENT else wish.lane
        newest = self._desk.book.newest(subject)
        action = self._desk.book.actions.get(newest)
        if action is None:
            return
        if newest != wish.newest:
            raise NotDone("no.overtaken", action)
        if not action.is_over and action.record.action == wish.action and action.record.id in self._sending:
            raise NotDone("why.pending", action, user=action.record.user)

    # Sending

    async def _send(self, action: DeskAction, answered: asyncio.Event) -> None:
        record = action.record
        try:
            message = self._message(record)
            while not answered.is_set() and (left_ms := record.not_after - self._desk.clock.wall_ms()) > 0:
                try:
                    await self._endpoint.publish(message, lane=record.lane)
                except MqttError as error:
                    log.warning("%s could not be said: %s", record.action, error)
                try:
                    async with asyncio.timeout(min(self._again_s, left_ms / 1000)):
                        await answered.wait()
                except TimeoutError:
                    continue
            if not answered.is_set():
                self._come(record.id, "unanswered", "")
        finally:
            self._sending.pop(record.id, None)
            self._answered.pop(record.id, None)

    def _message(self, record: ActionRecord) -> Lift | Command:
        assert self._signer is not None
        key, garage, lane = self._signer.key, self._desk.garage, record.lane
        words = f"{record.reason}: {record.note}" if record.note else record.reason
        common: dict[str, Any] = {
            "id": record.id,
            "at": stamp(self._desk.clock.wall_ms()),
            "by": record.user,
            "not_after": stamp(record.not_after),
        }
        if record.action == "lift":
            session = record.session or ids.derived_id(ids.moment_of(record.id), "no visit", record.id)
            common |= {"session": session, "car": record.car or None, "reason": "operator", "note": words}
            return sign_lift(key, garage, lane, key=self._signer.name, **common)
        if record.action in READ_OUT:
            common |= {"reason": record.ticket}
            return sign_command(key, garage, lane, key=self._signer.name, command="ticket", **common)
        common |= {"session": record.session or None, "order_no": record.order_no or None}
        common |= {"amount": record.amount or None, "reason": words[:PAYBY_MOST]}
        return sign_command(key, garage, lane, key=self._signer.name, command=record.action, **common)

    # Outcomes

    def _is_ours(self, lift: str, lane: str) -> bool:
        action = self._desk.book.actions.get(lift)
        if action is None or (action.record.lane, action.record.action) != (lane, "lift"):
            return False
        return not {"raised", "refused", "unknown"} & self._reached(action)

    def _come(self, name: str, stage: OutcomeStage, why: str) -> None:
        """Something came of an action: no more of it is said, and it is journaled."""
        if answered := self._answered.get(name):
            answered.set()
        action = self._desk.book.actions[name]
        if stage in self._reached(action):
            return
        self._coming.add((name, stage))
        task = asyncio.create_task(self._journal_outcome(action, OutcomeRecord(name, stage, why)), name="desk outcome")
        self._later.add(task)
        task.add_done_callback(self._over)

    def _reached(self, action: DeskAction) -> set[OutcomeStage]:
        """How far it has come, what is just being journaled included."""
        coming = {stage for name, stage in self._coming if name == action.record.id}
        return coming | {stage for _, stage, _ in action.stages}

    async def _journal_outcome(self, action: DeskAction, outcome: OutcomeRecord) -> None:
        await self._journal.come_of(outcome, self._desk.clock.wall_ms())
        self._coming.discard((outcome.id, outcome.stage))
        log.info("%s at %s: %s %s", action.record.action, action.record.lane, outcome.stage, outcome.why)
        self._tell(action)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.journal_failed(error)

    def journal_failed(self, error: BaseException) -> None:
        """Nothing can be done without the journal: the role ends by it, and begins anew."""
        if not self._failed.done():
            self._failed.set_result(error)

    async def journal_error(self) -> BaseException:
        """Wait until the journal fails."""
        return await self._failed

    def _tell(self, action: DeskAction) -> None:
        self._desk.feed.tell(action)
        self._desk.feed.touch(action.record.lane)
