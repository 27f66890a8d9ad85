"""Pages out of templates: everything that is filled in is escaped, and a name that is not there is an error."""

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from terminal import __version__
from terminal.roles.console.guard import ASKER, SPOKEN
from terminal.roles.console.texts import Words


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("terminal.roles.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Drawing:
    """Draws the desk's pages. ``base`` is the path under which they stand."""

    def __init__(self, garage_name: str, garage_name_ar: str, zone: ZoneInfo, base: str) -> None:
        self._names = {"en": garage_name, "ar": garage_name_ar or garage_name}
        self.zone, self.base = zone, base

    def page(self, request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """The page of a template in the asker's language."""
        words = request[SPOKEN]
        asker = request.get(ASKER)
        text = self.text(
            template, words, asker=asker, csrf=asker.sign_in.csrf if asker else "", here=request.path_qs, **values
        )
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Language": words.lang}
        )

    def text(self, template: str, words: Words, **values: Any) -> str:
        """A template, or a part of a page, filled in."""
        return _templates().get_template(template).render(
            t=words, base=self.base, garage=self._names[words.lang], version=__version__, clock=self.clock,
            day_of=self.day_of, when=self.when, **values,
        )  # fmt: skip

    def clock(self, at_ms: int | str) -> str:
        """A time of day by the garage's clock."""
        return self._at(at_ms).strftime("%H:%M:%S") if at_ms else ""

    def when(self, at_ms: int | str) -> str:
        """A day and a time by the garage's clock."""
        return self._at(at_ms).strftime("%Y-%m-%d %H:%M") if at_ms else ""

    def day_of(self, at_ms: int) -> str:
        """A day by the garage's clock."""
        return self._at(at_ms).strftime("%Y-%m-%d")

    def _at(self, at_ms: int | str) -> datetime:
        return datetime.fromtimestamp(int(at_ms) / 1000, self.zone)
