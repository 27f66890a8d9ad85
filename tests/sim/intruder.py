"""Who says on the broker what he should not: an intruder who repeats and forges what he hears, and whoever has stolen a
lane's machine, with the rights of all its roles.
"""

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from terminal.contract import signatures
from terminal.contract.messages import MESSAGES, BadMessage, Paid, decode, encode, stamp
from terminal.core.ids import parse_order_no
from terminal.payby.signing import sign
from tests.sim.net import Payload, topic_of

if TYPE_CHECKING:
    from tests.sim.world import World

NO_PROOF = "{}"
"""In the place of PayBy's words."""


class Intruder:
    """Somebody on the broker: hears lifts, commands and payments, and says them again, altered or not."""

    def __init__(self, world: "World", every_s: float) -> None:
        self.world = world
        self.every_s = every_s
        self.dice = world.dice_for("intruder")
        self.said = 0
        self._heard: deque[tuple[str, Payload]] = deque(maxlen=30)
        world.broker.taps.append(self._tap)

    def _tap(self, topic: str, payload: Payload) -> None:
        if topic.endswith(("/lift", "/command", "/paid", "/fee")):
            self._heard.append((topic, payload))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / self.every_s))
            if self.dice.random() < 0.3:
                self._claims_payment()
            elif self._heard:
                topic, payload = self.dice.choice(list(self._heard))
                self._says(topic, payload)

    def _claims_payment(self) -> None:
        """Of an order that can be paid, in words that PayBy did not sign."""
        world = self.world
        open_orders = [o for o in world.payby.orders.values() if o.status == "CREATED"]
        if not open_orders:
            return
        order = self.dice.choice(open_orders[-4:])
        body = f'{{"notify_id":"forged","acquireOrder":{order.words(status="PAID_SUCCESS")}}}'
        signature = sign(world.keys.stranger, body.encode())
        name = parse_order_no(order.no)
        assert name is not None
        said = Paid(**world.head(), order_no=order.no, notify_id="forged", body=body, sign=signature)
        world.note("intruder claims", order.no)
        world.broker.take(f"parking/{world.garage}/{name.lane}/paid", world.packed(said), False)

    def _says(self, topic: str, payload: Payload) -> None:
        world, dice = self.world, self.dice
        found = json.loads(payload if isinstance(payload, bytes) else encode(payload))
        if topic.endswith("/fee"):
            if found["reason"] == "refused":
                return
            found |= {"id": world.ids(world.true_ms()), "reason": "free", "amount": "0.00"}
        match dice.randrange(5) if not topic.endswith("/fee") else 0:
            case 0:
                pass
            case 1:
                other = dice.choice(list(world.sites))
                topic = f"parking/{world.garage}/{other}/{topic.rsplit('/', 1)[1]}"
            case 2:
                field = dice.choice(sorted(k for k in found if k not in ("v", "sign")))
                found[field] = self._altered(field, found[field])
            case 3:
                self._signed_anew(topic, found)
            case _:
                if "proof" in found:
                    found["proof"]["body"] = found["proof"]["body"].replace("FAILURE", "PAID_SUCCESS")
                    found["proof"]["sign"] = sign(world.keys.stranger, found["proof"]["body"].encode())
                found["id"] = world.ids(world.true_ms())
        self.said += 1
        world.note("intruder", topic, found.get("id"))
        said: Payload = json.dumps(found).encode()
        if world.broker.is_light:
            try:
                said = decode(MESSAGES[topic_of(topic).kind], json.dumps(found).encode())
            except BadMessage:
                return
        world.broker.take(topic, said, False)

    def _altered(self, field: str, value: Any) -> Any:
        world = self.world
        match field:
            case "not_after" | "at":
                return stamp(world.true_ms() + 40_000)
            case "amount":
                return "0.01"
            case "id" | "session" | "car":
                return world.ids(world.true_ms())
            case "reason":
                return self.dice.choice(("free", "operator", "paid", "credit"))
            case "body":
                return str(value).replace("CREATED", "PAID_SUCCESS")
        return value

    def _signed_anew(self, topic: str, found: dict[str, Any]) -> None:
        """By a key that nobody trusts."""
        world = self.world
        found["id"] = world.ids(world.true_ms())
        if "not_after" in found:
            found["not_after"] = stamp(world.true_ms() + 20_000)
        lane = topic.split("/")[2]
        if topic.endswith("/lift"):
            fields = {k: v for k, v in found.items() if k not in ("v", "sign", "key", "proof")}
            lift = signatures.sign_lift(world.keys.intruder, world.garage, lane, key=found["key"], **fields)
            found["sign"] = lift.sign
        elif topic.endswith("/paid"):
            found["sign"] = sign(world.keys.stranger, found["body"].encode())


