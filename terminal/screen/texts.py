"""Every word on the screens: a row for each text, a column for each language.

A panel shows both languages at once and has no room for more. A native speaker must read the Arabic before a release.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("en", "ar")
"""The columns, by BCP 47 code; the last one stands above the other, as on the country's road signs."""

GARAGE_WIDE = frozenset({"disk-full", "payby", "unauthorised", "journal"})
"""Reasons of the one worker, which hold for every lane."""

TEXTS: dict[str, tuple[str, ...]] = {
    # what the driver must do, or what happens: the largest words of their screens
    "idle": ("Scan your ticket", "امسح تذكرتك"),
    "wait": ("Please wait", "يرجى الانتظار"),
    "pay": ("Scan", "امسح"),
    "paid": ("Paid, thank you", "تم الدفع، شكرًا"),
    "free": ("No charge", "لا رسوم"),
    "closed": ("Lane closed", "المسار مغلق"),
    "help": ("Please ask for help", "يرجى طلب المساعدة"),
    "out-of-order": ("Out of order", "خارج الخدمة"),
    # the same, for panels with no room for it
    "idle.short": ("Scan ticket", "امسح تذكرتك"),
    "paid.short": ("Paid", "تم الدفع"),
    "help.short": ("Ask for help", "اطلب المساعدة"),
    # below them
    "pay.with": ("with PayBy or BOTIM", "بتطبيق PayBy أو BOTIM"),
    "pay.second": ("or with another phone", "أو بهاتف آخر"),
    "pay.second.alone": ("Another phone may pay", "يمكن الدفع بهاتف آخر"),
    "pay.signal": ("No signal?", "لا شبكة؟"),
    "pay.scanned": ("Scanned", "تم المسح"),
    "pay.confirm": ("Confirm in your app", "أكّد في تطبيقك"),
    "pay.confirm.alone": ("Scanned. Confirm in your app", "تم المسح. أكّد في تطبيقك"),
    "wifi": ("Use our Wi-Fi", "استخدم شبكتنا"),
    "idle.then": ("then pay with PayBy or BOTIM", "ثم ادفع بتطبيق PayBy أو BOTIM"),
    "paid.then": ("Have a safe trip", "رافقتك السلامة"),
    "paid.invoice": ("Your tax invoice", "فاتورتك الضريبية"),
    "free.then": ("Have a safe trip", "رافقتك السلامة"),
    "closed.then": ("Please use another lane", "يرجى استخدام مسار آخر"),
    "out-of-order.then": ("Please use another lane", "يرجى استخدام مسار آخر"),
    "garage.then": ("Please ask for help", "يرجى طلب المساعدة"),
    # reasons; that an operator closed a lane needs no words of its own
    "help.ticket-unknown": ("Ticket not recognised", "لم نتعرف على التذكرة"),
    "help.ticket-used": ("Ticket already used", "التذكرة مستخدمة من قبل"),
    "help.ticket-copied": ("Ticket in use elsewhere", "التذكرة مستخدمة في مسار آخر"),
    "help.ticket-foreign": ("Ticket of another garage", "التذكرة من موقف آخر"),
    "help.ticket-future": ("Entry time is not valid", "وقت الدخول غير صحيح"),
    "help.ticket-unanswered": ("Ticket cannot be checked", "تعذر التحقق من التذكرة"),
    "help.coupon-unknown": ("Coupon not recognised", "لم نتعرف على القسيمة"),
    "help.coupon-over": ("Coupon has expired", "انتهت صلاحية القسيمة"),
    "help.coupon-used": ("Coupon already used", "القسيمة مستخدمة من قبل"),
    "help.coupon-alone": ("Scan ticket first", "امسح التذكرة أولًا"),
    "help.pass-used": ("Pass used by another car", "التصريح مستخدم لمركبة أخرى"),
    "help.plate-unsure": ("Number plate not clear", "لوحة المركبة غير واضحة"),
    "help.refused": ("Payment not accepted", "لم يُقبل الدفع"),
    "help.unpaid": ("No payment received", "لم يصلنا الدفع"),
    "help.no-answer": ("The system does not answer", "النظام لا يستجيب"),
    "help.qr": ("QR code cannot be shown", "تعذر عرض رمز QR"),
    "help.barrier": ("The barrier is not working", "الحاجز لا يعمل"),
    "closed.disk-full": ("No payment for now", "لا يمكن الدفع حاليًا"),
    "closed.barrier": ("The barrier is not working", "الحاجز لا يعمل"),
    "out-of-order.broker": ("No connection", "لا يوجد اتصال"),
    "out-of-order.payby": ("Payment is not available", "الدفع غير متاح"),
    "out-of-order.unauthorised": ("Payment is not set up", "الدفع غير مفعّل"),
    "out-of-order.clock": ("The clock is not right", "الساعة غير مضبوطة"),
    "out-of-order.journal": ("Records cannot be kept", "تعذر حفظ السجل"),
    # labels
    "aed": ("AED", "درهم"),
    "stay": ("Stay", "المدة"),
    "hour": ("h", "س"),
    "left": ("left", "المتبقي"),
    "ticket": ("Ticket", "التذكرة"),
    "code": ("Help code", "رمز المساعدة"),
    "call": ("Call", "اتصل"),
    "lane": ("Lane", "المسار"),
}


@dataclass(frozen=True)
class Texts:
    """A table: its columns' languages, and its rows by their keys, a text for each language."""

    languages: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]

    def say(self, key: str, lang: str) -> str:
        """The text of a row in one language; raises KeyError for a row, ValueError for a language that is not there."""
        return self.rows[key][self.languages.index(lang)]

    def has(self, key: str) -> bool:
        """Is there such a row, with words in it?"""
        return any(self.rows.get(key, ()))

    def then(self, state: str, reason: str, lanes: int) -> str:
        """The row that says what to do now: another lane helps only where there is one, and if the trouble is not the
        whole garage's. Empty if there is none."""
        if not self.has(f"{state}.then"):
            return ""
        return "garage.then" if reason in GARAGE_WIDE or lanes == 1 else f"{state}.then"


TABLE = Texts(LANGUAGES, TEXTS)
