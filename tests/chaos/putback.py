"""The worker's journal is put back from a copy, as when a backup is restored, with its head or without."""

import time
from pathlib import Path

from terminal.journal.reading import backup
from tests.chaos.drivers import Driver
from tests.chaos.reading import replayed
from tests.chaos.scene import Scene

ROUNDS = (
    ("code", "back"),
    ("ticket", "kept"),
    ("ticket", "back"),
    ("code", "gone"),
    ("code", "kept"),
    ("ticket", "gone"),
)
"""When the copy was taken: before the last car's ``ticket`` was read, or as its ``code`` was shown; and what is done
with the head beside the journal: put ``back`` as well, ``kept`` as it was, or ``gone``."""
BEHIND = {"back": "journal-behind", "gone": "journal-behind", "kept": "journal-damaged"}
"""How a person hears of it: only a head that was kept tells by itself."""
TOLD_S = 15.0
SERVED_S = 45.0
"""The next driver leaves so soon after the worker was started: PayBy has said by then how the orders in doubt ended."""
PARTS = "", "-wal", "-shm", ".head"


async def put_back(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """A person is told; nothing raises or goes back for what the copy does not know of; the next driver is served."""
    wrong: list[str] = []
    waits = scene.figures.setdefault("from the journal that was put back to the next car's boom, s", [])
    journal, copy = scene.folder / "journal.db", scene.folder / "copy.db"
    await scene.car()  # the copy knows of a lift: whatever the barrier names after it is news to it
    for moment, head in ROUNDS[:count]:
        if time.monotonic() > until:
            break
        tickets: list[str] = []
        if moment == "ticket":
            _copy(journal, copy)

        async def readied(driver: Driver, moment: str = moment, tickets: list[str] = tickets) -> None:
            tickets.append(driver.ticket)
            if moment == "code":
                _copy(journal, copy)

        car = await scene.car(readied=readied)
        if not car.out:
            wrong.append(f"{moment}, head {head}: the last car of before did not leave")
            continue
        mark, kerb = len(scene.ears.alerts), scene.kerbs[0]
        pulses = len(kerb.pulses)
        await scene.stop("worker")
        scene.granted |= replayed(scene.journal).granted
        _replace(journal, copy, head)
        scene.start("worker")
        began = time.time_ns() // 1_000_000
        if not await scene.told(BEHIND[head], since=mark, limit_s=TOLD_S * slack):
            codes = sorted({alert["code"] for alert in scene.ears.alerts[mark:]})
            wrong.append(f"{moment}, head {head}: no alert {BEHIND[head]} after the journal was put back, but {codes}")
        copied = await scene.car("copies", ticket=tickets[0])
        if copied.out or len(kerb.pulses) > pulses:
            wrong.append(f"{moment}, head {head}: the boom rose for a stay that had left before")
        served = await scene.car()
        if served.risen is None:
            wrong.append(f"{moment}, head {head}: the next car was not served")
            continue
        waits.append((served.risen - began) / 1000)
        scene.note(f"{moment}, head {head}: {waits[-1]:.1f} s")
        if waits[-1] > SERVED_S * slack:
            wrong.append(f"{moment}, head {head}: the next car left only {waits[-1]:.1f} s after the worker's start")
    if refunds := scene.garage.sandbox.refunds:
        wrong.append(f"after a journal was put back, {len(refunds)} refunds were asked by nobody")
    return wrong


def _copy(journal: Path, copy: Path) -> None:
    """The head first: the copy has all that it has noted, and perhaps more."""
    head = journal.with_name(journal.name + ".head").read_bytes()
    backup(journal, copy)
    copy.with_name(copy.name + ".head").write_bytes(head)


def _replace(journal: Path, copy: Path, head: str) -> None:
    for part in PARTS:
        if part != ".head" or head != "kept":
            journal.with_name(journal.name + part).unlink(missing_ok=True)
    journal.write_bytes(copy.read_bytes())
    if head == "back":
        journal.with_name(journal.name + ".head").write_bytes(copy.with_name(copy.name + ".head").read_bytes())
