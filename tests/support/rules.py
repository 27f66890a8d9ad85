"""What the tests of several rules tell and ask."""

from dataclasses import replace

from terminal.core import events as e
from tests.support.story import Story, an_id


def unheard(story: Story, session: str = "a") -> None:
    story.tell(e.OrderUnheard(story.at, story.order(session).no, "placeOrder", "time-out"))


def commands(story: Story, command: str, *, lane: str = "exit-1", id: str = "", **more: object) -> str:
    event = e.CommandGiven(story.at, lane, id or an_id("command", story.at), command, "omar", story.at + 30_000)  # type: ignore[arg-type]
    return story.reply(story.tell(replace(event, **more)))


def refunding(story: Story) -> None:
    story.pays()
    story.raises()
    story.drives_through()
    assert commands(story, "refund", order_no=story.order().no, reason="complaint") == "done"


def refund_said(story: Story, stage: str) -> None:
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, refund.order_no, stage))  # type: ignore[arg-type]


GRACE_S = 20 * 60


def sent(story: Story) -> str:
    """What became of the money when the exit grace has ended."""
    story.wait(GRACE_S)
    return story.payment().holder


def alerts_of(story: Story) -> set[str]:
    return set(story.alerts())


def second_car_pays(story: Story) -> None:
    """Car 1 stands under the boom that rose for it; car 2 on the first loop reads, pays, and is answered `busy`."""
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    story.under()
    story.under(waiting=False)
    story.wait(3)
    story.cars["exit-1"] = an_id("car", "second")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, story.cars["exit-1"]))
    story.reads("a")
    story.payby("CREATED")
    story.wait(8)
    story.payby("PAID")
    story.answers("refused", "busy")
