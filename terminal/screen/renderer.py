"""A view -> the picture on the panel.

The page is white and the modules black, never inverted, with full white beside the code. The code and its quiet zone
fill the panel's height; words are beside it and never at its cost. A second of countdown redraws only its own digits.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from PIL import Image

from terminal.core.model import ScreenState
from terminal.screen import pay_screen, qr, receipt_page, wifi_page
from terminal.screen import view as words
from terminal.screen.dimming import PLACES, darker
from terminal.screen.fonts import raqm_available, rtl
from terminal.screen.layouts import Layout
from terminal.screen.sheet import Placed, Sheet, moved
from terminal.screen.status_screens import bare, message
from terminal.screen.texts import TABLE
from terminal.screen.typesetting import Typesetter
from terminal.screen.view import Site, View

_BESIDE = {"wide": pay_screen.wide, "narrow": pay_screen.narrow, "tall": pay_screen.tall}
_SAMPLE = "https://qr.payby.com?BIZ_TYPE=202&ft=00000000000000000000000000000000&t=0000000000000"
_KEPT = 6  # sheets: the screens of a visit, and one more
_PLAIN: frozenset[ScreenState] = frozenset({"idle", "wait", "paid", "free"})
"""States whose screens show of a visit at most the amount, unless they have the pay screen's words."""


@dataclass(frozen=True)
class ScreenImage:
    """A finished picture (RGB), and the boxes of everything on it."""

    image: Image.Image
    placed: tuple[Placed, ...]


class Renderer:
    """Draws the screens of one panel. ``arabic`` False leaves out the languages that cannot be shaped here. ``idle`` is
    the operator's own idle picture, RGB and of the panel's size. A ``dim`` view has the ``dim`` share of light, for
    panels whose backlight cannot be dimmed. Raises qr.QrError for a Wi-Fi whose code this panel cannot show
    readably."""

    def __init__(
        self,
        layout: Layout,
        site: Site,
        *,
        arabic: bool | None = None,
        idle: Image.Image | None = None,
        dim: float = 1,
    ) -> None:
        shaped = raqm_available() if arabic is None else arabic
        shown = tuple(lang for lang in TABLE.languages if shaped or not rtl(lang))
        self._typesetter = Typesetter(layout, site, TABLE, shown)
        if site.wifi:
            wifi_page.check(layout, site.wifi)
            wifi_page.prove(self._typesetter, site.wifi)
        self._idle = idle
        self._darker = darker(dim) if dim < 1 else None
        self._sheets: OrderedDict[View, Sheet] = OrderedDict()

    @property
    def turns(self) -> bool:
        """Has the pay screen two sides, the code and the words?"""
        return self._typesetter.layout.style == "square"

    def warm(self) -> None:
        """Draw one screen of each state, so that fonts and pictures are loaded before a driver waits for them."""
        states: tuple[ScreenState, ...] = ("idle", "wait", "paid", "free", "help")
        self.compose(View("pay", amount="0.00", minutes=0, left=0, tail="0000", symbol=qr.encode(_SAMPLE)))
        self.compose(View("wait", amount="1.00", minutes=0, tail="0000"))
        for state in states:
            self.compose(View(state, amount="0.00"))

    def prepare(self, view: View) -> None:
        """Draw what a view's picture needs, so that compose() has little left to do. Raises as that does."""
        self._sheet(self._essence(view))

    def compose(self, view: View) -> Image.Image:
        """The picture for a view, mode RGB, of the layout's size; a new one at each call. Raises qr.QrError for a
        symbol that this panel cannot show, fonts.DoesNotFit for words that have no room on it."""
        return self.frame(view).image

    def forget(self, shown: View) -> None:
        """Let go of the visit's sheets, half a MB each at 480x320: nobody sees them again. What is shown now stays, and
        so does what the next visit begins with."""
        again = {self._essence(shown), View("idle"), View("wait", amount="")}
        for view in self._sheets.keys() - again:
            del self._sheets[view]

    def frame(self, view: View) -> ScreenImage:
        """As ``compose``, with the boxes."""
        sheet = self._sheet(self._essence(view))
        image, placed = sheet.image.copy(), tuple(sheet.placed)
        if sheet.countdown and view.left is not None:
            sheet.countdown.draw(image, words.digits(words.countdown(view.left), self._typesetter.site.digits))
        if view.moved:
            x, y = PLACES[view.moved]
            image.paste(sheet.image, (x, y))  # the edges keep their content
            placed = tuple(replace(one, box=moved(one.box, x, y)) for one in placed)
        if view.dim and self._darker:
            image = image.point(self._darker)
        return ScreenImage(image, placed)

    def bare(self, view: View) -> ScreenImage:
        """The picture instead of a view that raises DoesNotFit: no words, and no code."""
        typesetter = self._typesetter
        sheet = Sheet(typesetter.layout.width, typesetter.layout.height)
        bare(sheet, typesetter, view)
        return ScreenImage(sheet.image, tuple(sheet.placed))

    def _essence(self, view: View) -> View:
        """The view without what its sheet does not show, so that one sheet serves all views that look alike."""
        if view.state == "paid" and view.symbol:
            return View("paid", symbol=view.symbol)
        if view.state in _PLAIN and not self._is_soon(view):
            return View(view.state, amount=view.amount if view.state in ("wait", "paid") else "")
        return replace(view, left=None if view.left is None else 0, dim=False, moved=0)

    def _is_soon(self, view: View) -> bool:
        """Does it have the pay screen's words already, with a picture in the code's place?"""
        beside = self._typesetter.layout.style in _BESIDE
        return view.state == "wait" and beside and bool(view.amount.strip("0."))

    def _sheet(self, view: View) -> Sheet:
        if (sheet := self._sheets.get(view)) is None:
            sheet = self._sheets[view] = self._draw(view)
            if len(self._sheets) > _KEPT:
                self._sheets.popitem(last=False)
        self._sheets.move_to_end(view)
        return sheet

    def _draw(self, view: View) -> Sheet:
        typesetter = self._typesetter
        layout = typesetter.layout
        sheet = Sheet(layout.width, layout.height)
        beside = _BESIDE.get(layout.style)
        if view.state == "idle" and self._idle is not None:
            sheet.picture(self._idle, 0, 0)
            return sheet
        if view.state == "pay" and view.page == "wifi" and (network := typesetter.site.wifi):
            wifi_page.page(sheet, typesetter, network)
            return sheet
        if view.state == "paid" and view.symbol is not None:
            receipt_page.page(sheet, typesetter, view.symbol)
            return sheet
        if view.state == "pay" and view.symbol is not None:
            if view.page == "words" and beside is None:
                pay_screen.square(sheet, typesetter, view)
                return sheet
            pay_screen.code(sheet, typesetter, view.symbol)
        elif self._is_soon(view):
            pay_screen.soon(sheet, typesetter)
        else:
            message(sheet, typesetter, view)
            return sheet
        if beside is not None:
            beside(sheet, typesetter, view)
        return sheet
