"""What waits to be said, and what is under way."""

from itertools import count

from terminal import packets
from terminal.outgoing import BACKLOG, WINDOW, Outgoing


def new() -> tuple[Outgoing, list[bytes]]:
    mids = count(1)
    return Outgoing(lambda: next(mids)), []


def publish(payload: bytes, mid: int, *, topic: str = "t", dup: bool = False) -> bytes:
    return packets.publish(topic, payload, mid, retain=False, dup=dup)


def test_a_window_goes_out_and_the_rest_follows_the_pubacks() -> None:
    outgoing, sent = new()
    for n in range(WINDOW + 2):
        outgoing.add("t", b"%d" % n, retain=False, latest_only=False)
    outgoing.pump(sent.append)
    assert sent == [publish(b"%d" % n, n + 1) for n in range(WINDOW)]
    outgoing.acknowledge(3)
    outgoing.acknowledge(3)
    outgoing.acknowledge(999)
    outgoing.pump(sent.append)
    assert sent[WINDOW:] == [publish(b"%d" % WINDOW, WINDOW + 1)]


def test_it_is_empty_when_everything_is_acknowledged() -> None:
    outgoing, sent = new()
    assert not outgoing
    outgoing.add("t", b"x", retain=False, latest_only=False)
    assert outgoing
    outgoing.pump(sent.append)
    assert outgoing
    assert 1 in outgoing
    outgoing.acknowledge(1)
    assert not outgoing
    assert 1 not in outgoing


def test_what_had_no_puback_goes_out_again_first_under_its_id() -> None:
    outgoing, sent = new()
    for payload in (b"a", b"b"):
        outgoing.add("t", payload, retain=False, latest_only=False)
        outgoing.pump(sent.append)
    outgoing.acknowledge(1)
    outgoing.add("t", b"c", retain=False, latest_only=False)
    sent.clear()
    outgoing.resume(sent.append)
    outgoing.pump(sent.append)
    assert sent == [publish(b"b", 2, dup=True), publish(b"c", 3)]


def test_a_repeat_waits_once_and_a_state_is_replaced_by_its_newest() -> None:
    outgoing, sent = new()
    for payload in (b"ask", b"ask", b"other", b"ask"):
        outgoing.add("t", payload, retain=False, latest_only=False)
    for payload in (b"old", b"new"):
        outgoing.add("state", payload, retain=False, latest_only=True)
    outgoing.pump(sent.append)
    assert sent == [publish(b"ask", 1), publish(b"other", 2), publish(b"new", 3, topic="state")]


def test_the_oldest_goes_when_too_much_waits() -> None:
    outgoing, sent = new()
    for n in range(BACKLOG + 2):
        outgoing.add("t", b"%d" % n, retain=False, latest_only=False)
    outgoing.pump(sent.append)
    assert (outgoing.dropped, sent[0]) == (2, publish(b"2", 1))
