"""The lines of a fee in each language, in a table like that of the screens.

The Arabic must be read by a native speaker before a release.
"""

from datetime import tzinfo

from terminal.core import money
from terminal.core.tariff.calendar import local
from terminal.core.tariff.fee import FeeLine
from terminal.core.tariff.notation import shown_length
from terminal.screen.texts import LANGUAGES, Texts

FEE_TEXTS: dict[str, tuple[str, ...]] = {
    # by the kind of the line
    "unpaid-grace": ("Left within {length} of the entry", "خروج خلال {length} من الدخول"),
    "free-minutes": ("Stay up to {length}", "وقوف حتى {length}"),
    "minutes-off": ("{length} taken off the stay", "خصم {length} من المدة"),
    "first-stay": ("Goes on with the stay since {begin}", "استمرار للوقوف منذ {begin}"),
    "total": ("Up to {length}", "حتى {length}"),
    "total-last": ("Fixed price", "سعر ثابت"),
    "blocks": ("{count} × {length} at {each}", "{count} × {length} بسعر {each}"),
    "repeats": ("{count} × whole {length} at {each}", "{count} × {length} كاملة بسعر {each}"),
    "stretch": ("Time at this rate", "مدة بهذه التعرفة"),
    "most": ("At most {each} at this rate", "الحد الأقصى لهذه التعرفة {each}"),
    "overnight": ("Night of {begin}", "ليلة {begin}"),
    "overnight-least": ("{count} × night, at least {each}", "{count} × ليلة، {each} على الأقل"),
    "day-cap": ("At most {each} for each 24 h", "الحد الأقصى {each} لكل 24 ساعة"),
    "calendar-cap": ("At most {each} for each day", "الحد الأقصى {each} لكل يوم"),
    "minimum": ("At least {each}", "الحد الأدنى {each}"),
    "maximum": ("At most {each}", "الحد الأقصى {each}"),
    "rounding": ("Rounded to {each}", "تقريب إلى {each}"),
    "paid": ("Paid already", "مدفوع سابقًا"),
    "exit-grace": ("Left within {length} of paying", "خروج خلال {length} من الدفع"),
    # the whole
    "chart": ("Fee by length of stay, AED, VAT included", "الرسوم حسب مدة الوقوف، بالدرهم، شاملة الضريبة"),
    "due": ("To pay", "المبلغ المستحق"),
    "vat": ("of which VAT {percent} %", "منها ضريبة القيمة المضافة {percent}٪"),
    "stay": ("Stay", "المدة"),
    # units
    "day": ("d", "يوم"),
    "h": ("h", "س"),
    "min": ("min", "د"),
    "s": ("s", "ث"),
}

FEE_TABLE = Texts(LANGUAGES, FEE_TEXTS)


def length_words(length_ms: int, lang: str) -> str:
    """``1 h 30 min``, in whole seconds."""
    return " ".join(f"{number} {FEE_TABLE.say(unit, lang)}" for number, unit in shown_length(length_ms))


def line_words(line: FeeLine, lang: str, zone: tzinfo) -> str:
    """A line in words, with its rate's name and, if the stay has several parts, that part's local time."""
    begin, end = (None if at is None else local(at, zone) for at in (line.begin_ms, line.end_ms))
    said = FEE_TABLE.say(line.kind, lang).format(
        count=line.count,
        each=money.text(line.each),
        length=length_words(line.length_ms, lang),
        begin="" if begin is None else f"{begin:%Y-%m-%d}" if line.kind == "overnight" else f"{begin:%Y-%m-%d %H:%M}",
    )
    name = (line.rate_ar or line.rate) if lang == "ar" else (line.rate or line.rate_ar)
    when = f"{begin:%Y-%m-%d %H:%M} – {end:%H:%M}" if begin and end else ""
    if begin and end and end.date() != begin.date():
        when = f"{begin:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}"
    comma = "، " if lang == "ar" else ", "
    head = comma.join(part for part in (name, when) if part)
    return f"{head}: {said}" if head else said
