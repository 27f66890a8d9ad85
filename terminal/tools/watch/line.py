"""A line of `watch`: when, where, whose visit, what, in words; as text, coloured, or as JSON."""

import json
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from rich.text import Text

from terminal.contract.describe import MessageFields
from terminal.contract.messages import stamp
from terminal.monitor.garage import Observation

Tone = Literal["plain", "dim", "good", "warn", "bad", "act"]
STYLES: dict[Tone, str] = {
    "plain": "",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "act": "cyan",
}
_SCREENS: dict[str, Tone] = {"pay": "plain", "paid": "good", "free": "good", "help": "warn", "out-of-order": "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """``at_ms``: ms since the epoch. ``code``: a visit's help code, or empty. ``kept``: the broker, or the journal, had
    it; it is not news."""

    at_ms: int
    lane: str
    kind: str
    words: str
    tone: Tone = "plain"
    code: str = ""
    kept: bool = False

    def text(self, zone: ZoneInfo, lane_width: int, width: int | None = None) -> str:
        """One line; with ``width`` folded under itself, so that it fits."""
        time = datetime.fromtimestamp(self.at_ms / 1000, zone).strftime("%H:%M:%S")
        head = f"{time} {self.lane:<{lane_width}} {self.code:<6}"
        body = f"{self.kind}: {self.words}" + (" (kept)" if self.kept else "")
        if width is None:
            return f"{head} {body}"
        return "\n".join(
            textwrap.wrap(
                body,
                max(width, len(head) + 20),
                initial_indent=f"{head} ",
                subsequent_indent=" " * (len(head) + 1),
                break_on_hyphens=False,
            )
        )

    def rich(self, zone: ZoneInfo, lane_width: int, width: int) -> Text:
        """The same for a terminal that shows colours: what matters stands out, what was kept steps back."""
        text = Text(self.text(zone, lane_width, width), style="dim" if self.kept else STYLES[self.tone])
        text.stylize("dim", 0, 8)
        if self.code:
            text.stylize("bold", 9 + lane_width + 1, 9 + lane_width + 1 + len(self.code))
        return text


def line_of(seen: Observation) -> Line:
    """An observation as a line."""
    kind = f"{seen.role}" if seen.kind == "health" and seen.role else seen.kind
    return Line(seen.at_ms, seen.lane, kind, seen.words, _tone(seen), seen.help_code, seen.retained)


def json_of(seen: Observation) -> str:
    """An observation as one line of JSON: the message whole, and what `watch` adds to it."""
    document: MessageFields = {
        "at": stamp(seen.at_ms),
        "topic": seen.topic,
        "lane": seen.lane,
        "kind": seen.kind,
        "retained": seen.retained,
        "words": seen.words,
    }
    about = {"session": seen.session, "order_no": seen.order_no, "help_code": seen.help_code}
    document |= {name: value for name, value in about.items() if value}
    if seen.opened:
        document["opened"] = {"by": seen.opened.by, "who": seen.opened.who, "note": seen.opened.note}
    return json.dumps({**document, "message": seen.data}, ensure_ascii=False)


def _tone(seen: Observation) -> Tone:
    data = seen.data
    match seen.kind:
        case "alert" if data.get("state") == "cleared":
            return "good"
        case "alert":
            severity: dict[object, Tone] = {"critical": "bad", "warning": "warn"}
            return severity.get(data.get("severity"), "plain")
        case "screen":
            return _SCREENS.get(str(data.get("state")), "dim" if data.get("state") == "idle" else "plain")
        case "health":
            states: dict[object, Tone] = {"online": "good", "degraded": "warn"}
            return states.get(data.get("state"), "bad")
        case "fee" if data.get("reason") == "refused":
            return "warn"
        case "barrier" if seen.opened:
            return "bad" if seen.opened.by in ("by hand", "unknown") else "good"
        case "barrier":
            answer = data.get("answer")
            refused = isinstance(answer, dict) and answer.get("outcome") != "raised"
            return "warn" if refused or data.get("state") in ("fault", "unknown") else "plain"
        case "lift" | "command":
            return "act"
        case "vehicle":
            return "dim"
    return "plain"
