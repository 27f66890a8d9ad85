"""One lane as a person at the desk sees it: a few texts, each with since when it holds, and what may be done.

All values are strings, so that a page can be drawn with them, and later be told which of them have changed.
"""

from terminal.contract.messages import moment
from terminal.monitor.heard import Heard
from terminal.monitor.lane import LaneMonitor
from terminal.roles.console.desk import Desk
from terminal.roles.console.texts import Words
from terminal.screen.view import View

Card = dict[str, str]
"""``…_at``: ms since the epoch; ``…_old``: not empty where the value is of old, and not of now."""
LANE_ROLES = ("reader", "lcd", "barrier", "loops")
_TONES = {"paid": "go", "free": "go", "pay": "pay", "wait": "wait", "idle": "idle"}
_MOVING = ("rising", "up", "lowering")


def view_of_lane(desk: Desk, lane: str) -> View:
    """What its glass shows, as far as the desk can know."""
    return desk.glasses.view(lane, away_ms=desk.away_ms(), silent_ms=desk.worker_silent_ms())


def lane_card(desk: Desk, lane: LaneMonitor, words: Words) -> Card:
    """Everything that a page shows of a lane."""
    cut = desk.is_cut_off()
    view = view_of_lane(desk, lane.name)
    barrier, vehicle = desk.barrier_of(lane), desk.vehicle_of(lane)
    lcd = desk.role("lcd", lane.name)
    card = {
        "tone": "unknown" if cut else _tone(view, barrier),
        **_screen(desk, lane, view, words, cut),
        "glass": f"{lane.name}/glass.png?v={desk.glasses.mark(view)}",
        "glass_old": "old" if cut or lcd is None or not lcd.is_there else "",
        **_boom(desk, lane, barrier, words, cut),
        **_car(desk, lane, vehicle, words, cut),
        **_order(lane, words),
        "code": lane.screen.text("help_code") if lane.screen else "",
        "session": desk.session_at(lane),
        "roles": _roles(desk, lane, words),
        "opened": words.opened(lane.opened) if lane.opened else "",
        "opened_at": str(lane.opened.at_ms) if lane.opened else "",
        "doing": _doing(desk, lane, words),
    }
    why_not = cannot_lift(desk, lane)
    return {**card, "cannot_lift": words(why_not) if why_not else "", "acts": _acts(lane, card)}


def cannot_lift(desk: Desk, lane: LaneMonitor) -> str:
    """Why the boom of this lane cannot be lifted from here now, as a row of the texts; empty if it can."""
    barrier, vehicle = desk.role("barrier", lane.name), desk.vehicle_of(lane)
    boom = desk.barrier_of(lane)
    if desk.is_cut_off():
        return "why.cut"
    if boom is None or (barrier is not None and not barrier.is_there):
        return "why.barrier"
    if boom.text("state") in _MOVING:
        return "why.moving"
    if vehicle is not None and vehicle.data.get("waiting") is not True:
        return "why.nobody"
    loops = desk.role("loops", lane.name)
    if vehicle is None and loops is not None and loops.is_there:
        return "why.loops"
    return ""


def is_closed(lane: LaneMonitor) -> bool:
    """Has an operator closed it?"""
    screen = lane.screen
    return screen is not None and (screen.text("state"), screen.text("reason")) == ("closed", "operator")


def _tone(view: View, barrier: Heard | None) -> str:
    if barrier and barrier.text("state") in ("rising", "up"):
        return "go"
    return _TONES.get(view.state, "stop")


def _screen(desk: Desk, lane: LaneMonitor, view: View, words: Words, cut: bool) -> Card:
    since = desk.since(lane.name, "screen")
    said = words.screen(view.state, view.reason)
    if view.state == "pay" and view.amount:
        said = words("screen.pay", amount=view.amount)
        if view.hint == "scanned":
            said = words("screen.scanned", amount=view.amount)
    expires = lane.screen.text("expires") if lane.screen and view.state == "pay" else ""
    return {
        "screen": said,
        "screen_state": view.state,
        "screen_at": str(since.at_ms) if since else "",
        "screen_old": "old" if cut else "",
        "expires": _moment(expires),
    }


def _boom(desk: Desk, lane: LaneMonitor, barrier: Heard | None, words: Words, cut: bool) -> Card:
    since = desk.since(lane.name, "barrier")
    state = lane.barrier.text("state") if lane.barrier else ""
    old = cut or barrier is None
    return {
        "boom": words.boom(state) if state else words("unknown"),
        "boom_state": "unknown" if old else state,
        "boom_at": str(since.at_ms) if since else "",
        "boom_old": "old" if old and state else "",
    }


def _car(desk: Desk, lane: LaneMonitor, vehicle: Heard | None, words: Words, cut: bool) -> Card:
    since = desk.since(lane.name, "vehicle")
    if lane.vehicle is None:
        return {"car": words("car.none"), "car_at": "", "car_old": "", "car_state": "unknown"}
    waiting, under = lane.vehicle.data.get("waiting") is True, lane.vehicle.data.get("under_boom") is True
    said = words("car.under" if under else "car.waiting" if waiting else "car.nobody")
    old = cut or vehicle is None
    state = "unknown" if old else "under" if under else "waiting" if waiting else "nobody"
    at = str(since.at_ms) if since else ""
    return {"car": said, "car_at": at, "car_old": "old" if old else "", "car_state": state}


def _order(lane: LaneMonitor, words: Words) -> Card:
    order = lane.order
    status = order.text("status") if order else ""
    if order is None or status in ("", "none"):
        return {"order": "", "order_no": "", "order_at": "", "order_status": ""}
    said = words.order(status, order.text("amount"))
    return {
        "order": said, "order_no": order.text("order_no"), "order_at": str(order.said_ms), "order_status": status,
    }  # fmt: skip


def _roles(desk: Desk, lane: LaneMonitor, words: Words) -> str:
    """The roles of a lane that are not well."""
    ill = [one for one in desk.roles() if one.lane == lane.name and one.state != "online"]
    return words.list(f"{one.role}: {words.health(one.state)}" for one in ill[:6])


def _doing(desk: Desk, lane: LaneMonitor, words: Words) -> str:
    """What an operator is doing to the lane just now."""
    action = desk.book.actions.get(desk.book.newest(lane.name))
    if action is None or action.is_over:
        return ""
    return words("doing", user=action.record.user, action=words.action(action.record.action))


def _acts(lane: LaneMonitor, card: Card) -> str:
    """What may be asked for at this lane as it is, whether or not it can be done just now."""
    acts = ["lift"]
    if not is_closed(lane) and not card["session"] and card["car_state"] != "nobody":
        acts += ["lost-ticket", "damaged-ticket"]
    if card["order_status"] in ("placing", "created"):
        acts.append("cancel")
    if card["session"]:
        acts.append("reset")
    return " ".join([*acts, "open-lane" if is_closed(lane) else "close-lane"])


def _moment(text: str) -> str:
    try:
        return str(moment(text)) if text else ""
    except (ValueError, OverflowError):
        return ""
