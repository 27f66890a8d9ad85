import string
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from terminal.core import ticket
from terminal.core.ticket import ParkingTicket, TicketError

SESSION = "0193f5b0-1234-7abc-8def-0123456789ab"
ENTERED = 1_764_055_600_000
KEYS = {"k1": bytes(range(32)), "k2": bytes(range(1, 40))}
TEXT = ticket.sign_ticket("marina", SESSION, ENTERED, "k1", KEYS["k1"])

uuid7s = st.integers(0, 2**128 - 1).map(
    lambda n: str(UUID(int=n & ~(0xF000 << 64) & ~(0xC000 << 48) | (0x7000 << 64) | (0x8000 << 48)))
)
garages = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
key_ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)


def why(text: str, garage: str = "marina", keys: dict[str, bytes] = KEYS) -> str:
    with pytest.raises(TicketError) as caught:
        ticket.read_ticket(text, keys, garage)
    assert str(caught.value) == caught.value.why
    return caught.value.why


@given(garages, uuid7s, st.integers(0, 99_999_999_999), key_ids, st.binary(min_size=32, max_size=64))
def test_every_ticket_reads_back_and_suits_a_scanner(
    garage: str, session: str, entered_s: int, key_id: str, key: bytes
) -> None:
    text = ticket.sign_ticket(garage, session, entered_s * 1000 + 999, key_id, key)
    assert ticket.read_ticket(text, {"other": b"\0" * 32, key_id: key}, garage) == ParkingTicket(
        session, entered_s * 1000, key_id.upper()
    )
    assert len(text) <= 95
    assert all(" " < c <= "~" and c != "|" for c in text)


def test_a_usual_ticket_is_short_and_in_capitals() -> None:
    assert len(TEXT) == 83
    assert set(TEXT) <= set(string.ascii_uppercase + string.digits + ".")


def test_the_same_stay_has_the_same_ticket_text_in_every_version() -> None:
    assert TEXT == "P1.MARINA.0193F5B012347ABC8DEF0123456789AB.1764055600.K1.NKSQXJYQTN5X2TXTDNFYDTDQXM"


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(string.printable))
def test_no_character_can_change(place: int, other: str) -> None:
    assume(other != TEXT[place])
    altered = TEXT[:place] + other + TEXT[place + 1 :]
    assert why(altered) == ("ticket-foreign" if 3 <= place < 9 and other in ticket_letters() else "ticket-unknown")


def ticket_letters() -> str:
    return string.ascii_uppercase + string.digits


@pytest.mark.fault("reader-garbage")
@given(st.text(max_size=600))
def test_what_is_no_ticket_is_unknown(text: str) -> None:
    assert why(text) == "ticket-unknown"


@pytest.mark.parametrize(
    "text",
    [TEXT.lower(), TEXT + "\n", " " + TEXT, TEXT[:-1], TEXT + "A", TEXT.replace("P1", "P2"), TEXT.replace("K1", "K3")],
    ids=["small letters", "newline", "space", "cut", "longer", "other version", "unknown key"],
)
def test_a_damaged_ticket_is_unknown(text: str) -> None:
    assert why(text) == "ticket-unknown"


def test_a_ticket_signed_by_nobodys_key_is_unknown() -> None:
    assert why(ticket.sign_ticket("marina", SESSION, ENTERED, "k1", b"\0" * 32)) == "ticket-unknown"
    assert why(TEXT, keys={"k2": KEYS["k1"]}) == "ticket-unknown"
    assert why(TEXT, keys={}) == "ticket-unknown"


@pytest.mark.fault("ticket-again")
def test_a_ticket_of_another_garage_is_foreign_though_its_key_is_not_known_here() -> None:
    assert why(ticket.sign_ticket("harbour", SESSION, ENTERED, "h1", b"\0" * 32)) == "ticket-foreign"
    assert why(TEXT, garage="marina2") == "ticket-foreign"


def test_two_key_ids_that_differ_by_case_alone_both_count() -> None:
    assert ticket.read_ticket(TEXT, {"K1": KEYS["k2"], "k1": KEYS["k1"]}, "marina") == ParkingTicket(
        SESSION, ENTERED, "K1"
    )


def test_an_older_key_still_reads_after_a_rotation() -> None:
    assert ticket.read_ticket(TEXT, {"k2": KEYS["k2"], "k1": KEYS["k1"]}, "marina").session == SESSION


