"""Signals, and a terminal that goes away or takes nothing more: what a shell, a closed ssh session or systemd can do to
a program that holds a relay. Real processes; the pins are mock, and each level of an output is written down."""

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from terminal.app.signals import ENDING, STOPPING
from terminal.screen import qr
from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.garage import ALL_ROLES, LIMIT_S, ROOT, Garage, Process
from tests.support.leash import LEASH

LONG_PULSE = {"EXIT_TERMINAL_BARRIER_PULSE": "5"}
RELEASED_S = 4.0


class Pinned(Garage):
    """Commands whose outputs are written down."""

    @property
    def pins(self) -> Path:
        return self.folder / "pins.log"

    def words(self, command: str) -> list[str]:
        return ["-W", "error", "-m", "tests.support.pinned", str(self.pins), command, "--config", str(self.file)]

    def levels(self) -> list[str]:
        """Of the relay."""
        return [line.split()[1] for line in self.pins.read_text().splitlines()] if self.pins.exists() else []

    def code(self) -> str | None:
        """What a phone reads off the glass."""
        latest = self.folder / "glass" / "latest.png"
        if not latest.exists():
            return None
        with Image.open(latest) as glass:
            return qr.decode(glass.convert("RGB"))

    async def pulsing(self) -> int:
        """A free ticket is read, and the relay closes; returns a mark for what is heard from now on."""
        mark = self.scan(self.ticket(minutes=5))
        await eventually(lambda: self.levels()[-1:] == ["1"], limit_s=LIMIT_S)
        return mark

    async def released(self) -> None:
        """Until the relay is open again, long before its pulse would have ended by itself."""
        await eventually(lambda: self.levels()[-1:] == ["0"], limit_s=RELEASED_S)


@contextlib.asynccontextmanager
async def lane(folder: Path, broker: Mosquitto) -> AsyncIterator[Pinned]:
    async with Pinned(folder, broker.url) as garage:
        yield garage


@pytest.mark.fault("pins-signals-clones", "relay-quiet")
@pytest.mark.parametrize("signals", ["HUP", "QUIT", "TERM INT HUP QUIT TERM"])
async def test_a_signal_in_a_pulse_opens_the_relay_and_ends_the_lane_in_order(
    tmp_path: Path, mosquitto: Mosquitto, signals: str
) -> None:
    async with lane(tmp_path, mosquitto) as garage:
        await garage.start("run", env=LONG_PULSE)
        mark = await garage.pulsing()
        process = garage.running["run"]
        for name in signals.split():
            with contextlib.suppress(ProcessLookupError):  # it may be through before the last of them
                process._process.send_signal(signal.Signals[f"SIG{name}"])
            await asyncio.sleep(0.02)  # one that is pending already would be the same one
        await garage.released()
        assert await process.ends() == 0, process.said()
        assert garage.levels() == ["1", "0"]
        for role in ("run", *ALL_ROLES):
            await garage.heard.until(f"health/{role}", since=mark, state="offline", reason="stopped")
        assert "Traceback" not in process.said()


@pytest.mark.fault("pins-signals-clones")
@pytest.mark.parametrize("name", ["HUP", "QUIT"])
async def test_a_signal_at_the_code_takes_it_off_the_glass(tmp_path: Path, mosquitto: Mosquitto, name: str) -> None:
    async with lane(tmp_path, mosquitto) as garage:
        await garage.start("run")
        mark = garage.scan(garage.ticket())
        order = await garage.order(since=mark)
        await eventually(lambda: garage.code() == order["token_url"], limit_s=LIMIT_S, every_s=0.05)
        await garage.running["run"].kill(signal.Signals[f"SIG{name}"])
        assert garage.code() is None
        assert garage.levels() == []
        await garage.heard.until("health/lcd", since=mark, state="offline")


