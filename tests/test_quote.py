import pytest

from terminal.core.ids import derived_id
from terminal.core.money import Fils
from terminal.core.quote import Quote, hint, quote, vouched
from terminal.core.tariff import Tariff
from terminal.core.ticket import FUTURE_ALLOWANCE_MS, sign_ticket
from tests.support.tariffs import HOURLY, history

SESSION = "0193f5b0-1234-7abc-8def-0123456789ab"
FRESH = "0193f5b0-9999-7abc-8def-0123456789ab"
ENTERED = 1_764_055_600_000
KEYS = {"k1": bytes(range(32))}
TARIFF = Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15)
TICKET = sign_ticket("marina", SESSION, ENTERED, "k1", KEYS["k1"])


def ask(text: str, exited_ms: int) -> Quote:
    return quote(text, exited_ms, garage="marina", keys=KEYS, tariff=TARIFF, lost_session=FRESH)


def test_a_stay_of_ninety_minutes_is_due() -> None:
    exited = ENTERED + 90 * 60_000 + 1
    assert ask(TICKET, exited) == Quote("due", exited, SESSION, ENTERED, 90, Fils(2000), None)


def test_a_ticket_has_the_class_of_the_key_that_signed_it() -> None:
    member = sign_ticket("marina", SESSION, ENTERED, "k2", KEYS["k1"])
    tariff = history(HOURLY, {"class": "member", "steps": [{"total": "1.00"}]}, classes={"k2": "member"})
    exited = ENTERED + 90 * 60_000
    for text, due in ((TICKET, 2000), (member, 100)):
        keys = {"k1": KEYS["k1"], "k2": KEYS["k1"]}
        ours = quote(text, exited, garage="marina", keys=keys, tariff=tariff, lost_session=FRESH)
        assert ours.amount == due
        assert hint(text, exited, garage="marina", tariff=tariff, lost_session=FRESH) == ours
    other = {"k1": KEYS["k1"], "k2": bytes(32)}
    forged = quote(member, exited, garage="marina", keys=other, tariff=tariff, lost_session=FRESH)
    assert forged.why == "ticket-unknown"


def test_a_short_stay_is_free() -> None:
    exited = ENTERED + 10 * 60_000
    assert ask(TICKET, exited) == Quote("free", exited, SESSION, ENTERED, 10, Fils(0))


def test_a_lost_ticket_costs_its_price_and_gets_the_fresh_session() -> None:
    assert ask("lost", ENTERED) == Quote("lost", ENTERED, FRESH, amount=Fils(15000))


@pytest.mark.parametrize(
    ("text", "exited", "why"),
    [
        ("nonsense", ENTERED, "ticket-unknown"),
        (sign_ticket("harbour", SESSION, ENTERED, "k1", KEYS["k1"]), ENTERED, "ticket-foreign"),
        (TICKET, ENTERED - FUTURE_ALLOWANCE_MS - 1, "ticket-future"),
    ],
)
def test_a_refused_ticket_says_why_and_nothing_else(text: str, exited: int, why: str) -> None:
    refused = ask(text, exited)
    assert (refused.reason, refused.exited_ms, refused.why) == ("refused", exited, why)
    assert (refused.session, refused.entered_ms, refused.minutes, refused.amount) == (None, None, None, None)


def test_an_entry_clock_that_is_a_little_ahead_makes_a_stay_of_nothing() -> None:
    exited = ENTERED - FUTURE_ALLOWANCE_MS
    assert ask(TICKET, exited) == Quote("free", exited, SESSION, ENTERED, 0, Fils(0))


HINTED = [
    TICKET,
    sign_ticket("marina", SESSION, ENTERED + 85 * 60_000, "k1", KEYS["k1"]),
    sign_ticket("marina", SESSION, ENTERED + 91 * 60_000, "k1", KEYS["k1"]),
    sign_ticket("harbour", SESSION, ENTERED, "k1", KEYS["k1"]),
    TICKET[:-1] + "B",
    "lost",
    "nonsense",
]


@pytest.mark.parametrize("text", HINTED)
def test_who_holds_no_key_reckons_the_same_for_a_genuine_ticket(text: str) -> None:
    exited = ENTERED + 90 * 60_000
    assert hint(text, exited, garage="marina", tariff=TARIFF, lost_session=FRESH) == ask(text, exited)


@pytest.mark.parametrize("by", [0, ENTERED - FUTURE_ALLOWANCE_MS - 1, ENTERED - 8 * 60 * 60_000])
def test_by_a_clock_that_nobody_keeps_no_ticket_is_from_the_future(by: int) -> None:
    for found in (
        hint(TICKET, by, garage="marina", tariff=TARIFF, lost_session=FRESH, kept=False),
        quote(TICKET, by, garage="marina", keys=KEYS, tariff=TARIFF, lost_session=FRESH, kept=False),
    ):
        assert found == Quote("free", by, SESSION, ENTERED, 0, Fils(0))


def test_who_holds_no_key_cannot_tell_who_signed_a_ticket() -> None:
    exited = ENTERED + 90 * 60_000
    forged = sign_ticket("marina", SESSION, ENTERED, "k1", b"\0" * 32)
    assert ask(forged, exited).why == "ticket-unknown"
    assert hint(forged, exited, garage="marina", tariff=TARIFF, lost_session=FRESH) == ask(TICKET, exited)


def test_a_session_that_is_vouched_for_has_the_whole_second_of_its_time_as_entry() -> None:
    session = derived_id(ENTERED + 999, "a stay")
    exited = ENTERED + 90 * 60_000
    assert vouched(session, exited, tariff=TARIFF) == Quote("due", exited, session, ENTERED, 90, Fils(2000))
    early = ENTERED - FUTURE_ALLOWANCE_MS - 1
    assert vouched(session, early, tariff=TARIFF) == Quote("refused", early, why="ticket-future")
    assert vouched(session, early, tariff=TARIFF, kept=False).reason == "free"
