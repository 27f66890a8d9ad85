"""A stay's fee, line by line, in both languages."""

from collections.abc import Iterator
from datetime import tzinfo

from terminal.core import money
from terminal.core.tariff.calendar import local
from terminal.core.tariff.fee import ExplainedFee
from terminal.screen.fee_texts import FEE_TABLE, length_words, line_words
from terminal.screen.texts import LANGUAGES

WIDTH = 10


def explanation(fee: ExplainedFee, zone: tzinfo, percent: str, vat: int) -> Iterator[str]:
    """Lines for a person: the stay, each line of the fee with its amount, the sum, and the VAT within it. The amounts
    come before their words, because a terminal may reverse a line of two scripts."""
    begin, end = local(fee.entered_ms, zone), local(fee.exited_ms, zone)
    yield f"{begin:%Y-%m-%d %H:%M:%S} – {end:%Y-%m-%d %H:%M:%S}"
    yield from _told("", *(f"{FEE_TABLE.say('stay', lang)}: {_length(fee, lang)}" for lang in LANGUAGES))
    for line in fee.lines:
        amount = f"{'-' if line.amount < 0 else ''}{money.text(abs(line.amount))}"
        yield from _told(amount, *(line_words(line, lang, zone) for lang in LANGUAGES))
    yield "-" * WIDTH
    yield from _told(money.text(fee.total), *(FEE_TABLE.say("due", lang) for lang in LANGUAGES))
    yield from _told(money.text(vat), *(FEE_TABLE.say("vat", lang).format(percent=percent) for lang in LANGUAGES))


def _length(fee: ExplainedFee, lang: str) -> str:
    return length_words((fee.exited_ms - fee.entered_ms) // 1000 * 1000, lang)


def _told(amount: str, *texts: str) -> Iterator[str]:
    """The same in each language, the amount once."""
    for number, text in enumerate(texts):
        yield f"{'' if number else amount:>{WIDTH}}  {text}"
