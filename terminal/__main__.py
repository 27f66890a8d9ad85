"""The command line: reads arguments, calls `app`; no logic. `exit-terminal` and `python -m terminal` are the same."""

import argparse
import errno
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from terminal import __version__
from terminal.config.schema import ConfigError

PROGRAM = "exit-terminal"


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        """Print ``message`` as one line of at most 400 characters on stderr and raise SystemExit with status 2."""
        said = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", message).split())
        said = re.sub(r"://[^'\"]*@", "://…@", said)  # somebody may write a password into a URL
        self.exit(2, f"{self.prog}: {said if len(said) <= 400 else said[:400] + '…'} (see {PROGRAM} --help)\n")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a number from 1 to 1000000")
    return int(text)


def _year(text: str) -> int:
    if not text.isdecimal() or not 2000 <= int(text) <= 2100:
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a year from 2000 to 2100")
    return int(text)


def _path(text: str) -> Path:
    """Raises ArgumentTypeError for a name that the system does not accept, such as one that is too long."""
    path = Path(text)
    try:
        path.exists()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, {why}; takes another name") from None
    return path


def _to_write(text: str) -> Path:
    path = _path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"got {text!r}, a folder; takes a file's name")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a file in a folder that is there")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"got {text!r}, which cannot be written")
    return path


def _to_read(text: str) -> Path:
    path = _path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a file that is there")
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"got {text!r}, which cannot be read")
    return path


def _folder(text: str) -> Path:
    path = _path(text)
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a folder that can be made or written")
    return path


def _merchant(text: str) -> str:
    if not re.fullmatch("[A-Za-z0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"got {text!r}, takes up to 12 letters and digits")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, takes a port, 0 to 65535")
    return int(text)


