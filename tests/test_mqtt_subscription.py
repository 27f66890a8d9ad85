"""Who gets a message, and when it may be acknowledged."""

import pytest

from terminal.mqtt.subscription import LIMIT, Arrival, FilterError, Subscription, check_filter, check_topic, matches


@pytest.mark.parametrize(
    ("text", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("a/+/c", "a//c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("#", "a/b", True),
        ("+/b", "a/b", True),
        ("#", "$SYS/load", False),
        ("+/load", "$SYS/load", False),
        ("$SYS/#", "$SYS/load", True),
    ],
)
def test_a_filter_takes_in_what_the_standard_says(text: str, topic: str, expected: bool) -> None:
    assert matches(text, topic) is expected


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0", "a" * 65536])
def test_a_topic_with_a_wildcard_is_refused(topic: str) -> None:
    with pytest.raises(FilterError):
        check_topic(topic)


@pytest.mark.parametrize("text", ["", "a+/b", "a/#/b", "a#", "a\0", "a" * 65536])
def test_a_filter_whose_wildcard_does_not_fill_its_level_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        check_filter(text)


def new(closed: list[Subscription] | None = None) -> Subscription:
    return Subscription({"#": 1}, (closed if closed is not None else []).append)


async def test_a_message_of_two_subscriptions_is_acknowledged_when_both_are_done_with_it() -> None:
    acked: list[str] = []
    one, two = new(), new()
    arrival = Arrival("t", b"", False, lambda: acked.append("t"))
    one.offer(arrival)
    two.offer(arrival)
    first, second = await anext(one), await anext(two)
    first.ack()
    first.ack()
    assert acked == []
    second.ack()
    second.ack()
    assert acked == ["t"]


async def test_a_subscription_that_is_too_far_behind_takes_no_more() -> None:
    acked: list[int] = []
    subscription = new()
    taken = [subscription.offer(Arrival("t", b"", False, lambda: acked.append(1))) for _ in range(LIMIT + 2)]
    assert taken == [True] * LIMIT + [False] * 2
    assert (subscription.dropped, acked) == (2, [])


async def test_an_error_comes_after_what_already_waits() -> None:
    subscription = new()
    subscription.offer(Arrival("t", b"1", False, lambda: None))
    subscription.fail(KeyError("gone"))
    assert (await anext(subscription)).payload == b"1"
    with pytest.raises(KeyError):
        await anext(subscription)
    with pytest.raises(KeyError):
        await subscription.granted()


async def test_closing_ends_the_iteration_and_says_so_once() -> None:
    closed: list[Subscription] = []
    with new(closed) as subscription:
        subscription.offer(Arrival("t", b"1", False, lambda: None))
        subscription.close()
    assert [delivery async for delivery in subscription] == []
    assert closed == [subscription]
