"""Keyboards: what the kernel's events of typing scanners come to, through a scanner that reads them from a pipe."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from evdev import ecodes

from drivers.line_reader import PAUSE_S, Reading
from drivers.scanner import HidScanner
from tests.support.eventually import eventually
from tests.support.keyboard import ALT, CTRL, KEYS, SHIFT, event, hit, key, typed

TICKET = "P1.MARINA.01A1EC960000700080000000000000.1794994600.K1.ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
CAPS = hit(ecodes.KEY_CAPSLOCK)
ENTER = typed("\r")


def number(digits: str, alt: int = ALT) -> bytes:
    """A character by its number: Alt is held while the keypad's digits are hit."""
    pad = b"".join(hit(getattr(ecodes, f"KEY_KP{digit}")) for digit in digits)
    return key(alt, 1) + pad + key(alt, 0)


def letters(text: str, *held: int) -> bytes:
    """Each key of ``text`` hit while ``held`` are, none let go between them."""
    down, up = (b"".join(key(one, value) for one in held) for value in (1, 0))
    return down + b"".join(hit(KEYS[char]) for char in text) + up


class Port:
    """A pipe in place of an event device, and the hand on its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)
        self.scanner = HidScanner(str(path), grab=lambda fd: None)

    def type(self, events: bytes) -> None:
        while events:
            events = events[os.write(self.fd, events) :]

    async def readings(self, count: int = 1) -> list[Reading]:
        return [await asyncio.wait_for(anext(self.scanner), 5) for _ in range(count)]


@asynccontextmanager
async def keyboard(folder: Path) -> AsyncIterator[Port]:
    port = Port(folder / "event0")
    async with port.scanner:
        yield port
    os.close(port.fd)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    async with keyboard(tmp_path) as made:
        yield made


AS_MEANT = {
    "every character that a key has": (typed(PRINTABLE), PRINTABLE),
    "caps lock, which a scanner uses for capitals": (CAPS + letters("p1.marina") + CAPS + letters("b"), "P1.MARINAb"),
    "caps lock and shift undo each other": (CAPS + letters("ab", SHIFT) + letters("1;'", SHIFT) + CAPS, 'ab!:"'),
    "both shifts, one let go": (
        key(SHIFT, 1) + key(ecodes.KEY_RIGHTSHIFT, 1) + hit(KEYS["a"]) + key(SHIFT, 0) + hit(KEYS["b"])
        + key(ecodes.KEY_RIGHTSHIFT, 0) + hit(KEYS["c"]), "ABc",
    ),
    "a shift that repeats": (key(SHIFT, 1) + key(SHIFT, 2) * 9 + hit(KEYS["a"]) + key(SHIFT, 0) + hit(KEYS["b"]), "Ab"),
    "a key that repeats while it is held": (key(KEYS["a"], 1) + key(KEYS["a"], 2) * 20 + key(KEYS["a"], 0), "a"),
    "keys let go late or unseen": (key(KEYS["b"], 0) + key(KEYS["a"], 1) + key(KEYS["c"], 1) + key(KEYS["a"], 0), "ac"),
    "the keypad": (b"".join(hit(getattr(ecodes, f"KEY_KP{one}")) for one in (*range(10), "DOT")), "0123456789."),
    "the keypad after num lock": (hit(ecodes.KEY_NUMLOCK) + hit(ecodes.KEY_KP4) + hit(ecodes.KEY_NUMLOCK), "4"),
    "characters by their numbers": (number("065") + number("0066") + number("99"), "ABc"),
    "a character by its number, with the other Alt": (number("049", ecodes.KEY_RIGHTALT), "1"),
    "a whole ticket by numbers": (b"".join(number(f"{ord(char):03}") for char in TICKET), TICKET),
    "GS before it, as Ctrl+]": (hit(KEYS["]"], CTRL) + typed(TICKET), TICKET),
    "GS behind it, as Alt+029": (typed(TICKET) + number("029"), TICKET),
    "STX as Ctrl+B, RS as Ctrl+6, US as Ctrl+-": (
        hit(KEYS["b"], CTRL) + typed(TICKET) + hit(KEYS["6"], CTRL) + hit(KEYS["-"], ecodes.KEY_RIGHTCTRL), TICKET,
    ),
    "the symbology's name": (typed("]Q1" + TICKET), TICKET),
    "lights and key rates between the keys": (
        typed("a") + event(ecodes.EV_LED, ecodes.LED_CAPSL, 1) + event(ecodes.EV_REP, 0, 250) + typed("b"), "ab",
    ),
}  # fmt: skip


@pytest.mark.fault("scanner-keys")
@pytest.mark.parametrize("case", AS_MEANT)
async def test_what_is_typed_is_read_as_meant(port: Port, case: str) -> None:
    events, text = AS_MEANT[case]
    port.type(events + ENTER + typed("next\r"))
    assert await port.readings(2) == [Reading(text), Reading("next")]


ENDS = {
    "enter": ENTER,
    "the keypad's enter": hit(ecodes.KEY_KPENTER),
    "line feed": hit(ecodes.KEY_LINEFEED),
    "tab": hit(ecodes.KEY_TAB),
    "shift and tab": hit(ecodes.KEY_TAB, SHIFT),
    "Ctrl+M": hit(KEYS["m"], CTRL),
    "Ctrl+Shift+M": hit(KEYS["m"], CTRL, SHIFT),
    "Ctrl+J": hit(KEYS["j"], ecodes.KEY_RIGHTCTRL),
    "Ctrl+I": hit(KEYS["i"], CTRL),
    "Ctrl+C, which is ETX": hit(KEYS["c"], CTRL),
    "Ctrl+@, which is NUL": hit(KEYS["2"], CTRL, SHIFT),
    "Ctrl+2": hit(KEYS["2"], CTRL),
    "Alt+013": number("013"),
    "Alt+10": number("10"),
    "Alt+0003": number("0003"),
    "Ctrl+M after caps lock": CAPS + hit(KEYS["m"], CTRL) + CAPS,
}


@pytest.mark.fault("scanner-keys")
@pytest.mark.parametrize("end", ENDS)
async def test_a_ticket_ends_with_whatever_key_makes_an_end(port: Port, end: str) -> None:
    port.type((typed(TICKET) + ENDS[end]) * 2)
    async with asyncio.timeout(PAUSE_S * 0.9):
        assert await port.readings(2) == [Reading(TICKET)] * 2


REFUSED = {
    "GS within, as Ctrl+]": (hit(KEYS["]"], CTRL), "byte 0x1d"),
    "GS within, as Alt+029": (number("029"), "byte 0x1d"),
    "Ctrl+A": (hit(KEYS["a"], CTRL), "byte 0x01"),
    "Ctrl+Shift+U": (hit(KEYS["u"], CTRL, SHIFT), "byte 0x15"),
    "Ctrl+1": (hit(KEYS["1"], CTRL), "key Ctrl+1"),
    "Ctrl and a keypad's digit": (hit(ecodes.KEY_KP1, CTRL), "key Ctrl+KP1"),
    "Alt+A": (hit(KEYS["a"], ALT), "key Alt+A"),
    "AltGr+E": (hit(KEYS["e"], ecodes.KEY_RIGHTALT), "key Alt+E"),
    "Alt and a digit that is not the keypad's": (hit(KEYS["1"], ALT), "key Alt+1"),
    "Alt and enter": (hit(ecodes.KEY_ENTER, ALT), "key Alt+ENTER"),
    "Alt+233, which is no ASCII": (number("233"), "Alt+233"),
    "Alt+0233": (number("0233"), "Alt+0233"),
    "Alt and more digits than a number has": (number("00000065"), "Alt+0000"),
    "Ctrl+Alt and digits": (key(CTRL, 1) + number("065") + key(CTRL, 0), "key Ctrl+Alt+KP0"),
    "Meta+R": (hit(KEYS["r"], ecodes.KEY_LEFTMETA), "key Meta+R"),
    "compose": (hit(ecodes.KEY_COMPOSE) + hit(KEYS["e"]) + hit(KEYS["'"]), "key COMPOSE"),
    "backspace": (hit(ecodes.KEY_BACKSPACE), "key BACKSPACE"),
    "escape": (hit(ecodes.KEY_ESC), "key ESC"),
    "F9": (hit(ecodes.KEY_F9), "key F9"),
    "an arrow": (hit(ecodes.KEY_LEFT), "key LEFT"),
    "the key that only other layouts have": (hit(ecodes.KEY_102ND), "key 102ND"),
    "a key without a name": (hit(0x2F0), "key 752"),
    "lost events": (event(ecodes.EV_SYN, ecodes.SYN_DROPPED, 0), "the kernel lost key presses"),
}


@pytest.mark.fault("scanner-keys")
@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_character_refuses_its_ticket_and_no_other(port: Port, case: str) -> None:
    events, why = REFUSED[case]
    port.type(typed("before\r") + typed("12") + events + typed("34\r") + typed("after\r"))
    before, bad, after = await port.readings(3)
    assert bad.why is not None and why in bad.why
    assert bad.text.startswith("12")
    assert (before, after) == (Reading("before"), Reading("after"))


@pytest.mark.fault("scanner-keys")
async def test_whole_tickets_before_lost_events_are_read_and_no_key_counts_as_held_after_them(port: Port) -> None:
    port.type(typed("one\rtwo\r") + key(SHIFT, 1) + CAPS + event(ecodes.EV_SYN, ecodes.SYN_DROPPED, 0))
    assert [reading.text for reading in await port.readings(3)] == ["one", "two", ""]
    port.type(typed("rest\r") + typed("three\r"))
    assert await port.readings(1) == [Reading("three")]


@pytest.mark.fault("scanner-keys")
async def test_caps_lock_that_stays_on_is_honoured_from_ticket_to_ticket(port: Port) -> None:
    port.type(CAPS + typed("abc1\r"))
    assert await port.readings() == [Reading("ABC1")]
    await asyncio.sleep(PAUSE_S)  # the end of a line, as a pause tells it
    port.type(typed("DEF2\r") + CAPS + typed("DEF2\r"))
    assert await port.readings(2) == [Reading("def2"), Reading("DEF2")]


@pytest.mark.fault("scanner-keys")
async def test_a_key_that_jams_while_nothing_is_typed_does_not_keep_a_line_from_ending(port: Port) -> None:
    port.type(typed("jam") + key(KEYS["x"], 1))
    reading = asyncio.create_task(anext(port.scanner))
    for _ in range(40):
        port.type(key(KEYS["x"], 2))
        await asyncio.sleep(PAUSE_S / 20)  # the pace of a key that repeats
    assert reading.done() and await reading == Reading("jamx")


@pytest.mark.fault("scanner-keys")
async def test_a_keyboard_that_is_pulled_out_with_keys_held_is_read_again_with_none_held(tmp_path: Path) -> None:
    async with keyboard(tmp_path) as port:
        port.type(CAPS + key(SHIFT, 1) + key(ALT, 1) + hit(ecodes.KEY_KP6) + typed("half"))
        assert (await port.readings())[0].why is not None
        told: list[str | None] = []
        port.scanner.on_trouble(lambda: told.append(port.scanner.trouble))
        reading = asyncio.create_task(anext(port.scanner))
        await asyncio.sleep(0.05)  # it is waiting for a key when the cable goes, of which nobody tells
        again = tmp_path / "again"
        os.mkfifo(again)
        back = os.open(again, os.O_RDWR)
        again.rename(port.path)  # the kernel gives the device that is plugged in again the same name
        os.close(port.fd)
        await eventually(lambda: told[-1:] == [None])
        port.fd = back
        port.type(typed(TICKET + "\r"))
        assert await asyncio.wait_for(reading, 5) == Reading(TICKET)
    assert told == [f"the scanner at {tmp_path}/event0 was lost: it was unplugged", None]
