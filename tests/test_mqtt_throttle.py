"""What passes a throttle, and that nothing is forgotten of what does not."""

import random

from terminal.mqtt.throttle import Throttle


def test_a_burst_passes_and_then_one_in_a_time_that_says_how_many_there_were() -> None:
    throttle = Throttle(1_000, burst=3)
    assert [throttle.take(50) for _ in range(6)] == [1, 1, 1, 0, 0, 0]
    assert throttle.take(1_049) == 0
    assert throttle.take(1_050) == 5
    assert throttle.take(1_050) == 0


def test_what_was_not_used_is_kept_up_to_a_burst_and_no_further() -> None:
    throttle = Throttle(1_000, burst=3)
    assert [throttle.take(0) for _ in range(3)] == [1, 1, 1]
    assert [throttle.take(2_500) for _ in range(3)] == [1, 1, 0]
    assert throttle.take(3_000) == 2
    assert [throttle.take(1_000_000) for _ in range(4)] == [1, 1, 1, 0]


def test_of_any_flood_as_many_pass_as_the_time_gives_and_each_is_counted_once() -> None:
    chance = random.Random(5)
    for _ in range(100):
        every_ms, burst = chance.randint(1, 500), chance.randint(1, 9)
        throttle, now, counts = Throttle(every_ms, burst=burst), 0, []
        for _ in range(2_000):
            counts.append(throttle.take(now))
            now += chance.randrange(every_ms)
        passed = sum(1 for count in counts if count)
        assert burst <= passed <= burst + now // every_ms
        while not counts[-1]:
            now += 1
            counts.append(throttle.take(now))
        assert sum(counts) == len(counts)
