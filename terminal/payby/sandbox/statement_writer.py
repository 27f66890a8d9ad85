"""The sandbox's statements: the day's ZIP in PayBy's two column versions."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from .order_book import DUBAI, OrderBook
from .orders import SandboxChargeback, SandboxOrder

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
_SETTLEMENTS: dict[Version, str] = {
    1: (
        "settledTIme|transactionType|direction|settlementAmount|orderCurrency|productName|paySceneCode|"
        "merchantOrderNo|orderNo|paidTime|status|comm|commCurrency|VAT|VATCurrency|paymentMethodType|"
        "subject|payeeMid|terminalId|operatorId|storeId|merchantName|storeName|originMerchantOrderNo|"
        "reserved"
    ),
    2: (
        "merchantOrderNo|orderNo|settledTime|paidTime|payeeMid|merchantName|terminalId|operatorId|storeId|"
        "storeName|scheme|orderCurrency|totalAmount|transactionType|direction|productName|paySceneCode|"
        "paymentMethodType|subject|installmentPlan|planAcceptanceID|originMerchantOrderNo|reserved|status|"
        "settlementAmount|commCurrency|comm|VATCurrency|VAT|authCode|cardNumber|cardIssuingCountry|cardLevel|"
        "cardType|source|agreementType|authProtocolNo|dccAmount|dccCurrency|exchangeRate|dccMarkup|dccQuoteId"
    ),
}
_FUND_SUMMARY = (
    "ACCOUNTING_DATE|NUMBER_INCOME|AMOUNT_INCOME|NUMBER_PAYOUT|AMOUNT_PAYOUT|BEGINNING_BALANCE|ENDING_BALANCE"
)
_FUND_COLUMNS = (
    "ACCOUNTING_TIME|TXN_NO|PRODUCT|BUSINESS_TYPE|DIRECTION|TXN_AMT|BEFORE_AMT|AFTER_AMT|ACCOUNT_TYPE|"
    "MERCHANT_ORDER_NO|ORDER_NO"
)
_BEGINNING = Decimal("1000.0000")  # any balance will do


def statement_zip(book: OrderBook, day: date, version: Version, *, stars: bool = True) -> bytes | None:
    """The ZIP of one Dubai day; None if nothing happened on it."""
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
    taken = [_charged_back(one) for order in book.paid_orders() for one in order.chargebacks if _day(one.at_ms) == day]
    settled = [_settlement(order) for order in book.paid_orders() if _day(order.settled_ms) == day]
    if not paid and not back and not taken and not settled:
        return None
    period = f"{day:%Y%m%d}" if version == 1 else f"{book.partner_id}{day:%Y%m%d}"
    span = f"startTime:{day} 00:00|endTime:{day + timedelta(days=1)} 00:00"
    rows = sorted(paid + back + taken, key=lambda row: row["paidTime"])
    settlements = settled + [row | _settled_out(row) for row in taken]
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(_parts(rows), 1):
            head = f"mid:{book.partner_id}|periodNo:{period}|{span}|totalCount:{len(part)}"
            archive.writestr(
                f"Purchase_Statement_{day:%d%m%Y}_{number:03d}.csv", _file([head], _TRANSACTIONS[version], part, stars)
            )
        for number, part in enumerate(_parts(settlements), 1):
            name = f"Purchase_Settle_Statement_{day:%d%m%Y}_{number:03d}.csv"
            head = f"mid:{book.partner_id}|settlePeriodNo:{period}|{span}|totalCount:{len(part)}"
            archive.writestr(name, _file([head], _SETTLEMENTS[version], part, stars))
        archive.writestr(f"{book.partner_id}_{day:%Y%m%d}_fund_statement_001.csv", _funds(day, settlements, stars))
    return held.getvalue()


def _parts(rows: Sequence[Mapping[str, str]]) -> list[Sequence[Mapping[str, str]]]:
    return [rows[first : first + MAX_ROWS] for first in range(0, len(rows), MAX_ROWS)]


def _file(heads: Sequence[str], names: str, rows: Sequence[Mapping[str, str]], stars: bool) -> str:
    columns = names.split("|")
    lines = [*heads, names]
    lines += ["|".join(row.get(column, "").replace("|", " ") for column in columns) for row in rows]
    text = "\n".join(lines)
    return f"*{text}*\n" if stars else f"{text}\n"


def _funds(day: date, settlements: Sequence[Mapping[str, str]], stars: bool) -> str:
    """What moved on the account: settled payments in, chargebacks out, with four decimals here and there."""
    balance, sums, counts = _BEGINNING, {"Income": Decimal(0), "Payout": Decimal(0)}, {"Income": 0, "Payout": 0}
    rows = []
    for number, row in enumerate(settlements, 1):
        amount, direction = Decimal(row["settlementAmount"]), "Income" if row["direction"] == "IN" else "Payout"
        after = balance + amount if direction == "Income" else balance - amount
        rows.append(
            {
                "ACCOUNTING_TIME": row["settledTime"],
                "TXN_NO": f"fd{day:%Y%m%d}{number:09d}",
                "PRODUCT": "Settlement",
                "BUSINESS_TYPE": "Pay",
                "DIRECTION": direction,
                "TXN_AMT": f"{amount:.2f}",
                "BEFORE_AMT": f"{balance:.4f}",
                "AFTER_AMT": f"{after:.2f}",
                "ACCOUNT_TYPE": "BASIC",
                "MERCHANT_ORDER_NO": row["merchantOrderNo"],
                "ORDER_NO": row["orderNo"],
            }
        )
        balance, sums[direction], counts[direction] = after, sums[direction] + amount, counts[direction] + 1
    values = (
        f"{day}T00:00:00+0400", counts["Income"], f"{sums['Income']:.2f}", counts["Payout"], f"{sums['Payout']:.2f}",
        f"{_BEGINNING:.4f}", f"{balance:.2f}",
    )  # fmt: skip
    return _file([_FUND_SUMMARY, "|".join(map(str, values))], _FUND_COLUMNS, rows, stars)


def _payment(order: SandboxOrder) -> dict[str, str]:
    row = {"transactionType": "PAYMENT", "totalAmount": f"{order.amount:.2f}", "status": "SUCCESS"}
    return _common(order, order.paid_ms) | row


def _charged_back(taken: SandboxChargeback) -> dict[str, str]:
    return _common(taken.order, taken.at_ms) | {
        "transactionType": "CHARGEBACK",
        "totalAmount": f"{taken.amount:.2f}",
        "originMerchantOrderNo": taken.order.no,
        "status": "SUCCESS",
    }


def _settled_out(row: Mapping[str, str]) -> dict[str, str]:
    return _at(row["paidTime"]) | {"direction": "OUT", "settlementAmount": row["totalAmount"]} | _commission(Decimal(0))


def _settlement(order: SandboxOrder) -> dict[str, str]:
    info = order.words()["paymentInfo"]
    amount: Decimal = info["settlementAmount"]["amount"]
    return (
        _payment(order)
        | _at(_time(order.settled_ms))
        | {"direction": "IN", "settlementAmount": f"{amount:.2f}"}
        | _commission(info["payeeFeeAmount"]["amount"])
    )


def _at(settled: str) -> dict[str, str]:
    """The value under the name that either version gives it."""
    return {"settledTIme": settled, "settledTime": settled}


def _commission(amount: Decimal) -> dict[str, str]:
    return {"comm": f"{amount:.2f}", "commCurrency": "AED", "VAT": "0.00", "VATCurrency": "AED"}


def _common(order: SandboxOrder, at_ms: int | None) -> dict[str, str]:
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
