"""MQTT as bytes: what goes out is what the standard's tables say, what comes in may come in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import mqtt_packets as packets
from tests.support.mqtt_packets import Connack, Other, Parser, ProtocolError, Puback, Publish, Suback

ALL = {
    b"\x20\x02\x01\x00": Connack(0, True),
    b"\x20\x02\x00\x05": Connack(5, False),
    b"\x40\x02\x12\x34": Puback(0x1234),
    b"\x90\x04\x00\x07\x01\x80": Suback(7, b"\x01\x80"),
    b"\xb0\x02\x00\x07": Other(),
    b"\xd0\x00": Other(),
    b"\x30\x05\x00\x03a/bhello"[:7]: Publish(b"a/b", b"", 0, False, 0),
    b"\x33\x08\x00\x01t\x00\x09xyz"[:10]: Publish(b"t", b"xyz", 1, True, 9),
    b"\x32\x85\x01\x00\x01t\x00\x01" + b"p" * 128: Publish(b"t", b"p" * 128, 1, False, 1),
}


def test_a_connect_bears_user_will_and_session() -> None:
    hello = packets.connect("me", "u", "pw", 5, clean=False, will=("w", b"bye", True))
    assert hello == b"\x10\x1d\0\x04MQTT\x04\xec\0\x05\0\x02me\0\x01w\0\x03bye\0\x01u\0\x02pw"


def test_a_connect_without_user_and_will_bears_none() -> None:
    assert packets.connect("", "", "", 5, clean=True) == b"\x10\x0c\0\x04MQTT\x04\x02\0\x05\0\0"


def test_a_publish_bears_its_flags_and_its_id() -> None:
    assert packets.publish("t", b"xyz", 9, retain=True, dup=False) == b"\x33\x08\0\x01t\0\x09xyz"
    assert packets.publish("t", b"xyz", 9, retain=False, dup=True) == b"\x3a\x08\0\x01t\0\x09xyz"
    assert packets.publish("t", b"p" * 128, 1, retain=False, dup=False)[:3] == b"\x32\x85\x01"


def test_filters_are_asked_for_with_their_qos_and_given_up() -> None:
    assert packets.subscribe({"a/+": 1, "b": 0}, 7) == b"\x82\x0c\0\x07\0\x03a/+\x01\0\x01b\x00"
    assert packets.unsubscribe(["b"], 8) == b"\xa2\x05\0\x08\0\x01b"
    assert packets.puback(0x1234) == b"\x40\x02\x12\x34"


@pytest.mark.parametrize(("data", "packet"), ALL.items())
def test_each_packet_is_understood(data: bytes, packet: packets.Packet) -> None:
    assert Parser().feed(data) == [packet]


@given(st.lists(st.sampled_from(list(ALL)), max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_packets_may_come_in_any_pieces(sent: list[bytes], sizes: list[int]) -> None:
    data, parser, got = b"".join(sent), Parser(), []
    while data:
        for size in sizes:
            got += parser.feed(data[:size])
            data = data[size:]
    assert got == [ALL[piece] for piece in sent]


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\x00",  # CONNECT
        b"\x00\x00",
        b"\xf0\x00",
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2
        b"\x36\x05\x00\x01t\x00\x01",  # QoS 3
        b"\x32\x05\x00\x01t\x00\x00",  # message id 0
        b"\x32\x04\x00\x01t\x00",  # no room for the id
        b"\x30\x02\x00\x05",  # a topic longer than the packet
        b"\x30\x01\x00",
        b"\x20\x01\x00",
        b"\x40\x03\x00\x01\x00",
        b"\x90\x02\x00\x01",  # SUBACK without a code
        b"\xd0\x01\x00",
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x30\xff\xff\xff\x7f",  # 256 MiB
    ],
)
def test_what_a_broker_must_not_send_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Parser().feed(data)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    parser = Parser()
    try:
        for at in range(len(data)):
            parser.feed(data[at : at + 1])
    except ProtocolError:
        pass
