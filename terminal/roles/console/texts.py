"""The desk's words in one language; text_table.py has the rows."""

from collections.abc import Iterable
from typing import Literal, get_args

from terminal.monitor.opened import Opened
from terminal.roles.console.alert_words import Pieces, advice
from terminal.roles.console.text_table import ROWS
from terminal.screen import texts as screen_texts

Language = Literal["en", "ar"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Words:
    """``words("key", name=value)`` is a row's text, filled in."""

    def __init__(self, lang: Language) -> None:
        self.lang = lang
        self.dir = "rtl" if lang == "ar" else "ltr"
        self.other: Language = "ar" if lang == "en" else "en"
        self._column = LANGUAGES.index(lang)

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a row that is not there."""
        text = ROWS[key][self._column]
        return text.format(**values) if values else text

    def known(self, key: str, otherwise: str) -> str:
        """A row's text; for what a newer version says, ``otherwise``."""
        return ROWS[key][self._column] if key in ROWS else otherwise

    def list(self, parts: Iterable[str]) -> str:
        """The parts beside each other."""
        return ("، " if self.lang == "ar" else ", ").join(parts)

    def screen(self, state: str, reason: str) -> str:
        """What a lane's screen says, in its own words."""
        table = screen_texts.TABLE
        for key in (f"{state}.{reason}", state):
            if reason and key != state and not table.has(key):
                continue
            if table.has(key):
                said = table.say(key, self.lang)
                return said if key == state else f"{table.say(state, self.lang)}: {said}"
        return state

    def boom(self, state: str) -> str:
        """A state of the boom."""
        return self.known(f"boom.{state}", state[:16])

    def health(self, state: str) -> str:
        """A role's state."""
        return self.known(f"state.{state}", state[:16])

    def order(self, status: str, amount: str) -> str:
        """An order's status, with its amount."""
        said = self.known(f"order.{status}", status[:16])
        return f"AED {amount}: {said}" if amount else said

    def opened(self, opened: Opened) -> str:
        """Who opened the boom."""
        return self(f"opened.{opened.by}", amount=opened.amount, who=opened.who, note=opened.note)

    def advice(self, code: str) -> tuple[Pieces, Pieces]:
        """What an alert means and what to do."""
        return advice(code, self.lang)

    def action(self, kind: str) -> str:
        """An action's name."""
        return self.known(f"action.{kind}", kind)

    def stage(self, stage: str, why: str = "") -> str:
        """How far an action is."""
        return self(f"stage.{stage}", why=why or "?") if f"stage.{stage}" in ROWS else stage


WORDS: dict[str, Words] = {lang: Words(lang) for lang in LANGUAGES}