@pytest.mark.parametrize(
    ("garage", "session", "entered_ms", "key_id"),
    [
        ("mar|na", SESSION, ENTERED, "k1"),
        ("", SESSION, ENTERED, "k1"),
        ("a" * 13, SESSION, ENTERED, "k1"),
        ("marina", "no session", ENTERED, "k1"),
        ("marina", "0193f5b0-1234-4abc-8def-0123456789ab", ENTERED, "k1"),
        ("marina", "0193f5b0-1234-7abc-0def-0123456789ab", ENTERED, "k1"),
        ("marina", SESSION, -1, "k1"),
        ("marina", SESSION, ENTERED, ""),
        ("marina", SESSION, ENTERED, "k.1"),
        ("marina", SESSION, ENTERED, "k12345678"),
    ],
)
def test_what_no_ticket_can_say_is_not_signed(garage: str, session: str, entered_ms: int, key_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        ticket.sign_ticket(garage, session, entered_ms, key_id, KEYS["k1"])


@pytest.mark.fault("reader-garbage")
def test_an_entry_after_the_exit_is_from_the_future_beyond_the_clocks_allowance() -> None:
    ticket.check_entry(ENTERED + 15_000, ENTERED)
    with pytest.raises(TicketError) as caught:
        ticket.check_entry(ENTERED + 15_001, ENTERED)
    assert caught.value.why == "ticket-future"


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("LOST", True),
        ("lost", True),
        ("Lost", True),
        ("lo\u017ft", False),
        ("LOST ", False),
        ("", False),
        (TEXT, False),
    ],
)
def test_only_the_word_itself_asks_for_a_lost_ticket(text: str, lost: bool) -> None:
    assert ticket.is_lost(text) is lost


# -- tickets that are numbers --------------------------------------------------------------------------------------

NUMBER = ticket.sign_number("marina", 123_456_789, ENTERED + 999, KEYS["k1"])


@given(garages, st.integers(0, ticket.SERIALS - 1), st.integers(0, 10**13 - 1), st.binary(min_size=32, max_size=64))
def test_every_number_reads_back_with_the_key_that_signed_it(
    garage: str, serial: int, entered_ms: int, key: bytes
) -> None:
    text = ticket.sign_number(garage, serial, entered_ms, key)
    assert len(text) == 36 and text.isdecimal() and text.isascii()
    found = ticket.read_ticket(text, {"other": b"other key", "k9": key}, garage)
    assert (found.entered_ms, found.key_id) == (entered_ms // 1000 * 1000, "K9")
    form = ticket.read_form(text, garage)
    assert (form.session, form.entered_ms, form.key_id) == (found.session, found.entered_ms, "")
    assert int(found.session.replace("-", "")[:12], 16) == found.entered_ms


def test_the_same_number_names_the_same_stay_in_every_version() -> None:
    assert NUMBER == "117640556001234567895529772454756792"
    assert ticket.read_ticket(NUMBER, KEYS, "marina") == ParkingTicket(
        "019ab9e8-4b80-72a2-8ce9-be92afcc3fcb", ENTERED, "K1"
    )


@given(st.integers(0, 35), st.sampled_from(string.digits))
def test_no_digit_of_a_number_can_change(place: int, other: str) -> None:
    assume(other != NUMBER[place])
    assert why(NUMBER[:place] + other + NUMBER[place + 1 :]) == "ticket-unknown"


@pytest.mark.parametrize("text", [NUMBER + "0", NUMBER[1:], " " + NUMBER, NUMBER + "\n", NUMBER.replace("1", "١")])
def test_a_damaged_number_is_unknown(text: str) -> None:
    assert why(text) == "ticket-unknown"


def test_a_number_of_another_garage_or_key_is_unknown() -> None:
    assert why(NUMBER, garage="harbour") == "ticket-unknown"
    assert why(NUMBER, keys={"k1": KEYS["k2"]}) == "ticket-unknown"
    assert why(NUMBER, keys={}) == "ticket-unknown"
    assert ticket.read_form(NUMBER, "harbour").session != ticket.read_form(NUMBER, "marina").session


def test_during_a_rotation_numbers_of_the_old_and_the_new_key_read() -> None:
    for order in ({"k2": KEYS["k2"], "k1": KEYS["k1"]}, {"k1": KEYS["k1"], "k2": KEYS["k2"]}):
        for name, key in KEYS.items():
            text = ticket.sign_number("marina", 1, ENTERED, key)
            assert ticket.read_ticket(text, order, "marina").key_id == name.upper()


@pytest.mark.parametrize(("serial", "entered_ms"), [(-1, 0), (10**9, 0), (0, -1), (0, 10**13)])
def test_what_no_number_can_say_is_not_signed(serial: int, entered_ms: int) -> None:
    with pytest.raises(ValueError, match="does not fit into its digits"):
        ticket.sign_number("marina", serial, entered_ms, KEYS["k1"])


@pytest.mark.parametrize("text", [SESSION, SESSION.upper(), SESSION.replace("-", "")])
def test_a_session_is_read_off_a_damaged_ticket(text: str) -> None:
    assert ticket.session_in(text) == SESSION


@pytest.mark.parametrize(
    "text", ["", NUMBER, TEXT, SESSION[:-1], SESSION + "0", SESSION.replace("7abc", "4abc"), "LOST"]
)
def test_what_is_no_session_is_none(text: str) -> None:
    assert ticket.session_in(text) is None