class StolenLane:
    """A lane's machine in wrong hands. It knows the stays and lifts of other lanes, and says of them what it likes;
    what it makes of its own lane's lifts is not looked at: whoever has the machine has the relay."""

    def __init__(self, world: "World", every_s: float) -> None:
        self.world = world
        self.every_s = every_s
        self.dice = world.dice_for("stolen lane")
        self.lane = world.stolen_lane = self.dice.choice(sorted(world.sites))
        self._lifts: deque[tuple[str, Payload]] = deque(maxlen=10)
        self._sessions: deque[str] = deque(maxlen=12)
        world.broker.taps.append(self._tap)

    def _tap(self, topic: str, payload: Payload) -> None:
        if topic.endswith("/lift"):
            self._lifts.append((topic, payload))
            if self.dice.random() < 0.1:
                self._strips(topic, payload)  # before the broker has brought the lift itself to anybody
        elif topic.endswith(("/fee", "/order")):
            said = json.loads(payload if isinstance(payload, bytes) else encode(payload))
            if session := said.get("session"):
                self._sessions.append(session)

    async def run(self) -> None:
        deeds = {
            self._loses: 4.0,
            self._answers: 4.0,
            self._moves: 3.0,
            self._is_the_garage: 2.0,
            self._floods: 0.3,
        }
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / self.every_s))
            self.dice.choices(tuple(deeds), tuple(deeds.values()))[0]()

    def _loses(self) -> None:
        """A lost ticket, with the stay of somebody else."""
        if self._sessions:
            world = self.world
            session = self.dice.choice(list(self._sessions))
            self._says("fee", self._fee("LOST", "lost", session, car=world.sites[self.lane].loops.car))

    def _fee(self, ticket: str, reason: str, session: str, *, car: str | None, lane: str = "") -> dict[str, Any]:
        world = self.world
        head = world.head()
        found = {**head, "ticket": ticket, "reason": reason, "session": session, "exited": head["at"]}
        return found | {"amount": "150.00", "currency": "AED"} | ({"car": car} if car else {})

    def _others_lift(self) -> tuple[dict[str, Any], str] | None:
        """A lift of another lane, and its lane."""
        others = [(t, p) for t, p in self._lifts if t.split("/")[2] != self.lane]
        if not others:
            return None
        topic, payload = self.dice.choice(others)
        return json.loads(payload if isinstance(payload, bytes) else encode(payload)), topic.split("/")[2]

    def _answers(self) -> None:
        """To a lift of another lane."""
        if found := self._others_lift():
            outcome = self.dice.choice(("raised", "refused", "refused", "unknown"))
            why = self.dice.choice(("car", "proof", "expired", "spent", "journal")) if outcome == "refused" else None
            answer = {"lift": found[0]["id"], "outcome": outcome} | ({"why": why} if why else {})
            self._says("barrier", {**self.world.head(), "state": self._state(), "answer": answer}, retain=True)

    def _state(self) -> str:
        return self.world.sites[self.lane].arm.state

    def _moves(self) -> None:
        """Its boom, it says, rose by a lift of another lane."""
        if found := self._others_lift():
            lift, _ = found
            state = self.dice.choice(("rising", "up", "down"))
            said = {"state": state, "lift": lift["id"], "session": lift["session"], "reason": lift["reason"]}
            self._says("barrier", {**self.world.head(), **said}, retain=True)

    def _is_the_garage(self) -> None:
        """What belongs to a lane, in the garage's place."""
        world, head = self.world, self.world.head()
        match self.dice.choice(("barrier", "fee", "vehicle")):
            case "barrier":
                self._says("barrier", {**head, "state": "down"}, lane="garage")
            case "fee":
                self._says("fee", self._fee("LOST", "lost", world.ids(world.true_ms()), car=None), lane="garage")
            case "vehicle":
                said = {"waiting": True, "under_boom": False, "car": world.ids(world.true_ms())}
                self._says("vehicle", {**head, **said}, lane="garage")

    def _strips(self, topic: str, payload: Payload) -> None:
        """A genuine lift, without its proof or with another one."""
        lift = json.loads(payload if isinstance(payload, bytes) else encode(payload))
        if not lift.get("proof") or lift["proof"]["body"] == NO_PROOF:
            return
        match self.dice.randrange(3):
            case 0:
                del lift["proof"]
            case 1:
                lift["proof"]["body"] = NO_PROOF
            case 2:
                lift["proof"]["sign"] = sign(self.world.keys.stranger, b"")
        self._says("lift", lift, lane=topic.split("/")[2])

    def _floods(self) -> None:
        """More readings than any lane has."""
        world = self.world
        for number in range(150):
            fee = {**world.head(), "ticket": f"rubbish {number}", "reason": "refused", "why": "ticket-unknown"}
            world.loop.after(number * 0.005, self._says, "fee", fee)

    def _says(self, kind: str, message: dict[str, Any], *, lane: str = "", retain: bool = False) -> None:
        world = self.world
        topic = f"parking/{world.garage}/{lane or self.lane}/{kind}"
        body = json.dumps({"v": 1, **message}).encode()
        world.note("stolen lane", topic, message.get("id"))
        world.broker.take(topic, decode(MESSAGES[kind], body) if world.broker.is_light else body, retain)