@pytest.mark.fault("pins-signals-clones")
async def test_every_role_alone_ends_in_order_as_its_terminal_closes(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with lane(tmp_path, mosquitto) as garage:
        for role in ALL_ROLES:
            await garage.start(role, env=LONG_PULSE)
        mark = await garage.pulsing()
        for role in ALL_ROLES:
            garage.running[role]._process.send_signal(signal.SIGHUP)
        await garage.released()
        assert [await garage.running[role].ends() for role in ALL_ROLES] == [0] * len(ALL_ROLES)
        assert garage.levels() == ["1", "0"]
        for role in ALL_ROLES:
            await garage.heard.until(f"health/{role}", since=mark, state="offline", reason="stopped")


@pytest.mark.fault("pins-signals-clones")
async def test_ctrl_z_and_the_like_stop_no_lane(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with lane(tmp_path, mosquitto) as garage:
        await garage.start("run", env={"EXIT_TERMINAL_BARRIER_PULSE": "0.5"})
        await garage.pulsing()
        process = garage.running["run"]
        for number in STOPPING:
            process._process.send_signal(number)
        await garage.heard.until("barrier", state="down", lift=lambda lift: lift is not None)
        assert garage.levels() == ["1", "0"]
        assert "does not suspend a lane; Ctrl-C ends it" in process.said()


@pytest.mark.fault("pins-signals-clones")
@pytest.mark.parametrize("how", ["closed", "stalled"])
async def test_a_terminal_that_is_gone_or_takes_nothing_stops_no_lane(
    tmp_path: Path, mosquitto: Mosquitto, how: str
) -> None:
    """As `exit-terminal run &` and the end of its ssh session; and as Ctrl-S."""
    async with lane(tmp_path, mosquitto) as garage:
        master, slave = pty.openpty()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, slave)
            words = [*LEASH, sys.executable, *garage.words("run")]
            process = await asyncio.create_subprocess_exec(
                *words, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True
            )
            garage.running["run"] = Process(process, tmp_path / "none")
            for role in ALL_ROLES:
                await garage.online(role)
            if how == "closed":
                os.close(master)
            else:
                stack.callback(os.close, master)
                termios.tcflow(slave, termios.TCOOFF)
            mark = len(garage.heard.all)
            for _ in range(3):
                await garage.bus.publish("parking/marina/exit-1/vehicle", b"nonsense")
            await garage.heard.until("alert", since=mark, code="bad-message")  # which is a log line as well
            mark = garage.scan(garage.ticket())
            order = await garage.order(since=mark)
            await garage.sandbox.pay(order["token_url"])
            await garage.heard.until("barrier", since=mark, state="up", reason="paid")
            assert await garage.running["run"].kill(signal.SIGTERM) == 0
            assert garage.levels() == ["1", "0"]


@pytest.mark.fault("pins-signals-clones")
def test_whatever_would_end_a_process_opens_its_relay_first() -> None:
    """One forked child for each signal, in mid-pulse; a second signal comes as it ends."""
    program = textwrap.dedent("""
        import asyncio, os, signal, sys
        from gpiozero.pins.mock import MockFactory
        from drivers.relay import RelayBarrier
        from drivers.simulated import RelayPin
        from terminal.app.signals import until_stopped

        def child(number):
            pins, said, me = MockFactory(), os.fdopen(1, "w"), os.getpid()
            pin = pins.pin(17, pin_class=RelayPin)
            def changed(on):
                os.write(1, f"{number} {int(on)}\\n".encode())
                os.kill(me, number)
            pin.watchers.append(changed)
            async def hold():
                async with RelayBarrier(17, pin_factory=pins, pulse_s=30) as barrier:
                    await barrier.pulse()
            os._exit(until_stopped(hold))

        for number in map(int, sys.argv[1:]):
            if not (pid := os.fork()):
                child(number)
            print(number, "ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """)
    numbers = [str(int(number)) for number in sorted(ENDING)]
    done = subprocess.run([sys.executable, "-c", program, *numbers], capture_output=True, text=True, timeout=60)
    expected = [f"{number} {what}" for number in numbers for what in ("1", "0", "ended 0")]
    assert done.stdout.splitlines() == expected, done.stderr


def test_a_signal_that_comes_as_python_clears_up_changes_nothing() -> None:
    program = textwrap.dedent("""
        import asyncio, atexit, os, signal, sys
        from terminal.app.signals import until_stopped

        async def work():
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(30)

        for number in map(int, sys.argv[1:]):
            atexit.register(os.kill, os.getpid(), number)
        raise SystemExit(until_stopped(work))
    """)
    numbers = [str(int(number)) for number in sorted(ENDING)]
    assert subprocess.run([sys.executable, "-c", program, *numbers], timeout=60, check=False).returncode == 0


def test_a_program_under_nohup_outlives_its_terminal() -> None:
    program = textwrap.dedent("""
        import asyncio, os, signal
        from terminal.app.signals import until_stopped

        async def work():
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.1)
            return 7

        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        raise SystemExit(until_stopped(work))
    """)
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 7


@pytest.mark.fault("pins-signals-clones")
async def test_the_demo_ends_in_order_as_its_terminal_closes() -> None:
    words = [*LEASH, sys.executable, "-W", "error", "-m", "terminal", "demo", "--port", "0"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe, cwd=ROOT)
    assert process.stdout
    async with asyncio.timeout(LIMIT_S):
        assert b"The lane is at" in await process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"Traceback" not in err
