"""Controls the sandbox over HTTP, under ``/sandbox/``: for a page with a simulated phone, and for scripts.

=====================================  ==============================================================================
``GET  /sandbox/orders``               all orders
``GET  /sandbox/calls``                all calls: name, time, code, parameters
``GET  /sandbox/notifications``        all notifications posted: time, order, status of the reply
``GET  /sandbox/public-key``           PayBy's public key, PEM
``POST /sandbox/pay``                  ``{"ref": order number or token URL, …}`` with the fields of _Pay
``POST /sandbox/scan``                 ``{"ref", "payer"?}``: a phone reads the code
``POST /sandbox/decline``              ``{"ref", "payer"?}``: … and its payer does not pay
``POST /sandbox/settle``               ``{"ref"}``
``POST /sandbox/charge-back``          ``{"ref", "amount"?, "case"?}``: the payer's bank takes the payment back
``POST /sandbox/notify``               ``{"ref"}``: notify of the order once more, as it stands
``POST /sandbox/device``               ``{"id", "allowed"?}``: put it into the merchant's register of devices
``POST /sandbox/faults``               ``{"call", "times"?, …}`` with the fields of faults.Fault; null: for ever
``POST /sandbox/notify-fault``         the fields of faults.NotifyFault
``POST /sandbox/cut-off``              PayBy is gone
``POST /sandbox/heal``                 no more faults, PayBy is back
=====================================  ==============================================================================

Answers are JSON; 404 for an unknown order, 409 if the order's state forbids it, 400 for a malformed request.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .api import Call
from .faults import Fault, NotifyFault
from .notifier import NotificationAttempt
from .order_book import OrderBook
from .orders import SandboxChargeback, SandboxOrder
from .parameters import Refusal

_ENCODER = msgspec.json.Encoder(decimal_format="number")
T = TypeVar("T")
F = TypeVar("F", Fault, NotifyFault)


class _Pay(msgspec.Struct, forbid_unknown_fields=True):
    ref: str
    payer: str = "100000012396"
    paid_amount: Decimal | None = None
    settle: bool = False
    notify: bool = True


class _Decline(msgspec.Struct, forbid_unknown_fields=True):
    ref: str
    payer: str = "100000012396"


class _ChargeBack(msgspec.Struct, forbid_unknown_fields=True):
    ref: str
    amount: Decimal | None = None
    case: str = "fraud"


class _Device(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    allowed: bool = True


class _Ref(msgspec.Struct, forbid_unknown_fields=True):
    ref: str


class SandboxLevers(Protocol):
    """The part of a sandbox that the routes use; ``server.Sandbox`` says what each method does."""

    notify_fault: NotifyFault
    cut_off: bool

    @property
    def book(self) -> OrderBook:
        """The orders and refunds themselves, and the merchant's register of devices."""

    @property
    def calls(self) -> Sequence[Call]:
        """Every call about orders, refunds and reports so far, in order."""

    @property
    def orders(self) -> Mapping[str, SandboxOrder]:
        """All orders by our number."""

    @property
    def deliveries(self) -> Sequence[NotificationAttempt]:
        """Every notification posted so far, retries included."""

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The key with which the merchant verifies PayBy's words."""

    def fail(self, call: str, fault: Fault, times: int | None) -> None:
        """Give the next ``times`` calls of this name (``*``: of any name) this fault; None: until heal()."""

    def heal(self) -> None:
        """Clear every fault, and be reachable again."""

    def notify(self, ref: str) -> None:
        """Begin to notify of the order as it stands; raises KeyError for an unknown order."""

    async def pay(
        self, ref: str, *, payer: str, paid_amount: Decimal | None, settle: bool, notify: bool
    ) -> SandboxOrder:
        """Pay the order; ``paid_amount`` (AED; None: all of it) is less with a discount. Raises what scan() raises."""

    async def scan(self, ref: str, *, payer: str) -> SandboxOrder:
        """A phone reads the code. Raises KeyError for an unknown order, Refusal if its payer cannot pay it."""

    async def decline(self, ref: str, *, payer: str) -> SandboxOrder:
        """A phone reads the code, and nobody pays; raises what scan() raises."""

    async def settle(self, ref: str) -> SandboxOrder:
        """A paid order's money reaches the merchant. Raises KeyError if it is unknown, Refusal if it is unpaid."""

    async def charge_back(self, ref: str, *, amount: Decimal | None, case: str) -> SandboxChargeback:
        """The bank takes ``amount`` (AED; None: all) back. Raises KeyError if the order is unknown, Refusal if it is
        unpaid."""


