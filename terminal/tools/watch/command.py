"""``exit-terminal watch``: the messages of a garage, or of several, in the terminal, one readable line each.

It hears as a watcher, who can say nothing, and never looks alive when it is not: a cut, and a silence, are lines of
their own, and stand in the header with their age.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from terminal import build
from terminal.clock import Clock, SystemClock
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.contract.messages import stamp
from terminal.contract.topics import SILENT_MS, TopicError, check_garage
from terminal.journal.rows import JournalError
from terminal.monitor.garage import GarageMonitor
from terminal.mqtt.client import MqttClient
from terminal.mqtt.subscription import Subscription
from terminal.tools.watch import history, user
from terminal.tools.watch.header import BrokerConnection, age, header, in_short, overview, summary
from terminal.tools.watch.line import Line, Tone, json_of, line_of
from terminal.tools.watch.output import Output
from terminal.tools.watch.wish import WatchWish

TICK_S = 0.5
"""How often the header is drawn anew, and a silence looked for."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """``since``: from when on the journal is read before; ``replay``: it alone. ``as_json``: for pipes. ``garages``: of
    a broker that serves several; none: the configuration's."""

    wish: WatchWish = field(default_factory=WatchWish)
    as_json: bool = False
    since: str | None = None
    replay: bool = False
    url: str | None = None
    user: str | None = None
    password_file: Path | None = None
    garages: Sequence[str] = ()


async def run(settings: Settings, options: WatchOptions, output: Output, clock: Clock | None = None) -> int:
    """Show what is asked for until cancelled; with ``replay`` until the journal's end. Raises ConfigError and
    MqttError."""
    clock = clock or SystemClock()
    garage = settings.need(sections.GarageSettings)
    zone = ZoneInfo(garage.timezone)
    if options.since is not None or options.replay:
        await asyncio.to_thread(_show_history, settings, options, output, zone, clock.wall_ms())
    if options.replay:
        return 0
    try:
        names = [check_garage(name) for name in dict.fromkeys(options.garages)] or [garage.id]
    except TopicError as error:
        raise ConfigError(f"watch --garage: {error}") from None
    mqtt = user.watcher(settings, options.user, options.password_file, options.url)
    async with user.connection(mqtt) as client:
        await _Watcher(client, [GarageMonitor(name, clock) for name in names], options, output, clock).run()
    return 0


def _show_history(settings: Settings, options: WatchOptions, output: Output, zone: ZoneInfo, now_ms: int) -> None:
    since = 0 if options.since is None else history.since_ms(options.since, zone, now_ms)
    if settings.journal is None:
        raise ConfigError("watch --since: journal.path is missing; the journal is where the worker runs")
    journal = build.worker_history(settings)
    try:
        for line, event in history.replay(journal, since, options.wish):
            if options.as_json:
                output.write_json(json.dumps({"at": stamp(line.at_ms), "lane": line.lane, "kind": line.kind,
                    "words": line.words, **({"help_code": line.code} if line.code else {}), **event},
                    ensure_ascii=False))  # fmt: skip
            else:
                output.write(line)
    except FileNotFoundError:
        raise ConfigError(f"journal.path: {journal.name} is not there; no worker has run here yet") from None
    except JournalError as error:
        output.note(Line(now_ms, "garage", "watch", f"the journal ends here: {error.reason}", "bad"))


