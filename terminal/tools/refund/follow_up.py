"""One command for a refund, repeated until the worker has it, and what PayBy makes of it.

The refund's number follows from the command's id, so no repetition can become a second refund.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from terminal.config.schema import Settings
from terminal.contract.messages import Command, Health, Receipt, Refund
from terminal.core import ids
from terminal.journal import rows
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.tools.refund.lookup import ILL, WELL, look_up
from terminal.tools.refund.worker_signs import WorkerSigns


@dataclass(frozen=True, slots=True)
class FollowUpLimits:
    """Seconds. A worker must show itself within ``presence_s``. The command is sent again until ``answer_s``, when its
    own time runs out; its refund is followed for ``end_s`` from when the worker took it. A command may live 60 s: the
    rest allows for clocks that disagree. ``kept_s``: how long what the broker kept may take to come."""

    answer_s: float = 45.0
    end_s: float = 120.0
    repeat_s: float = 2.0
    presence_s: float = 1.5
    kept_s: float = 0.5


LIMITS = FollowUpLimits()


class RefundFollowUp:
    """One command, from its first sending to its refund's end."""

    def __init__(
        self,
        settings: Settings,
        session: str,
        command: Command,
        endpoint: Endpoint,
        limits: FollowUpLimits,
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._settings, self._session, self._command, self._endpoint = settings, session, command, endpoint
        self._limits, self._say, self._complain = limits, say, complain
        self._no = ids.refund_no(command.id)
        self._stage = ""
        self._signs = WorkerSigns(endpoint.clock)
        self._nobody = ""
        """Why it is certain that no worker answers."""

    async def to_the_end(self, stream: MessageStream) -> int:
        """The exit status. Where it is known that no worker is there, nothing is sent: a broker would keep the command,
        and a worker that starts meanwhile would make a refund of which nobody is told."""
        sending: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._limits.answer_s) as limit:
                await stream.granted()
                sending = asyncio.create_task(self._ask(limit), name="refund command")
                async for heard in stream:
                    heard.ack()
                    match heard.message:
                        case Health():
                            self._signs.take(heard)
                            continue
                        case Receipt(command=asked, outcome=outcome, why=why) if asked == self._command.id:
                            if outcome != "done":
                                self._complain(f"refund: the worker refused: {why or outcome}{_hint(why)}")
                                return 1
                            stage = "asked"
                        case Refund(refund_no=no, status=status) if no == self._no:
                            stage = status
                        case _:
                            continue
                    if not self._stage:  # the worker took it: from now on it is PayBy's turn
                        sending.cancel()
                        limit.reschedule(asyncio.get_running_loop().time() + self._limits.end_s)
                    if (status_of_exit := self._heard(stage)) is not None:
                        return status_of_exit
        except TimeoutError:
            pass
        finally:
            if sending:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        return await self._without_an_end()

    async def _ask(self, limit: asyncio.Timeout) -> None:
        """Publish the same command again and again; another task takes the answers. If no worker shows itself, the
        time ends at once."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.presence_s
        await self._signs.told(self._limits.kept_s)
        if self._signs.absence:
            await self._signs.told(until - loop.time())
        if self._signs.absence:
            self._nobody = f"{self._signs.absence}; nothing was asked for"
            limit.reschedule(loop.time())
            return
        while True:
            await self._endpoint.publish(self._command)
            await asyncio.sleep(min(self._limits.repeat_s, self._limits.presence_s))
            if loop.time() >= until and self._signs.is_unknown:
                self._nobody = f"none was heard of; one that starts before {self._command.not_after} still does it"
                limit.reschedule(loop.time())
                return

    def _heard(self, stage: str) -> int | None:
        """Print a new stage; returns the exit status once it is the last."""
        if stage == self._stage or (self._stage and stage == "asked"):
            return None
        self._stage = stage
        if stage in ILL:
            self._complain(f"refund {self._no}: PayBy will not make this refund: a person must give the money back")
            return 1
        self._say(f"refund {self._no}: {stage}")
        return 0 if stage in WELL else None

    async def _without_an_end(self) -> int:
        """The time is over. If the worker's journal is on this machine, it may know more than the messages told."""
        with contextlib.suppress(rows.JournalError):
            stay = await asyncio.to_thread(look_up, self._settings, self._session)
            if stay and (refund := stay.refund(self._no)) and (ended := self._heard(refund.stage)) is not None:
                return ended
        if self._nobody:
            self._complain(
                f"refund: no worker is there: {self._nobody}. Start it (systemctl status exit-terminal), then ask again"
            )
        elif self._stage:
            self._complain(
                f"refund {self._no}: {self._stage}, not finished within {self._limits.end_s:g} s; the worker goes on"
                " with it, and reconcile shows what came of it"
            )
        else:
            trouble = self._endpoint.mqtt_client.trouble
            self._complain(
                f"refund: no answer from the worker within {self._limits.answer_s:g} s"
                f" ({trouble or 'is it running, and may this user send commands?'}); the command has expired"
            )
        return 1


def _hint(why: str | None) -> str:
    return " (do the clocks of both machines agree?)" if why in ("expired", "too-far") else ""
