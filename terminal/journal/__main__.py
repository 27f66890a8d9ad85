"""``python -m terminal.journal backup JOURNAL COPY`` and ``… check JOURNAL``: for operators, while the role is running.

JOURNAL is a file, or the URL of a worker's journal in a database (without a password: PGPASSFILE or a service has it).
Never ``cp`` a database in use: the latest commits are in a file beside it. Exit status 0 done, 1 failed (one line
on stderr), 2 wrong use.
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

from terminal.journal.reading import backup, read
from terminal.journal.rows import JournalError


def main() -> int:
    """Run the command of sys.argv; returns the exit status, 1 after one line on stderr for a journal that cannot be
    used."""
    parser = argparse.ArgumentParser(
        prog="python -m terminal.journal", description="copy or check a journal that is in use"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    copy = commands.add_parser("backup", help="write a whole and checked copy; an older one is replaced at once")
    copy.add_argument("journal", type=_place)
    copy.add_argument("copy", type=Path)
    check = commands.add_parser("check", help="read every row and check its hash")
    check.add_argument("journal", type=_place)
    arguments = parser.parse_args()
    try:
        if isinstance(arguments.journal, str):
            text = _of_database(arguments)
        elif arguments.command == "backup":
            last = backup(arguments.journal, arguments.copy)
            text = f"{arguments.copy}: whole up to row {last}"
        else:
            text = f"{arguments.journal}: {sum(1 for _ in read(arguments.journal))} rows, all as they were written"
    except (JournalError, OSError) as error:
        sys.stderr.write(f"journal: {error}\n")
        return 1
    sys.stdout.write(text + "\n")
    return 0


def _place(text: str) -> Path | str:
    if not text.startswith(("postgresql://", "postgres://")):
        return Path(text)
    if ":" in urlsplit(text).netloc.rpartition("@")[0] or "password=" in text:
        raise argparse.ArgumentTypeError("takes a URL without a password; PGPASSFILE or ?service=… has it")
    return text


def _of_database(arguments: argparse.Namespace) -> str:
    """What became of the command; raises JournalError, OSError."""
    from terminal.journal.postgres.connection import DatabaseAddress
    from terminal.journal.postgres.dump import dump
    from terminal.journal.postgres.reading import DatabaseHistory

    address = DatabaseAddress(arguments.journal, "")
    if arguments.command == "backup":
        dump(address, arguments.copy)
        return f"{arguments.copy}: as pg_dump wrote it; pg_restore reads it"
    return f"{address.name}: {sum(1 for _ in DatabaseHistory(address).read_all())} rows, all as they were written"


if __name__ == "__main__":
    sys.exit(main())
