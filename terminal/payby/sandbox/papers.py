"""The sandbox's statements: the day's ZIP in PayBy's two column versions."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from .book import DUBAI, Book
from .nouns import Order

Version = Literal[1, 2]
MAX_ROWS = 50_000

_TRANSACTIONS: dict[Version, str] = {
    1: (
        "paidTime|transactionType|totalAmount|orderCurrency|productName|paySceneCode|merchantOrderNo|"
        "orderNo|status|paymentMethodType|subject|payeeMid|terminalId|operatorId|storeId|merchantName|"
        "storeName|originMerchantOrderNo|reserved"
    ),
    2: (
        "merchantOrderNo|orderNo|paidTime|payeeMid|merchantName|terminalId|operatorId|storeId|storeName|"
        "scheme|orderCurrency|totalAmount|transactionType|productName|paySceneCode|paymentMethodType|"
        "subject|installmentPlan|planAcceptanceID|originMerchantOrderNo|reserved|status|authCode|"
        "cardNumber|cardIssuingCountry|cardLevel|cardType|customerName|mobileNumber|emailAddress|source|"
        "agreementType|authProtocolNo|dccAmount|dccCurrency|exchangeRate|dccMarkup|dccQuoteId"
    ),
}
_SETTLEMENTS = (
    "settledTIme|transactionType|direction|settlementAmount|orderCurrency|productName|paySceneCode|"
    "merchantOrderNo|orderNo|paidTime|status|comm|commCurrency|VAT|VATCurrency|paymentMethodType|"
    "subject|payeeMid|terminalId|operatorId|storeId|merchantName|storeName|originMerchantOrderNo|"
    "reserved"
)


def statement_zip(book: Book, day: date, version: Version) -> bytes | None:
    """The ZIP of one Dubai day; None where nothing happened on it."""
    paid = [_payment(order) for order in book.paid_orders() if _day(order.paid_ms) == day]
    back = [
        _common(refund.order, refund.asked_ms)
        | {
            "transactionType": "REFUND",
            "totalAmount": f"{refund.amount:.2f}",
            "merchantOrderNo": refund.no,
            "orderNo": refund.payby_no,
            "originMerchantOrderNo": refund.order.no,
            "status": "SUCCESS" if refund.status == "SUCCESS" else refund.status,
        }
        for refund in book.refunds.values()
        if _day(refund.asked_ms) == day and refund.status != "FAILURE"
    ]
    settled = [_settlement(order) for order in book.paid_orders() if _day(order.settled_ms) == day]
    if not paid and not back and not settled:
        return None
    period = f"{day:%Y%m%d}" if version == 1 else f"{book.partner_id}{day:%Y%m%d}"
    span = f"startTime:{day} 00:00|endTime:{day + timedelta(days=1)} 00:00"
    rows = sorted(paid + back, key=lambda row: row["paidTime"])
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(_parts(rows), 1):
            head = f"*mid:{book.partner_id}|periodNo:{period}|{span}|totalCount:{len(part)}"
            archive.writestr(
                f"Purchase_Statement_{day:%d%m%Y}_{number:03d}.csv", _file(head, _TRANSACTIONS[version], part)
            )
        for number, part in enumerate(_parts(settled), 1):
            name = f"Purchase_Settle_Statement_{day:%d%m%Y}_{number:03d}.csv"
            head = f"*mid:{book.partner_id}|settlePeriodNo:{period}|{span}|totalCount:{len(part)}"
            archive.writestr(name, _file(head, _SETTLEMENTS, part))
    return held.getvalue()


def _parts(rows: Sequence[Mapping[str, str]]) -> list[Sequence[Mapping[str, str]]]:
    return [rows[first : first + MAX_ROWS] for first in range(0, len(rows), MAX_ROWS)]


def _file(head: str, names: str, rows: Sequence[Mapping[str, str]]) -> str:
    columns = names.split("|")
    lines = [head, names]
    lines += ["|".join(row.get(column, "").replace("|", " ") for column in columns) for row in rows]
    return "\n".join(lines) + "*\n"


def _payment(order: Order) -> dict[str, str]:
    row = {"transactionType": "PAYMENT", "totalAmount": f"{order.amount:.2f}", "status": "SUCCESS"}
    return _common(order, order.paid_ms) | row


def _settlement(order: Order) -> dict[str, str]:
    info = order.words()["paymentInfo"]
    amount: Decimal = info["settlementAmount"]["amount"]
    return _common(order, order.paid_ms) | {
        "settledTIme": _time(order.settled_ms),
        "transactionType": "PAYMENT",
        "direction": "IN",
        "settlementAmount": f"{amount:.2f}",
        "comm": f"{info['payeeFeeAmount']['amount']:.2f}",
        "commCurrency": "AED",
        "VAT": "0.00",
        "VATCurrency": "AED",
        "status": "SETTLED",
    }


def _common(order: Order, at_ms: int | None) -> dict[str, str]:
    terminal = order.asked.get("accessoryContent", {}).get("terminalDetail", {})
    return {
        **{key: str(value) for key, value in terminal.items()},
        "paidTime": _time(at_ms),
        "orderCurrency": "AED",
        "productName": "Basic Payment Gateway",
        "paySceneCode": str(order.asked["paySceneCode"]),
        "merchantOrderNo": order.no,
        "orderNo": order.payby_no,
        "paymentMethodType": "BALANCE",
        "subject": str(order.asked["subject"]),
        "payeeMid": order.payee_mid,
        "reserved": str(order.asked.get("reserved") or ""),
    }


def _time(at_ms: int | None) -> str:
    return datetime.fromtimestamp((at_ms or 0) / 1000, DUBAI).strftime("%Y-%m-%dT%H:%M:%S%z")


def _day(at_ms: int | None) -> date | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, DUBAI).date()
