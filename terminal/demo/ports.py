"""The parts of the demo's lane. ``app`` passes in the real parts: this package knows no driver."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


class NotNow(Exception):
    """The driver cannot do that now; the text says why, for a person."""


class DemoScanner(Protocol):
    """The simulated ticket scanner."""

    def feed(self, text: str) -> None:
        """Hold a ticket under it; ``text`` has no line end."""


class DemoLoops(Protocol):
    """The simulated induction loops."""

    def waiting(self, covered: bool) -> None:
        """Put metal on the loop before the boom, or take it away."""

    def under_boom(self, covered: bool) -> None:
        """The same for the loop under the boom."""


class DemoPanel(Protocol):
    """The LCD in memory."""

    def watch(self, told: Callable[[Image.Image], None]) -> None:
        """Call ``told`` with every frame that reaches the glass (RGB, a picture of its own), from any thread."""


class DemoRelay(Protocol):
    """The relay on the barrier's raise input."""

    def watch(self, told: Callable[[bool], None]) -> None:
        """Call ``told`` with True as the relay closes and False as it opens, from any thread."""


class DemoArm(Protocol):
    """The barrier itself: it rises on a pulse, and lowers by itself once the car has passed."""

    @property
    def rise_s(self) -> float:
        """Seconds from the pulse to ``up``."""

    @property
    def close_s(self) -> float:
        """Seconds that lowering takes."""

    @property
    def state(self) -> str:
        """down, rising, up or lowering."""

    def watch(self, told: Callable[[str], None]) -> None:
        """Call ``told`` with each new state, from any thread."""


@dataclass(frozen=True)
class PhoneOrder:
    """What a payer's app shows after the scan, in PayBy's words."""

    merchant: str
    subject: str
    amount: str
    currency: str
    order_no: str
    status: str


class DemoPayBy(Protocol):
    """The PayBy sandbox, from the payer's side. A token is what the QR code says."""

    async def order(self, token_url: str) -> PhoneOrder:
        """The order behind a scanned code; raises NotNow with a text for the payer."""

    async def pay(self, token_url: str) -> None:
        """Pay it; raises NotNow if it can no longer be paid."""

    async def decline(self, token_url: str) -> None:
        """The payer says no; raises NotNow."""

    async def cut(self) -> None:
        """Be out of reach: no connection is taken."""

    async def restore(self) -> None:
        """Be reachable again, with everything that was known before."""


class DemoBroker(Protocol):
    """The embedded broker."""

    async def cut(self) -> None:
        """Drop every connection and take none."""

    async def restore(self) -> None:
        """Listen again."""


class PassedMessage(Protocol):
    """One MQTT message, like mqtt.subscription.Delivery."""

    @property
    def topic(self) -> str:
        """The whole topic, ``parking/…``."""

    @property
    def payload(self) -> bytes:
        """The message's bytes; empty where a retained message is deleted."""

    @property
    def retained(self) -> bool:
        """Did the broker keep it? Then it is no news."""

    def ack(self) -> None:
        """Let the broker forget the message. A second call does nothing."""


@dataclass(frozen=True)
class Tickets:
    """Where the driver's tickets come from. ``ours`` and ``foreign`` take the minutes since the entry."""

    ours: Callable[[int], str]
    foreign: Callable[[int], str]
    lost: str


@dataclass(frozen=True)
class DemoParts:
    """Everything that a demo lane consists of."""

    garage: str
    lane: str
    scanner: DemoScanner
    loops: DemoLoops
    panel: DemoPanel
    relay: DemoRelay
    arm: DemoArm
    payby: DemoPayBy
    broker: DemoBroker
    tickets: Tickets
    tap: AsyncIterator[PassedMessage]
    invoices: str = ""
    """The address under which the listener has the tax invoices."""