class _Watcher:
    """Hears garages, and shows them."""

    def __init__(
        self,
        client: MqttClient,
        monitors: Sequence[GarageMonitor],
        options: WatchOptions,
        output: Output,
        clock: Clock,
    ) -> None:
        self._client, self._output, self._clock = client, output, clock
        self._monitors = {monitor.garage: monitor for monitor in monitors}
        self._wish, self._as_json = options.wish, options.as_json
        self._lost_ms: int | None = None if client.connected else clock.steady_ms()
        self._was_connected = client.connected
        self._silent: set[str] = set()
        """Garages of whose silence it was told."""
        self._summaries: dict[str, str] = {}
        self._dropped = 0

    async def run(self) -> None:
        """Until cancelled; raises what ends the connection for good."""
        undo = self._client.on_change(self._connection)
        if not self._client.connected:
            self._tell(f"no connection to the broker, trying again: {in_short(self._client.trouble)}", "bad")
        subscription = self._client.subscribe(fleeting=[f"parking/{garage}/#" for garage in self._monitors])
        try:
            with self._output.opened():
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._hear(subscription), name="watch hears")
                    tasks.create_task(self._tick(subscription), name="watch header")
        finally:
            undo()
            subscription.close()

    async def _hear(self, subscription: Subscription) -> None:
        async for delivery in subscription:
            delivery.ack()
            monitor = self._monitors[delivery.topic.split("/", 2)[1]]
            seen = monitor.take(delivery.topic, delivery.payload, retained=delivery.retained)
            if seen is None:
                continue
            kept_of_role = seen.retained and seen.kind in ("health", "alerts") and not self._wish.kinds
            if kept_of_role and not self._as_json:
                continue  # the header has it
            if not self._wish.wants(
                lane=seen.lane,
                kind=seen.kind,
                session=seen.session,
                order_no=seen.order_no,
                code=seen.help_code,
                is_news=seen.is_news,
            ):
                continue
            if self._as_json:
                self._output.write_json(json_of(seen))
            else:
                line = line_of(seen)
                self._output.write(replace(line, lane=f"{monitor.garage}/{line.lane}") if self._is_several else line)

    @property
    def _is_several(self) -> bool:
        return len(self._monitors) > 1

    async def _tick(self, subscription: Subscription) -> None:
        """The header, and what no message tells."""
        while True:
            for monitor in self._monitors.values():
                self._look_for_silence(monitor)
            if (missed := subscription.dropped - self._dropped) > 0:
                self._dropped = subscription.dropped
                self._tell(f"{missed} messages were not shown: they came faster than they could be", "warn")
            self._show_header()
            await asyncio.sleep(TICK_S)

    def _show_header(self) -> None:
        connection, monitors = BrokerConnection(self._lost_ms, self._client.trouble), list(self._monitors.values())
        if self._is_several:
            self._output.show_header(overview(monitors, self._clock, connection))
        else:
            self._output.show_header(header(monitors[0], self._clock, connection))
        if self._lost_ms is None and not self._as_json:
            for monitor in monitors:
                self._tell_summary(monitor)

    def _tell_summary(self, monitor: GarageMonitor) -> None:
        now = summary(monitor)
        if now == self._summaries.get(monitor.garage, ""):
            return
        if not self._output.has_header and monitor.roles() and monitor.garage not in self._silent:
            self._tell(now, "plain")
        self._summaries[monitor.garage] = now

    def _look_for_silence(self, monitor: GarageMonitor) -> None:
        silent, garage = monitor.silent_ms(), monitor.garage
        if self._lost_ms is not None or silent is None:
            return
        whose = f"{garage}: " if self._is_several else ""
        if silent > SILENT_MS and garage not in self._silent:
            self._silent.add(garage)
            self._tell(f"{whose}nothing was heard for {age(silent)}: what stands here may be no more", "bad")
        elif silent <= SILENT_MS and garage in self._silent:
            self._silent.remove(garage)
            self._tell(f"{whose}the garage is heard again", "good")

    def _connection(self, connected: bool) -> None:
        now = self._clock.steady_ms()
        if not connected:
            self._lost_ms = now
            self._tell(f"cut off from the broker, trying again: {in_short(self._client.trouble)}", "bad")
            return
        if self._lost_ms is not None:
            for_ = age(now - self._lost_ms)
            again = "connected again" if self._was_connected else "connected"
            self._tell(f"{again} after {for_}; what was said meanwhile was not heard", "good")
        self._lost_ms, self._was_connected = None, True

    def _tell(self, words: str, tone: Tone) -> None:
        line = Line(self._clock.wall_ms(), "", "watch", words, tone)
        if self._as_json:
            self._output.write_json(json.dumps({"at": stamp(line.at_ms), "watch": words}))
        else:
            self._output.note(line)