def control_routes(sandbox: SandboxLevers) -> list[web.RouteDef]:
    """The routes above for one sandbox."""

    async def orders(_: web.Request) -> Any:
        return [order.words() | {"tokenUrl": order.token_url} for order in sandbox.orders.values()]

    async def calls(_: web.Request) -> Any:
        return [{"name": c.name, "at_ms": c.at_ms, "code": c.code, "bizContent": c.biz} for c in sandbox.calls]

    async def notifications(_: web.Request) -> Any:
        return [
            {"at_ms": d.at_ms, "notify_id": d.notify_id, "order_no": d.order_no, "status": d.status, "ok": d.ok}
            for d in sandbox.deliveries
        ]

    async def pay(request: web.Request) -> Any:
        asked = await _read(request, _Pay)
        order = await sandbox.pay(
            asked.ref, payer=asked.payer, paid_amount=asked.paid_amount, settle=asked.settle, notify=asked.notify
        )
        return order.words()

    async def decline(request: web.Request) -> Any:
        asked = await _read(request, _Decline)
        return (await sandbox.decline(asked.ref, payer=asked.payer)).words()

    async def scan(request: web.Request) -> Any:
        asked = await _read(request, _Decline)
        return (await sandbox.scan(asked.ref, payer=asked.payer)).words()

    async def settle(request: web.Request) -> Any:
        return (await sandbox.settle((await _read(request, _Ref)).ref)).words()

    async def charge_back(request: web.Request) -> Any:
        asked = await _read(request, _ChargeBack)
        return (await sandbox.charge_back(asked.ref, amount=asked.amount, case=asked.case)).words()

    async def notify(request: web.Request) -> Any:
        sandbox.notify((await _read(request, _Ref)).ref)
        return {}

    async def device(request: web.Request) -> Any:
        asked = await _read(request, _Device)
        sandbox.book.devices[asked.id] = asked.allowed
        return {}

    async def faults(request: web.Request) -> Any:
        asked = await _read(request, dict[str, Any])
        call, times = asked.pop("call", "*"), asked.pop("times", 1)
        if not isinstance(call, str) or not (times is None or isinstance(times, int)):
            raise msgspec.ValidationError("call: a name; times: a whole number or null")
        sandbox.fail(call, _known(asked, Fault), times)
        return {}

    async def notify_fault(request: web.Request) -> Any:
        sandbox.notify_fault = _known(await _read(request, dict[str, Any]), NotifyFault)
        return {}

    async def cut_off(_: web.Request) -> Any:
        sandbox.cut_off = True
        return {}

    async def heal(_: web.Request) -> Any:
        sandbox.heal()
        return {}

    async def public_key(_: web.Request) -> web.Response:
        pem = sandbox.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return web.Response(body=pem, content_type="application/x-pem-file")

    looks = {"orders": orders, "calls": calls, "notifications": notifications}
    acts = {
        "pay": pay,
        "scan": scan,
        "decline": decline,
        "settle": settle,
        "charge-back": charge_back,
        "notify": notify,
        "device": device,
        "faults": faults,
        "notify-fault": notify_fault,
        "cut-off": cut_off,
        "heal": heal,
    }
    return [
        web.get("/sandbox/public-key", public_key),
        *(web.get(f"/sandbox/{name}", _json(act)) for name, act in looks.items()),
        *(web.post(f"/sandbox/{name}", _json(act)) for name, act in acts.items()),
    ]


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=kind)


def _known(fields: dict[str, Any], kind: type[F]) -> F:
    """The fields of a fault; an unknown name is refused, not ignored."""
    if unknown := fields.keys() - {field.name for field in dataclasses.fields(kind)}:
        raise msgspec.ValidationError(f"unknown: {', '.join(sorted(unknown))}")
    return msgspec.convert(fields, kind)


def _json(
    act: Callable[[web.Request], Awaitable[Any]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            status, said = 200, await act(request)
        except KeyError:
            status, said = 404, {"error": "no such order"}
        except Refusal as error:
            status, said = 409, {"error": str(error)}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            status, said = 400, {"error": str(error)}
        return web.Response(status=status, body=_ENCODER.encode(said), content_type="application/json")

    return answer
