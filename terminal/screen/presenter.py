"""What an LCD shows at a moment, from the messages that it has got: the rules of ``screen``, without I/O.

terminal/contract/README.md has them in words.

A code is shown only while a live message has it, its time is not up, a frame of it could be read back, and the worker
is there to take the payment. Time is the LCD's own steady clock, in ms.
"""

from collections import OrderedDict
from dataclasses import replace

from msgspec import structs

from terminal.contract.messages import Screen
from terminal.contract.topics import SILENT_MS
from terminal.screen.qr import QrError, Symbol, from_wire
from terminal.screen.view import Hint, PayPage, View, view_of

HINT_AFTER_MS = 18_000
HINT_MS = 6_000
WIFI_MS = 8_000
"""How long the page with the lane's Wi-Fi stands in the signal hint's place: long enough to scan it."""

CODE_MS, WORDS_MS = 9_000, 3_000
"""How long code and words stand, the code first, where words have no room beside the code."""

STALE_MS = 150_000
"""A message whose id is older than the newest one's by less than this is a late or repeated one. If it is older by
more, the worker's clock was corrected, and no code can be that old and still have time left."""

SCANNED_MS = 6_000
"""Once a phone has read the code: how long words and code stand where they take turns, the words first. The code stays,
because another phone may pay."""

_Side = tuple[PayPage, Hint, int]
"""A side of the pay screen, its hint, and how many ms it stands."""

_REMEMBERED = 64  # codes whose end is known, so that a repeated old message cannot bring one back


class ScreenPresenter:
    """Feed it messages that may be believed (one with a code only with a good signature), and ask it for the view of a
    moment.

    ``turns``: the panel has no room for words beside the code. ``wifi``: the lane offers a Wi-Fi.
    """

    def __init__(self, *, turns: bool = False, wifi: bool = False) -> None:
        self._turns = turns
        self._sides = _sides(turns=turns, wifi=wifi)
        self._screen: Screen | None = None
        self._symbol: Symbol | None = None
        self._why_not = ""
        self._refused: Symbol | None = None
        """An invoice's code that this panel cannot show."""
        self._since_ms = self._scanned_ms = 0
        self._newest_ms = 0
        self._ends: OrderedDict[str, int] = OrderedDict()
        """When a code's time is up, by the code and its signed end: the worker may sign a later end."""

    @property
    def screen(self) -> Screen | None:
        """The message that is valid now."""
        return self._screen

    def take(self, screen: Screen, now: int, *, retained: bool = False) -> None:
        """Note a message, unless a newer one came before it. A retained ``pay`` only means that the driver must wait
        for a live one."""
        age_ms = self._newest_ms - _made_ms(screen)
        if 0 < age_ms < STALE_MS:
            return
        if not retained:
            self._newest_ms = _made_ms(screen)
        if screen.state != "pay" or screen.qr is None:
            self._screen, self._symbol, self._why_not = without_code(screen) if retained else screen, None, ""
            return
        if retained:
            if self._symbol is None:
                self._screen, self._why_not = _as_wait(screen), ""
            return
        try:
            symbol = from_wire(screen.qr)
        except QrError as error:
            self._screen, self._symbol, self._why_not = screen, None, str(error)
            return
        if symbol != self._symbol or self._screen is None or self._screen.session != screen.session:
            self._symbol, self._why_not = symbol, ""
            self._since_ms = self._scanned_ms = now
        elif screen.scanned and not self._screen.scanned:
            self._scanned_ms = now
        self._screen = screen
        end, key = now + (screen.remaining or 0) * 1000, _end_of(symbol, screen)
        self._ends[key] = min(end, self._ends.get(key, end))
        if len(self._ends) > _REMEMBERED:
            self._ends.popitem(last=False)

    def refuse(self, symbol: Symbol, why: str) -> None:
        """This symbol cannot be shown: it is too large for the panel, or its frame could not be read back. In place of
        an order's the driver gets help; without an invoice's the screen is as good."""
        if symbol == self._symbol:
            self._why_not = why
        else:
            self._refused = symbol

    def view(self, now: int, *, away_ms: int = 0, silent_ms: int = 0) -> View:
        """The view. ``away_ms``: since the broker was lost; ``silent_ms``: since the worker was last heard."""
        if away_ms >= SILENT_MS:
            return View("out-of-order", "broker")
        screen = self._screen
        if silent_ms >= SILENT_MS and (screen is None or screen.state not in ("closed", "out-of-order")):
            return View("help", "no-answer", help_code=(screen and screen.help_code) or "")
        if screen is None:
            return View("wait")
        if screen.state != "pay":
            view = view_of(screen)
            return replace(view, symbol=None) if view.symbol == self._refused else view
        if self._why_not:
            return View("help", "qr", help_code=screen.help_code or "")
        left_ms = self._left_ms(now)
        if left_ms <= 0:
            return replace(view_of(screen), state="wait", symbol=None)
        page, hint = self._page(now - self._since_ms)
        if screen.scanned:
            turn = (now - self._scanned_ms) // SCANNED_MS % 2
            page, hint = "words" if self._turns and not turn else "code", "scanned"
        uncounted = page == "wifi" or (self._turns and page == "code")
        left = None if uncounted else -(-left_ms // 1000)
        return view_of(screen, left, hint=hint, page=page)

    def next_ms(self, now: int) -> int | None:
        """How long (ms) until the seconds of the shown code change; None if there are none."""
        left_ms = self._left_ms(now)
        return None if left_ms <= 0 else (left_ms - 1) % 1000 + 1

    def _left_ms(self, now: int) -> int:
        if self._symbol is None or self._screen is None:
            return 0
        return self._ends.get(_end_of(self._symbol, self._screen), now) - now

    def _page(self, shown_ms: int) -> tuple[PayPage, Hint]:
        """The side of the pay screen, and its hint, after this time (ms)."""
        at_ms = shown_ms if self._turns else shown_ms - HINT_AFTER_MS
        if at_ms < 0:
            return "code", ""
        at_ms %= sum(ms for _, _, ms in self._sides)
        for page, hint, ms in self._sides:
            if at_ms < ms:
                return page, hint
            at_ms -= ms
        raise AssertionError("the sides' times add up to the turn")


def _sides(*, turns: bool, wifi: bool) -> tuple[_Side, ...]:
    """The sides and how long each stands, one after the other and then from the beginning."""
    network: _Side = ("wifi", "signal", WIFI_MS)
    if turns:
        alone: _Side = ("code", "", CODE_MS)
        last: _Side = network if wifi else ("words", "signal", WORDS_MS)
        return alone, ("words", "", WORDS_MS), alone, ("words", "second", WORDS_MS), alone, last
    plain: _Side = ("code", "", HINT_MS)
    return ("code", "second", HINT_MS), plain, network if wifi else ("code", "signal", HINT_MS), plain


def without_code(screen: Screen) -> Screen:
    """A ``paid`` as it is shown where its code is not believed, or no longer wanted."""
    return structs.replace(screen, qr=None, key=None, sign=None) if screen.state != "pay" and screen.qr else screen


def _as_wait(screen: Screen) -> Screen:
    """A retained ``pay`` as a ``wait``; its amount may be anybody's."""
    return Screen(id=screen.id, at=screen.at, state="wait", help_code=screen.help_code)


def _end_of(symbol: Symbol, screen: Screen) -> str:
    return f"{symbol.sha256} {screen.expires}"


def _made_ms(screen: Screen) -> int:
    """When the message was made, by its id (UUIDv7): ms since the epoch by its sender's clock."""
    return int(screen.id[:8] + screen.id[9:13], 16)
