"""Nouns, facts and wishes: what is true of them all."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from types import ModuleType

import pytest

from terminal.core import actions, events, quote, shown, tariff, ticket, visit
from terminal.core.lane import Rules


def made_in(module: ModuleType) -> list[type]:
    return [kind for kind in vars(module).values() if is_dataclass(kind) and kind.__module__ == module.__name__]


KINDS = [kind for module in (visit, events, actions, quote, shown, tariff, ticket) for kind in made_in(module)]


@pytest.mark.parametrize("kind", [*KINDS, Rules], ids=lambda kind: kind.__name__)
def test_none_can_change_once_it_is_made_or_bear_a_name_that_it_has_not(kind: type) -> None:
    one = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(kind)[0].name, 1)
    assert not hasattr(one, "__dict__")


def test_every_fact_is_told_by_its_name_and_says_when_it_was_first() -> None:
    assert {kind.__name__: kind for kind in made_in(events)} == events.EVENTS
    assert {fields(kind)[0].name for kind in made_in(events)} == {"at"}
