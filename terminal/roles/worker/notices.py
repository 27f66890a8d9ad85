"""PayBy's signed notifications that move nothing here: each is written down, and a person is told.

A chargeback takes money back weeks after its car has left. Of a kind that is new, nobody can say yet what it means;
refusing it would help nobody.
"""

from collections.abc import Callable

from terminal.contract.messages import Paid, Refund
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import numbers
from terminal.journal.kinds import NOTICE
from terminal.ledger import Log
from terminal.link import Link
from terminal.payby.messages import Chargeback, Sum, read_notification

REMEMBERED = 1_000
"""Notifications whose repetitions are not told again."""


class Notices:
    """``log``: the worker's journal."""

    def __init__(self, link: Link, garage: str, log: Log, now: Callable[[], int]) -> None:
        self._link, self._garage, self._log, self._now = link, garage, log, now
        self._known: dict[str, None] = {}

    async def take(self, said: Paid | Refund) -> None:
        """A genuine notification of which the rules hear nothing; the same one again changes nothing."""
        body = said.body or ""
        notification = read_notification(body)
        if notification.notify_id in self._known:
            return
        await self._log.append([(NOTICE, f"{said.sign}\n{body}".encode())], self._now())
        self._known[notification.notify_id] = None
        if len(self._known) > REMEMBERED:
            self._known.pop(next(iter(self._known)))
        if notification.acquire_chargeback is not None:
            await self._charged_back(notification.acquire_chargeback)
        else:
            text = f"PayBy signed a notification that says nothing to this program: {', '.join(notification.kinds)}"
            await self._link.alert("notification-unknown", "warning", text, lane=GARAGE_WIDE, once=True)

    async def _charged_back(self, said: Chargeback) -> None:
        name = numbers.parse_order_no(said.merchant_order_no)
        ours = name if name and name.garage == self._garage else None
        text = (
            f"chargeback of {_aed(said.chargeback_amount)} of {_aed(said.pay_amount)} ({said.case_type or 'no case'}),"
            f" order {said.merchant_order_no}, {f'lane {ours.lane}' if ours else 'no order number of ours'}"
        )
        await self._link.alert(
            "chargeback",
            "critical",
            text,
            lane=ours.lane if ours else GARAGE_WIDE,
            session=ours.session if ours else None,
            order_no=said.merchant_order_no,
            help_code=numbers.help_code(ours.session) if ours else None,
            once=True,
        )


def _aed(amount: Sum | None) -> str:
    return f"{amount.currency} {amount.amount}" if amount else "an amount that is not said"
