"""The reader of a lane, as a machine: what its scanner reads becomes a fee."""

from typing import TYPE_CHECKING

from terminal.contract.messages import Fee, Order, Screen, stamp
from terminal.core import money
from terminal.core.ids import lost_session
from terminal.core.quote import quote
from tests.sim.loop import Handle
from tests.sim.net import Payload, SimBus, read

if TYPE_CHECKING:
    from tests.sim.kerb import Loops
    from tests.sim.world import World


FEE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0)
LOST = "LOST"


class Reader:
    """The scanner and its role: says a fee until it is answered."""

    def __init__(self, world: "World", lane: str, loops: "Loops") -> None:
        self._world, self._lane, self._loops = world, lane, loops
        self._bus = SimBus(world.broker, f"reader {lane}", world.ids(world.true_ms()))
        base = f"parking/{world.garage}/{lane}"
        self._topic = f"{base}/fee"
        self._bus.hears(self._hear, f"{base}/order", f"{base}/screen")
        self._asked: Fee | None = None
        self._timer: Handle | None = None
        self.is_off = False
        """Its machine has no power."""

    def power(self, on: bool) -> None:
        """The lane's machine. What it still had to say is forgotten."""
        self.is_off = not on
        self._asked = None

    def scan(self, text: str) -> Fee:
        """A ticket is held under it."""
        world = self._world
        now = world.true_ms()
        head = world.head()
        if world.outside and world.outside.is_coupon(text):
            return self._asks(Fee(**head, ticket=text, reason="coupon", car=self._loops.car, exited=stamp(now)))
        if world.foreign and world.foreign.is_ours(text):
            world.foreign.reads(head["id"], text)
            return self._asks(Fee(**head, ticket=text, reason="number", car=self._loops.car, exited=stamp(now)))
        quoted = quote(
            text,
            now,
            garage=world.garage,
            keys=world.ticket_keys,
            tariff=world.tariff,
            lost_session=lost_session(world.garage, self._lane, self._loops.car, head["id"]),
        )
        known = quoted.amount is not None
        return self._asks(
            Fee(
                **head,
                ticket=text if known else text[:64],
                reason=quoted.reason,
                session=quoted.session,
                car=self._loops.car,
                entered=None if quoted.entered_ms is None else stamp(quoted.entered_ms),
                exited=stamp(now),
                minutes=quoted.minutes,
                amount=None if quoted.amount is None else money.text(quoted.amount),
                currency="AED" if known else None,
                why=quoted.why,
            )
        )

    def _asks(self, fee: Fee) -> Fee:
        if not self.is_off:
            self._asked = fee
            self._repeat(0)
        return fee

    def _repeat(self, count: int) -> None:
        if self._timer:
            self._timer.cancel()
        if self._asked is None or count >= len(FEE_PAUSES_S):
            return
        self._bus.says(self._topic, self._asked)
        self._timer = self._world.loop.after(FEE_PAUSES_S[count], self._repeat, count + 1)

    def _hear(self, topic: str, payload: Payload, _: bool) -> None:
        if self._asked:
            kind: type[Order | Screen] = Order if topic.endswith("order") else Screen
            if read(kind, payload).fee == self._asked.id:
                self._asked = None
