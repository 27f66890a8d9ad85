"""``exit-terminal refund ORDER``: asks the worker to give money back, and follows it to the end.

Nothing is refunded here. Only the worker knows who holds a payment, so it gets a `command` signed with the console's
key, repeated until its `receipt` comes; what PayBy does then comes as `refund` messages. ``lookup`` reads the journal,
``follow_up`` sends and listens.
"""

import asyncio
import contextlib
import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal import __version__, build
from terminal.clock import SystemClock
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.contract import signatures
from terminal.contract.messages import stamp
from terminal.core import ids, money
from terminal.mqtt.endpoint import Endpoint
from terminal.tools.refund.follow_up import LIMITS, FollowUpLimits, RefundFollowUp
from terminal.tools.refund.lookup import RefundWish, about
from terminal.tools.refund.user import RECIPE, connected

REASON_MAX = 64
"""The most characters of a reason that PayBy takes."""


def run(
    settings: Settings,
    order_no: str,
    *,
    amount: str | None = None,
    reason: str = "",
    yes: bool = False,
    prompt: Callable[[str], str] | None = None,
    say: Callable[[str], None] = print,
    complain: Callable[[str], None] = lambda text: print(f"exit-terminal: {text}", file=sys.stderr),
    limits: FollowUpLimits = LIMITS,
) -> int:
    """Ask for confirmation (by ``prompt``; None: no terminal), refund, and follow. Returns 0: the money is on its way
    back; 1: it is not, or nobody knows yet. Raises ConfigError for wrong use, MqttError, BadKeyFile."""
    wish = read_wish(settings, order_no, amount, reason)
    if not yes and prompt is None:
        raise ConfigError("refund: it asks before it gives money back: run it from a terminal, or with --yes")
    signer = ConsoleSigner.load(settings)
    for line in about(settings, wish):
        say(line)
    if not yes and prompt is not None and not _agreed(prompt):
        complain("refund: nothing was asked for")
        return 1
    return asyncio.run(give_back(settings, wish, signer, say=say, complain=complain, limits=limits))


def _agreed(prompt: Callable[[str], str]) -> bool:
    try:
        return prompt("Give the money back? (yes/no) ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def read_wish(settings: Settings, order_no: str, amount: str | None, reason: str) -> RefundWish:
    """Check the arguments; raises ConfigError."""
    garage = settings.need(sections.GarageSettings).id
    name = ids.parse_order_no(order_no)
    if name is None:
        raise ConfigError(
            f"refund: got {order_no[:70]!r}, takes an order number, such as {garage}-exit-1-<32 hex digits>"
        )
    if name.garage != garage:
        raise ConfigError(f"refund: order {order_no} belongs to garage {name.garage}, and this is {garage}")
    try:
        fils = None if amount is None else money.parse(amount)
        if fils == 0:
            raise ValueError
    except ValueError:
        raise ConfigError(f"refund: --amount: got {str(amount)[:40]!r}, takes dirhams above 0, such as 12.50") from None
    if len(reason) > REASON_MAX or "|" in reason or not reason.isprintable():
        raise ConfigError(f"refund: --reason: takes up to {REASON_MAX} characters on one line, without |")
    return RefundWish(order_no, name.lane, name.session, fils, reason)


@dataclass(frozen=True, slots=True)
class ConsoleSigner:
    """The console's key, and the name of its public half in ``trusted``."""

    name: str
    key: Ed25519PrivateKey

    @classmethod
    def load(cls, settings: Settings) -> "ConsoleSigner":
        """Raises ConfigError."""
        path = settings.need(sections.ConsoleSettings).lift_private_key
        if path is None:
            raise ConfigError(
                "console.lift_private_key: missing; a refund is signed with the console's key, and"
                f" {RECIPE} says how to make one"
            )
        return cls(*build.signing_key("console.lift_private_key", path, settings.need(sections.LiftSettings)))

    @property
    def by(self) -> str:
        """Who asks: the key, and the user who is logged in."""
        with contextlib.suppress(OSError, KeyError):
            user = getpass.getuser()
            if user.isprintable() and "|" not in user:
                return f"{self.name}/{user}"
        return self.name


async def give_back(
    settings: Settings,
    wish: RefundWish,
    signer: ConsoleSigner,
    *,
    say: Callable[[str], None],
    complain: Callable[[str], None],
    limits: FollowUpLimits,
) -> int:
    """Send the command and follow its refund; the exit status. Raises ConfigError, MqttError."""
    clock = SystemClock()
    async with connected(settings, wish.lane) as mqtt_client:
        endpoint = Endpoint(
            mqtt_client,
            garage=settings.need(sections.GarageSettings).id,
            lane=wish.lane,
            role="refund",
            version=__version__,
            clock=clock,
        )
        command = signatures.sign_command(
            signer.key,
            endpoint.garage,
            wish.lane,
            key=signer.name,
            **endpoint.head(),
            command="refund",
            by=signer.by,
            session=wish.session,
            order_no=wish.order_no,
            amount=None if wish.fils is None else money.text(wish.fils),
            reason=wish.reason or None,
            not_after=stamp(clock.wall_ms() + round(limits.answer_s * 1000)),
        )
        with endpoint.subscribe("receipt", "refund", "health", lane="+") as stream:
            following = RefundFollowUp(settings, wish.session, command, endpoint, limits, say, complain)
            return await following.to_the_end(stream)
