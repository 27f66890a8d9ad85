"""`watch --replay` tells in words what was asked and told of another system's tickets."""

from pathlib import Path

import msgspec

from terminal.core.foreign_ticket import ForeignTicket
from terminal.journal.history import FileHistory
from terminal.journal.kinds import ASKED, TOLD
from terminal.roles.worker.ticket_lookup import ForeignReading, ToldTicket
from terminal.tools.watch.history import replay
from terminal.tools.watch.wish import WatchWish
from tests.support.journal_files import open_journal

NOW = 1_795_000_000_000
READING = ForeignReading("01a1ec96-3c00-7000-8000-000000000001", "exit-1", ForeignTicket("number", "000123456789"), NOW)


def test_question_and_answer_are_lines_of_their_lane(tmp_path: Path) -> None:
    rows = [
        (ASKED, msgspec.json.encode(READING)),
        (TOLD, msgspec.json.encode(ToldTicket(READING.id, "no answer within 3 s"))),
        (TOLD, msgspec.json.encode(ToldTicket("", "found late"))),
        (TOLD, b"of another version"),
    ]
    with open_journal(tmp_path / "journal.db") as journal:
        journal.append_now(rows, NOW)
    told = replay(FileHistory(tmp_path / "journal.db"), 0, WatchWish())
    assert [(line.lane, line.kind, line.words, fields["event"]) for line, fields in told] == [
        ("exit-1", "lookup", "asks when number 000123456789 entered", ASKED),
        ("exit-1", "found", "no answer within 3 s", TOLD),
        ("garage", "found", "found late", TOLD),
    ]
    assert [line.kind for line, _ in replay(FileHistory(tmp_path / "journal.db"), 0, WatchWish(kinds=("lookup",)))] == [
        "lookup"
    ]
    assert list(replay(FileHistory(tmp_path / "journal.db"), NOW + 1, WatchWish())) == []