def parser(only: str | None = None) -> Parser:
    """The parser of every command and option; of one command alone it is made in a tenth of the time."""
    common = Parser(add_help=False)
    common.add_argument("--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="the configuration")
    top = Parser(prog=PROGRAM, description="A parking exit that is paid by phone.")
    top.add_argument("--config", metavar="FILE", type=Path, help="the configuration (or EXIT_TERMINAL_CONFIG)")
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (text, options) in COMMANDS.items():
        if only in (None, name):
            options(commands.add_parser(name, help=text, description=text, parents=[common]))
    return top


def _none(_: argparse.ArgumentParser) -> None:
    """For a command without options."""


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--port", type=_port, default=8000, help="the page's port (default: %(default)s)")
    demo.add_argument("--cars", metavar="N", type=_count, help="run N cars without the page, then end")


def _add_worker(worker: argparse.ArgumentParser) -> None:
    worker.add_argument(
        "--release",
        action="store_true",
        help="run nothing: the worker that holds the lease of journal.url hands it to one that stands by",
    )


def _add_lcd(lcd: argparse.ArgumentParser) -> None:
    lcd.add_argument(
        "--test", action="store_true", help="show a test card on the panel until Ctrl-C; needs [lcd] alone"
    )


def _add_sandbox(sandbox: argparse.ArgumentParser) -> None:
    sandbox.add_argument("--port", type=_port, default=8090, help="(default: %(default)s)")
    sandbox.add_argument(
        "--folder",
        metavar="DIR",
        type=_folder,
        default=Path("sandbox"),
        help="the folder of the keys, made if absent (default: sandbox)",
    )
    sandbox.add_argument(
        "--merchant-key", metavar="FILE", type=_to_read, help="the merchant's public key, if it has one"
    )
    sandbox.add_argument(
        "--partner-id", metavar="ID", type=_merchant, default="200000000888", help="(default: %(default)s)"
    )


def _add_backup(backup: argparse.ArgumentParser) -> None:
    backup.add_argument("file", metavar="FILE", type=_to_write, help="the file to write; an older one is replaced")
    backup.add_argument("--no-secrets", action="store_true", help="leave keys and passwords out")


def _add_restore(restore: argparse.ArgumentParser) -> None:
    restore.add_argument("file", metavar="FILE", type=_to_read, help="a file that backup made")
    restore.add_argument("folder", metavar="FOLDER", type=_folder, help="of the configuration")
    restore.add_argument(
        "--complete", action="store_true", help="the service was stopped before the backup and has not run since"
    )
    restore.add_argument("--user", metavar="USER", help="whose the files are to be, where root makes them")


def _add_check(check: argparse.ArgumentParser) -> None:
    check.add_argument("--order", action="store_true", help="then prove it by a real order that is paid and refunded")
    check.add_argument("--amount", metavar="AED", default="1.00", help="of that order (default: %(default)s)")
    check.add_argument("--user", metavar="USER", help="check as the user that the service runs as; only for root")
    check.add_argument("--json", action="store_true", help="one JSON document in place of the lines")
    check.add_argument("--rabbitmq", metavar="FILE", type=Path, nargs="+", default=(), help="rabbitmqctl's JSON")


def _add_watch(watch: argparse.ArgumentParser) -> None:
    watch.add_argument("--lane", metavar="LANE", action="append", default=[], help="only of this lane; may be repeated")
    watch.add_argument("--kind", metavar="KIND", action="append", default=[], help="only these, as fee or alert")
    watch.add_argument("--session", metavar="ID", default="", help="only of this stay; any part of its id")
    watch.add_argument("--order", metavar="NUMBER", default="", help="only of this order; any part of its number")
    watch.add_argument("--code", metavar="CODE", default="", help="only of the visit with this help code")
    watch.add_argument("--all", action="store_true", help="repetitions too, as heartbeats are")
    watch.add_argument("--json", action="store_true", help="a line of JSON for each message")
    watch.add_argument("--since", metavar="TIME", help="first the journal, from 14:30, 30m or 2026-11-30T14:30 on")
    watch.add_argument("--replay", action="store_true", help="the journal alone; needs no broker")
    watch.add_argument("--garage", metavar="GARAGE", nargs="+", default=(), help="these (default: garage.id)")
    watch.add_argument("--url", metavar="URL", help="of the broker (default: mqtt.url)")
    watch.add_argument("--user", metavar="NAME", help="the broker's user (default: the first of broker.watchers)")
    watch.add_argument("--password-file", metavar="FILE", type=Path, help="of that user (default: beside the others)")


def _add_user(user: argparse.ArgumentParser) -> None:
    user.add_argument("action", metavar="ACTION", choices=("add", "list", "remove"), help="add, list or remove")
    user.add_argument("name", metavar="NAME", nargs="?", help="the user's")
    user.add_argument(
        "--role", choices=("view", "attendant", "manager"), default="attendant", help="(default: %(default)s)"
    )
    user.add_argument("--password-file", metavar="FILE", type=Path, help="with the password (default: it is asked for)")
    user.add_argument("--replace", action="store_true", help="another role and password for a user who is there")
    user.add_argument("--json", action="store_true", help="list: one JSON document")


def _add_ticket(ticket: argparse.ArgumentParser) -> None:
    ticket.add_argument(
        "--minutes-ago", metavar="N", type=int, default=90, help="how long ago it entered (default: %(default)s)"
    )
    ticket.add_argument("--key", metavar="ID", help="the key that signs it (default: the first one)")
    ticket.add_argument(
        "--code", choices=("qr", "code128", "both"), default="qr", help="its symbols (default: %(default)s)"
    )
    ticket.add_argument("--lost", action="store_true", help="the card for a lost ticket")
    ticket.add_argument("--coupon", metavar="WORTH", help="a coupon instead: 5.00, 25%%, 60min, free or pass")
    ticket.add_argument("--days", type=int, default=1, help="how long a coupon lasts (default: %(default)s)")
    ticket.add_argument("--text", action="store_true", help="print only its text, as the last line")
    ticket.add_argument("--png", metavar="FILE", type=_to_write, help="draw it")
    ticket.add_argument(
        "--printer", metavar="WHERE", help="print it: /dev/usb/lp0, or tcp://HOST of an ESC/POS printer"
    )
    ticket.add_argument(
        "--dots",
        type=int,
        choices=(576, 512, 384),
        default=576,
        help="the printer's dots a line: 576 or 512 on 80 mm paper, 384 on 58 mm (default: %(default)s)",
    )


def _add_tariff(tariff: argparse.ArgumentParser) -> None:
    tariff.add_argument("--entered", metavar="TIME", help='such as "2026-11-30 09:00", by the garage\'s clock')
    tariff.add_argument("--exited", metavar="TIME", help="explain the fee of a stay from --entered to this")
    tariff.add_argument("--class", metavar="NAME", dest="ticket_class", default="", help="the class of the ticket")
    tariff.add_argument(
        "--paid", metavar="TIME=AED", action="append", default=[], help="what was already paid, and when"
    )
    tariff.add_argument(
        "--earlier", metavar="TIME/TIME", action="append", default=[], help="an earlier stay that this one may continue"
    )
    tariff.add_argument("--check", action="store_true", help="list each length of stay after which the fee changes")
    tariff.add_argument("--chart", metavar="FILE", type=_to_write, help="draw the fee over the stay, as PNG")
    tariff.add_argument("--until", metavar="LENGTH", help='the longest stay of --check and --chart, such as "6 h"')
    tariff.add_argument("--holidays", metavar="YEAR", type=_year, help="print the year's public holidays to confirm")
    tariff.add_argument("--country", metavar="CODE", default="AE", help="for --holidays (default: %(default)s)")


def _add_screens(screens: argparse.ArgumentParser) -> None:
    screens.add_argument("--out", metavar="DIR", type=_folder, required=True, help="the folder for the pictures")
    screens.add_argument("--url", help="what the pay screen's QR code carries")
    screens.add_argument("--digits", choices=("latin", "arabic"), help="(default: the configuration's, or latin)")


def _add_refund(refund: argparse.ArgumentParser) -> None:
    refund.add_argument("order", metavar="ORDER", help="the order number")
    refund.add_argument("--amount", metavar="AED", help="such as 12.50 (default: what is left of the payment)")
    refund.add_argument("--reason", metavar="TEXT", default="", help="the reason for PayBy and the journal")
    refund.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_reconcile(reconcile: argparse.ArgumentParser) -> None:
    reconcile.add_argument("--date", metavar="YYYY-MM-DD", required=True, help="in the garage's time zone")
    reconcile.add_argument("--json", metavar="FILE", type=_to_write, help="write the report as JSON")
    reconcile.add_argument("--csv", metavar="FILE", type=_to_write, help="write its rows as CSV")
    reconcile.add_argument("--picture", metavar="FILE", type=_to_write, help="draw the day, as .png or .html")
    reconcile.add_argument(
        "--statement", metavar="FILE", type=_to_read, nargs="+", default=[], help="ZIP or CSV (default: PayBy is asked)"
    )
    reconcile.add_argument(
        "--barrier-journal",
        metavar="FILE",
        type=_to_read,
        nargs="+",
        default=[],
        help="journals of barriers on other machines",
    )


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("--date", metavar="YYYY-MM-DD", required=True, help="in the garage's time zone")
    export.add_argument("--until", metavar="YYYY-MM-DD", help="the last day, included (default: one day)")
    export.add_argument("--csv", metavar="FILE", type=_to_write, help="write payments and refunds, for accountants")
    export.add_argument(
        "--apds", metavar="FILE", type=_to_write, help="write stays and payments as JSON, as APDS has it"
    )


def _add_init(init: argparse.ArgumentParser) -> None:
    """What nobody tells by an option is asked, where there is a terminal."""
    from terminal.tools.init.options import ANSWERS

    init.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", default=Path(), help="(default: where this is run)"
    )
    init.add_argument("--folder", metavar="DIR", type=Path, dest="into", help="the same")
    init.add_argument("--shape", choices=("single", "server", "lane"), help="what the machine is (default: single)")
    init.add_argument(
        "--lane", metavar="LANE", action="append", default=[], help="this lane; at a server: make that lane's bundle"
    )
    init.add_argument("--from", metavar="FILE", type=Path, dest="bundle", help="unpack a lane's bundle here")
    init.add_argument("--replace", action="store_true", help="make a lane's bundle anew")
    init.add_argument(
        "--renew", metavar="WHAT", action="append", default=[],
        help="make anew: merchant, worker, console, ticket, ca, server, or a user of the broker; may be repeated",
    )  # fmt: skip
    init.add_argument(
        "--revoke", metavar="USER", action="append", default=[],
        help="a user of the broker, such as lane.exit-2, whose certificate and password are not to count any more",
    )  # fmt: skip
    init.add_argument("--user", metavar="USER", help="whose the files are to be, where root makes them")
    init.add_argument(
        "--payby", choices=("uat", "production", "sandbox"), help="PayBy's environment (default: uat, for trials)"
    )
    init.add_argument(
        "--ca", metavar="FILE", type=_to_read, help="the garage's own certificate authority, PEM (default: one is made)"
    )
    init.add_argument(
        "--ca-key", metavar="FILE", type=_to_read, help="its key (default: requests are made, for it to sign)"
    )
    for option, value, said in ANSWERS:
        init.add_argument(option, metavar=value, help=said)


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": ("everything on this machine, with simulated hardware and a page to drive it", _add_demo),
    "run": ("all roles of one lane in one process, by the configuration", _none),
    "reader": ("one role: reads tickets and publishes the amount due", _none),
    "worker": ("one role: orders, payments and lifts of all lanes of a garage", _add_worker),
    "listener": ("one role: takes PayBy's notifications", _none),
    "barrier": ("one role: checks lifts and pulses the relay", _none),
    "lcd": ("one role: shows the screen", _add_lcd),
    "loops": ("one role: tells whether a car waits, and whether one is under the boom", _none),
    "console": ("one role: the operator's desk, a web page", _none),
    "alerts": ("one role: sends alerts to a webhook and by e-mail", _none),
    "discovery": ("one role: announces the garage to Home Assistant", _none),
    "broker": ("the embedded broker, for one machine", _none),
    "sandbox": ("a PayBy look-alike for integration tests", _add_sandbox),
    "init": ("write a configuration with fresh keys into a folder, and say what to do next", _add_init),
    "backup": ("everything that this machine's installation consists of in one file, while it runs", _add_backup),
    "restore": ("put a backup back; nothing that is there is written over", _add_restore),
    "check": ("is this installation ready? A line for each part, and what to do about a failure", _add_check),
    "watch": ("the garage's messages as they come, a readable line each, until Ctrl-C", _add_watch),
    "user": ("who may sign in at the operator's desk", _add_user),
    "ticket": ("print a test ticket", _add_ticket),
    "tariff": ("explain the fee of a stay, list where fees change, or draw them", _add_tariff),
    "screens": ("draw every screen of every panel; with --config in that garage's words", _add_screens),
    "refund": ("give a payment back, through the worker, and follow it to its end", _add_refund),
    "reconcile": ("match a day's statement with the journals and the barrier's raises", _add_reconcile),
    "export": ("whole days' payments as CSV, and stays as APDS JSON, from the worker's journal", _add_export),
    "contract": ("print topics and messages as AsyncAPI", _none),
}
"""What each command does, in a line, and what adds its options."""


