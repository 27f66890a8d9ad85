"""A noun with a few fields changed is what dataclasses makes of it."""

import dataclasses
from typing import get_type_hints

import msgspec
import pytest

from terminal.core import model
from terminal.core.model import Stay, VisitOrder
from terminal.core.value import replace

NOUNS = [kind for kind in vars(model).values() if dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_every_noun_can_be_made_anew_without_its_init(kind: type) -> None:
    assert not hasattr(kind, "__post_init__")
    noun = kind(*(object() for _ in dataclasses.fields(kind)))
    for field in dataclasses.fields(kind):
        change = {field.name: object()}
        assert replace(noun, **change) == dataclasses.replace(noun, **change)
    copy = replace(noun)
    assert copy == noun and copy is not noun and hash(copy) == hash(noun)


def test_a_kind_that_was_never_seen_before_is_as_good() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class New:
        first: int
        second: str = "two"

    changed = replace(New(1), first=5)
    assert (changed, changed.second) == (New(5), "two")
    assert replace(changed, second="three") == New(5, "three")


def test_the_noun_that_was_stays_as_it_is() -> None:
    order = VisitOrder("no", "exit-1", "s", 1, 1000, 0, 10, 20)
    changed = replace(order, stage="paid")
    assert (order.stage, changed.stage) == ("placing", "paid")
    assert msgspec.json.decode(msgspec.json.encode(changed), type=VisitOrder) == changed


def test_a_field_that_a_noun_has_not_is_refused() -> None:
    with pytest.raises(KeyError, match="stages"):
        replace(Stay("s"), stages=())  # type: ignore[call-arg]
    assert "stages" not in get_type_hints(Stay)
