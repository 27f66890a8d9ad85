"""PayBy's signed words that change no state: a person is alerted, and what the rules do not take is journaled.

A chargeback takes money back weeks after the car has left. Nobody can yet say what an unknown kind means, and refusing
it would help nobody.
"""

from collections.abc import Callable

from terminal.contract.alerts import AlertCode
from terminal.contract.messages import Paid, Refund
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import ids
from terminal.core.alert_codes import Severity
from terminal.eventstore.store import EventLog
from terminal.journal.kinds import NOTICE
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.messages import FAILURE, AcquireOrder, Chargeback, RefundOrder, read_notification
from terminal.payby.strict_json import Sum

REMEMBERED = 1_000
"""How many notifications are remembered, so that repetitions raise no new alert."""


class PayByNotices:
    """``log``: the worker's journal."""

    def __init__(self, endpoint: Endpoint, garage: str, log: EventLog, now: Callable[[], int]) -> None:
        self._endpoint, self._garage, self._log, self._now = endpoint, garage, log, now
        self._known: dict[str, None] = {}

    async def handle(self, said: Paid | Refund, *, is_all: bool) -> None:
        """Take in a genuine notification; ``is_all``: the rules do not take it. A repetition changes nothing."""
        body = said.body or ""
        notification = read_notification(body)
        if what := notification.acquire_order or notification.refund_order:
            await self.failed(what)
        if not is_all or notification.notify_id in self._known:
            return
        await self._log.append([(NOTICE, f"{said.sign}\n{body}".encode())], self._now())
        self._has(notification.notify_id)
        if notification.acquire_chargeback is not None:
            await self._charged_back(notification.acquire_chargeback)
        else:
            kinds = ", ".join(notification.kinds)
            text = f"PayBy signed a notification of a kind that this program does not know: {kinds}"
            await self._endpoint.alert("notification-unknown", text, lane=GARAGE_WIDE)

    async def failed(self, what: AcquireOrder | RefundOrder) -> None:
        """Raise one alert with PayBy's reason why an order or a refund failed, if it gives one."""
        if what.status != FAILURE or not (what.fail_code or what.fail_des):
            return
        refund = what.refund_merchant_order_no if isinstance(what, RefundOrder) else None
        no = what.origin_merchant_order_no if isinstance(what, RefundOrder) else what.merchant_order_no
        if self._has(f"failed {refund or no}"):
            return
        reason = " ".join(filter(None, (what.fail_code, what.fail_des)))
        text = f"PayBy's reason why {f'refund {refund}' if refund else 'this order'} failed: {reason}"
        await self._tell("payby-failed", text, no, severity="warning" if refund else "info")

    def _has(self, notice: str) -> bool:
        """Was this alerted before? Notes it."""
        known = notice in self._known
        self._known[notice] = None
        if len(self._known) > REMEMBERED:
            self._known.pop(next(iter(self._known)))
        return known

    async def _charged_back(self, said: Chargeback) -> None:
        ours = self._ours(said.merchant_order_no)
        text = (
            f"chargeback of {_aed(said.chargeback_amount)} of {_aed(said.pay_amount)} ({said.case_type or 'no case'}),"
            f" order {said.merchant_order_no}, {f'lane {ours.lane}' if ours else 'not one of our order numbers'}"
        )
        await self._tell("chargeback", text, said.merchant_order_no)

    async def _tell(
        self, code: AlertCode, text: str, order_no: str | None, *, severity: Severity | None = None
    ) -> None:
        ours = self._ours(order_no)
        await self._endpoint.alert(
            code,
            text,
            severity=severity,
            lane=ours.lane if ours else GARAGE_WIDE,
            session=ours.session if ours else None,
            order_no=order_no,
            help_code=ids.help_code(ours.session) if ours else None,
        )

    def _ours(self, order_no: str | None) -> ids.OrderName | None:
        name = ids.parse_order_no(order_no or "")
        return name if name and name.garage == self._garage else None


def _aed(amount: Sum | None) -> str:
    return f"{amount.currency} {amount.amount}" if amount else "an unknown amount"
