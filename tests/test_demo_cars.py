"""Cars without the page: all leave, each step is timed, and one that does not leave ends the run with its reason."""

import asyncio

from terminal.demo.cars import DUE, FREE, CarLeft, Summary, quantile, run_cars
from terminal.demo.lane import DemoLane
from tests.browser.fake_terminal import FakeTerminal


async def run(fake: FakeTerminal, count: int, limit_s: float = 5) -> tuple[Summary, list[str]]:
    lane = DemoLane(fake.parts(), pace=0)
    following = asyncio.create_task(lane.run())
    fake.boot()
    said: list[str] = []
    try:
        return await run_cars(lane, count, say=said.append, limit_s=limit_s), said
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_every_car_leaves_and_each_has_a_line_with_the_times_of_all_its_steps() -> None:
    summary, said = await run(FakeTerminal(), 5)
    assert summary.ok
    assert [car.amount for car in summary.left] == ["20.00"] * 4 + ["0.00"]
    for car, line in zip(summary.left, said, strict=False):
        names = [name for _, _, name in (FREE if car.amount == "0.00" else DUE)]
        assert list(car.steps_ms) == names
        assert all(f"{name} " in line for name in names)
    assert said[5] == "5 of 5 cars left"
    assert [line.split("  ")[0] for line in said[7:]][:2] == ["ticket → fee", "fee → order"]


async def test_a_frame_that_comes_before_the_message_about_its_order_still_counts() -> None:
    fake = FakeTerminal()
    fake.frame_first = True
    summary, _ = await run(fake, 1)
    assert summary.ok
    assert summary.left[0].steps_ms["order → QR on glass"] < 0


async def test_a_car_that_waits_too_long_ends_the_run_with_a_line_that_says_for_what() -> None:
    fake = FakeTerminal()
    fake.mute.add("lift")
    summary, said = await run(fake, 3, limit_s=0.2)
    assert not summary.ok
    assert said[0] == "car 1 did not leave: waited 0.2 s until the worker signed a lift"
    assert said[1] == "0 of 3 cars left"


async def test_a_refused_ticket_ends_the_run_with_the_readers_reason() -> None:
    fake = FakeTerminal()
    fake.refuse_all = True
    summary, said = await run(fake, 2)
    assert not summary.ok
    assert said[0] == "car 1 did not leave: the reader refused the ticket: ticket-foreign"


def test_quantiles_are_by_nearest_rank() -> None:
    found = [float(n) for n in range(1, 201)]
    assert (quantile(found, 0.5), quantile(found, 0.99), quantile([7.0], 0.99)) == (100.0, 198.0, 7.0)


def test_a_run_is_not_ok_when_fewer_cars_left_than_came() -> None:
    assert not Summary(2, [CarLeft(1, "20.00", {})], []).ok
    assert Summary(0, [], []).ok