def _command(words: list[str]) -> str | None:
    first = Parser(prog=PROGRAM, add_help=False)
    first.add_argument("--config")
    first.add_argument("command", nargs="?")
    found: str | None = first.parse_known_args(words)[0].command
    return found


def _helps(words: list[str], asked: str) -> bool:
    """Do they ask about all commands? Before its command -h does, behind it not."""
    return any(word.startswith(("-h", "--h")) for word in words[: words.index(asked)])


def main(argv: Sequence[str] | None = None, run: Callable[[argparse.Namespace], int] | None = None) -> int:
    """Run one command by ``run``, which is commands.main; returns 0 done, 1 failed, 2 wrong use or configuration."""
    words = list(sys.argv[1:] if argv is None else argv)
    asked = _command(words)
    arguments = parser(asked if asked in COMMANDS and not _helps(words, asked) else None).parse_args(words)
    try:
        if run is None:
            from terminal.app import commands  # imports every role: --help and mistakes need not wait for it

            run = commands.main
        return run(arguments)
    except ConfigError as error:
        return _say(str(error), 2)
    except BrokenPipeError:  # the reader of our output has gone, as in `exit-terminal contract | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _say(_plainly(error), 2 if error.errno == errno.EADDRINUSE else 1)
    except KeyboardInterrupt:
        return 1


def _plainly(error: OSError) -> str:
    """Without a number that says nothing to a person, and with the file."""
    why = (error.strerror or str(error) or type(error).__name__).lower()
    return f"{error.filename}: {why}" if error.filename else why


def _say(text: str, status: int) -> int:
    print(f"{PROGRAM}: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
