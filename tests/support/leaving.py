"""A driver's way out through a garage of real processes."""

from tests.support.garage import Garage


async def leaves(garage: Garage, mark: int) -> None:
    """The boom rises once for the visit since ``mark``, by the one lift that was published; while a barrier that has
    just started does not know where its arm is, it may have been busy."""
    raised = await garage.heard.until("barrier", since=mark, state=lambda s: s in ("rising", "up"), reason="paid")
    lifts = {m["id"] for topic, m in garage.heard.all[mark:] if topic == "lift"}
    assert lifts == {raised["lift"]}
    await garage.heard.until("barrier", since=mark, state="down", lift=raised["lift"])
    answers = [m["answer"] for t, m in garage.heard.all[mark:] if t == "barrier" and "answer" in m]
    assert {(a["outcome"], a.get("why")) for a in answers} <= {("raised", None), ("refused", "busy")}
