"""Which stay a lift belongs to, since a barrier's answer names only the lift; and when a lift may be sent."""

from terminal.core.model import Grant, Stay
from terminal.core.rules import Garage
from terminal.core.rules.limits import LOOPS_MS, SKEW_ALERT_MS
from terminal.mqtt.endpoint import Endpoint


class LiftIndex:
    """The lifts of stays in memory."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._lifts_of: dict[str, set[str]] = {}
        self._lanes: dict[str, str] = {}

    def session_of(self, lift: str) -> str | None:
        """The stay of a lift."""
        return self._sessions.get(lift)

    def lane_of(self, lift: str) -> str | None:
        """The lane that a lift names."""
        return self._lanes.get(lift)

    def know(self, stay: Stay) -> None:
        """Know a stay by all its lifts: that one raised matters for ever."""
        lifts = {given.id for given in stay.given}
        for lift in self._lifts_of.get(stay.session, set()) - lifts:
            self._drop(lift)
        self._lanes |= {given.id: given.lane for given in stay.given}
        self._sessions |= dict.fromkeys(lifts, stay.session)
        self._lifts_of[stay.session] = lifts

    def forget(self, stay: Stay) -> None:
        """Forget a stay that has left memory."""
        for lift in self._lifts_of.pop(stay.session, ()):
            self._drop(lift)

    def _drop(self, lift: str) -> None:
        self._sessions.pop(lift, None)
        self._lanes.pop(lift, None)


class LiftWindow:
    """The worker's connection to the broker: while it is down, and until the loops could have spoken once it is back,
    nobody knows which car is at a lane."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._up_ms = endpoint.clock.steady_ms()
        endpoint.mqtt_client.on_change(self._changed)

    def _changed(self, connected: bool) -> None:
        if connected:
            self._up_ms = self._endpoint.clock.steady_ms()

    def carries(self, grant: Grant, garage: Garage) -> bool:
        """May a lift be sent now? One that names no car, because the loops fell silent, could let another car out. An
        overdue lift is sent only to be answered, and never while a barrier with a wrong clock may take it for valid."""
        lane = garage.lanes.get(grant.lane)
        if grant.overdue:
            return lane is not None and lane.boom is not None and abs(lane.skew) < SKEW_ALERT_MS
        if grant.car is not None or lane is None or lane.visit is None or lane.visit.loop == "unknown":
            return True
        return self._endpoint.mqtt_client.connected and self._endpoint.clock.steady_ms() - self._up_ms >= LOOPS_MS
