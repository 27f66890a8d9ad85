"""PayBy as a merchant meets it, from its API page alone: its book, its moods, its notifications, and payers' phones.

Every call is a matter of luck: the request or the answer may be late, lost, doubled, refused or garbled, whether it was
done or not. ``client.py`` beside this file brings calls here as the worker makes them.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from terminal.payby.signing import sign
from tests.sim.loop import VirtualLoop
from tests.sim.payby_bodies import NAMED, PLACE, REFUND
from tests.sim.payby_book import Order, Refund, Said
from tests.sim.payby_moods import FATES, Mood

REFUSED_TIME_MS = 15 * 60_000
LONGEST_MOVE_MS = 15 * 24 * 3600 * 1000
OF_PHONES = ("acquire2/getCashierUrlInfo", "acquire2/updateExpiredTime")
SEEN = 0.9
"""How likely PayBy sees a phone that reads a code."""
RETRIES_S = (0.0, 120.0, 600.0, 600.0, 3600.0, 7200.0, 21600.0, 54000.0)
"""Before each try of one notification."""

Notify = Callable[[bytes, str], Awaitable[int]]
Watch = Callable[[str, Order], None]


class SimPayBy:
    """``notify`` posts to the merchant's listener and returns the HTTP status; ``watch`` is told of what happens to
    orders (``placed``, ``paid``, ``refunded``, ``refund failed``)."""

    def __init__(
        self,
        loop: VirtualLoop,
        dice: random.Random,
        epoch_ms: int,
        keys: tuple[RSAPrivateKey, RSAPrivateKey],
        mood: Mood,
        *,
        watch: Watch,
    ) -> None:
        self.loop = loop
        self.mood = mood
        self.orders: dict[str, Order] = {}
        self.refunds: dict[str, Refund] = {}
        self.by_token: dict[str, Order] = {}
        self.notify: Notify
        self.notices = 0
        self.wrong_notices: set[str] = set()
        self.phones: random.Random | None = None
        """Luck of phones and of the calls about them; None: PayBy sees none."""
        self.untold: set[str] = set()
        """Orders that were paid after they had failed, of which nobody has heard yet: the next try comes in minutes."""
        """Orders about which PayBy said, signed, what does not fit."""
        self._dice = dice
        self._epoch_ms = epoch_ms
        self._key, self._stranger = keys
        self._watch = watch
        self._signed: dict[str, str] = {}
        self._notifying: set[asyncio.Task[None]] = set()

    def now_ms(self) -> int:
        return self._epoch_ms + round(self.loop.now * 1000)

    # The wire

    def send(self, call: str, biz: bytes, requested_ms: int) -> "asyncio.Future[Said]":
        """A request leaves the merchant. The future gets the answer, if one arrives; it never fails."""
        future: asyncio.Future[Said] = asyncio.Future(loop=self.loop)
        dice = self.phones if self.phones and call in OF_PHONES else self._dice
        fate = self._fate(dice)
        there_s, back_s = self._latency(dice), self._latency(dice)
        match fate:
            case "request lost":
                return future
            case "request late":
                there_s += dice.random() * 25
            case "answer late":
                back_s += dice.random() * 15
            case "twice":
                self.loop.after(there_s + dice.random() * 20, self._do, call, biz, requested_ms)

        def arrives() -> None:
            said = self._answer(fate, call, biz, requested_ms)
            if fate != "answer lost":
                self.loop.after(back_s, lambda: future.done() or future.set_result(said))

        self.loop.after(there_s, arrives)
        return future

    def _fate(self, dice: random.Random) -> str:
        mood = self.mood
        if self.loop.now < mood.spell_until:
            return mood.spell
        if mood.trouble and dice.random() < mood.trouble:
            return dice.choices(tuple(FATES), tuple(FATES.values()))[0]
        return ""

    def _latency(self, dice: random.Random) -> float:
        return self.mood.latency_s * (0.2 + dice.random())

    def _answer(self, fate: str, call: str, biz: bytes, requested_ms: int) -> Said:
        match fate:
            case "500 not done":
                return self._refusal("500", "SYSTEM_ERROR")
            case "404":
                return self._refusal("404", "SERVICE_NOT_AVAILABLE")
            case "402":
                return self._refusal("402", "RATE_LIMIT_REJECT")
            case "403":
                return self._refusal("403", "UNAUTHORIZED")
            case "risk" if call == "acquire2/placeOrder":
                return self._refusal("601", "RISK_FAIL")
        said = self._do(call, biz, requested_ms)
        match fate:
            case "500 done":
                return self._refusal("500", "SYSTEM_ERROR")
            case "504 done":
                return self._refusal("504", "SERVICE_TIMEOUT")
            case "forged":
                return Said(said.body, sign(self._stranger, said.body.encode()), "", genuine=False)
            case "html":
                return Said("<html>502 Bad Gateway</html>", "", "", genuine=False)
            case "misfit" if isinstance(said.about, Order) and said.about.status != "CREATED":
                self.wrong_notices.add(said.about.no)
                body = self._success(f'"acquireOrder":{said.about.words(amount=said.about.amount + 100)}')
                return Said(body, self._sign(body), about=said.about, status=said.about.status, misfit=True)
        return said

    def _do(self, call: str, biz: bytes, requested_ms: int) -> Said:
        if abs(requested_ms - self.now_ms()) > REFUSED_TIME_MS:
            early = requested_ms < self.now_ms()
            return self._refusal("400", f"REQUESTTIME_TOO_{'EARLY' if early else 'LATER'}")
        match call:
            case "acquire2/placeOrder":
                return self._place(biz)
            case "acquire2/getOrder":
                return self._about(self._find(biz))
            case "acquire2/cancelOrder":
                return self._cancel(self._find(biz))
            case "acquire2/refund/placeOrder":
                return self._refund(biz)
            case "acquire2/refund/getOrder":
                found = self.refunds.get(NAMED.decode(biz).refundMerchantOrderNo or "")
                return self._about_refund(found) if found else self._refusal("62007", "REFUND_NOT_EXIST")
            case "acquire2/getCashierUrlInfo":
                return self._cashier(NAMED.decode(biz).tokenUrl)
            case "acquire2/updateExpiredTime":
                return self._move(self._find(biz), NAMED.decode(biz).expiredTime)
        raise AssertionError(call)

    # The book

    def _place(self, biz: bytes) -> Said:
        asked = PLACE.decode(biz)
        assert asked.paySceneCode == "DYNQR"
        assert asked.totalAmount.currency == "AED"
        order = self.orders.get(asked.merchantOrderNo)
        if order is None:
            if asked.expiredTime <= self.now_ms():
                return self._refusal("62008", "EXPIREDTIME_LESS_THAN_REQUESTTIME")
            number = len(self.orders) + 1
            token = f"https://qr.payby.com?BIZ_TYPE=202&ft={self._dice.getrandbits(128):032x}&t={self.now_ms():013d}"
            order = Order(
                asked.merchantOrderNo,
                biz,
                f"13{number:014d}",
                token,
                int(asked.totalAmount.amount * 100),
                asked.expiredTime,
                self.loop.now,
            )
            self.orders[order.no] = self.by_token[token] = order
            self._watch("placed", order)
        elif order.biz != biz:
            self._watch("other words", order)
            return self._refusal("62016", "MERCHANT_ORDER_NO_EXIST")
        self._age(order)
        return self._about(order, with_token=order.status == "CREATED")

    def _find(self, biz: bytes) -> Order | None:
        order = self.orders.get(NAMED.decode(biz).merchantOrderNo or "")
        if order:
            self._age(order)
        return order

    def _age(self, order: Order) -> None:
        if order.status == "CREATED" and self.now_ms() >= order.expires_ms:
            order.status = "FAILURE"

    def _cancel(self, order: Order | None) -> Said:
        if order and order.status == "CREATED":
            order.status, order.cancelled_s = "FAILURE", self.loop.now
            return self._about(order)
        match order and order.status:
            case "PAID_SUCCESS":
                return self._refusal("62001", "ORDER_PAID")
            case "SETTLED":
                return self._refusal("62003", "ORDER_SETTLED")
            case "FAILURE":
                return self._refusal("62002", "ORDER_FAILURE")
        return self._refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")

    def _cashier(self, token: str) -> Said:
        """Which phone has read the code of an open order; before that it says nothing."""
        order = self.by_token.get(token)
        if order:
            self._age(order)
        if order is None or order.status != "CREATED":
            return self._refusal("62082", "TOKEN_URL_NOT_EXIST")
        payer = order.scanned_by and f'"payer":{{"mobileNumberMask":"{order.scanned_by}"}}'
        body = self._success(payer)
        return Said(body, self._sign(body), payer=order.scanned_by)

    def _move(self, order: Order | None, expires_ms: int) -> Said:
        """Another end for an open order."""
        if order is None:
            return self._refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")
        if order.status != "CREATED" or not self.now_ms() < expires_ms <= self.now_ms() + LONGEST_MOVE_MS:
            return self._refusal("62089", "INVALID_EXPIRED_TIME")
        order.expires_ms = expires_ms
        self._watch("moved", order)
        return self._about(order)

    def _refund(self, biz: bytes) -> Said:
        asked = REFUND.decode(biz)
        if known := self.refunds.get(asked.refundMerchantOrderNo):
            return self._about_refund(known) if known.biz == biz else self._refusal("62017", "REFUND_NO_EXIST")
        order = self.orders.get(asked.originMerchantOrderNo)
        if order is None:
            return self._refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")
        if not order.is_paid:
            return self._refusal("62015", "ORDER_NOT_PAID")
        amount = int(asked.amount.amount * 100)
        if amount > order.amount - order.given_back:
            self._watch("too much", order)
            return self._refusal("62006", "REFUND_AMOUNT_EXCEEDED")
        status = self._dice.choices(("SUCCESS", "REFUNDED_SETTLED", "CREATED"), (6, 1, 3))[0]
        refund = Refund(asked.refundMerchantOrderNo, biz, order, amount, status)
        self.refunds[refund.no] = refund
        order.refunds.append(refund)
        self._watch("refunded", order)
        if status == "CREATED":
            self.loop.after(self._dice.random() * 20, self._end_refund, refund)
        return self._about_refund(refund)

    def _end_refund(self, refund: Refund) -> None:
        fails = self._dice.random() < self.mood.refund_fails
        refund.status = "FAILURE" if fails else "SUCCESS"
        if fails:
            self._watch("refund failed", refund.order)
        self._announce(f'"refundOrder":{refund.words()}')

    def scan(self, order: Order) -> float | None:
        """A phone reads the code; returns how much longer than usual its owner takes to confirm, s; None: for ever."""
        if self.phones is None:
            return 0.0
        self._age(order)
        if order.status == "CREATED" and self.phones.random() < SEEN:
            order.scanned_by = f"+971-58*{self.phones.randrange(100):02d}"
        if self.phones.random() >= self.mood.dawdles:
            return 0.0
        return self.phones.uniform(10, 200) if self.phones.random() < 0.75 else None

    def pay(self, order: Order, *, settled: bool = False) -> bool:
        """A payer confirms; False where PayBy refuses."""
        self._age(order)
        if order.status != "CREATED" and not self._revives(order):
            return False
        order.status = "SETTLED" if settled or self._dice.random() < self.mood.settles_at_once else "PAID_SUCCESS"
        order.paid_s = self.loop.now
        self._watch("paid", order)
        if order.cancelled_s is None:
            self._announce_paid(order)
        else:  # nobody asks about it any more: PayBy tells it until it is heard
            self._announce(f'"acquireOrder":{order.words()}', number=self.notices + 1, revived=order.no)
        return True

    def _revives(self, order: Order) -> bool:
        recent = order.cancelled_s is not None and self.loop.now - order.cancelled_s < 20
        return recent and order.status == "FAILURE" and self._dice.random() < self.mood.revives

    # Answers

    def _about(self, order: Order | None, *, with_token: bool = False) -> Said:
        if order is None:
            return self._refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")
        params = f',"interActionParams":{{"tokenUrl":"{order.token}"}}' if with_token else ""
        body = self._success(f'"acquireOrder":{order.words()}{params}')
        return Said(body, self._sign(body), about=order, token=order.token if with_token else None, status=order.status)

    def _about_refund(self, refund: Refund) -> Said:
        body = self._success(f'"refundOrder":{refund.words()}')
        return Said(body, self._sign(body), about=refund, status=refund.status)

    @staticmethod
    def _success(inner: str) -> str:
        head = '{"applyStatus":"SUCCESS","code":"0","msg":"SUCCESS","traceCode":"sim"}'
        return f'{{"head":{head},"body":{{{inner}}}}}'

    def _refusal(self, code: str, msg: str) -> Said:
        body = f'{{"head":{{"applyStatus":"FAIL","code":"{code}","msg":"{msg}","traceCode":"sim"}}}}'
        return Said(body, self._sign(body), code, msg)

    def _sign(self, body: str) -> str:
        """The same words have the same signature; most are said many times."""
        known = self._signed.get(body)
        if known is None:
            known = self._signed[body] = sign(self._key, body.encode())
        return known

    # Notifications

    def _announce_paid(self, order: Order) -> None:
        mood, dice = self.mood, self._dice
        if mood.wrong_notice and dice.random() < mood.wrong_notice:
            self._announce(f'"acquireOrder":{self._wrong_words(order)}')
        if mood.lost_notice and dice.random() < mood.lost_notice:
            return
        copies = 1
        if mood.twice_notice and dice.random() < mood.twice_notice:
            copies = dice.randint(2, 5)
        inner = f'"acquireOrder":{order.words()}'
        for _ in range(copies):
            late = dice.random() * 300 if mood.late_notice and dice.random() < mood.late_notice else 0.0
            self._announce(inner, after_s=late, number=self.notices + 1 if copies == 1 else 0)

    def _wrong_words(self, order: Order) -> str:
        self.wrong_notices.add(order.no)
        match self._dice.randrange(7):
            case 0:
                return order.words(amount=order.amount - 100 if order.amount > 100 else 1)
            case 1:
                return order.words(payee="200000000999")
            case 2:
                return order.words(currency="USD")
            case 3:
                return order.words(payby_no="9999")
            case 4:
                return order.words(revoked="true")
            case 5:
                return order.words(status="VOID")
            case _:
                return order.words(no=order.no[:-6] + "abcdef")

    def _announce(self, inner: str, *, after_s: float = 0.0, number: int = 0, revived: str = "") -> None:
        """``number`` 0: a copy of the notification before this one."""
        self.notices += bool(number) or not self.notices
        body = f'{{"notify_timestamp":{self.now_ms()},"notify_id":"{self.notices}",{inner}}}'.encode()
        task = self.loop.create_task(self._keep_notifying(body, after_s, revived), name="PayBy notifies")
        self._notifying.add(task)
        task.add_done_callback(self._notifying.discard)

    async def _keep_notifying(self, body: bytes, after_s: float, revived: str) -> None:
        signature = sign(self._key, body)
        self.untold.add(revived)
        for wait_s in RETRIES_S:
            await asyncio.sleep(wait_s + after_s + self._latency(self._dice))
            after_s = 0.0
            if await self.notify(body, signature) == 200:
                self.untold.discard(revived)
                return


def head_of(said: Said) -> dict[str, Any]:
    """For a trace."""
    found: dict[str, Any] = json.loads(said.body).get("head", {})
    return found
